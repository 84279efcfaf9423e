"""Which addresses and host names are accepted."""

import pytest

from perf.api.hosts import ANY, FIGURES, LOOPBACK, answered, watched, with_pages
from perf.errors import SettingsError
from perf.settings.access import AccessSettings, User


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.168.1.5", "example.org"])
def test_an_open_address_is_refused_unless_it_is_wanted(address: str) -> None:
    with pytest.raises(SettingsError, match="refusing to listen on"):
        answered(address, insecure=False)
    assert answered(address, insecure=True) == ("*",)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_answers_to_its_own_names_only(address: str) -> None:
    assert answered(address, insecure=False) == LOOPBACK


def test_an_open_address_is_fine_where_everybody_shows_a_key() -> None:
    closed = AccessSettings(closed=True, hosts=("Owner.Example",))
    assert answered("0.0.0.0", insecure=False, access=closed) == (*LOOPBACK, FIGURES, "owner.example")


def test_a_dashboard_that_nobody_could_open_is_refused() -> None:
    with pytest.raises(SettingsError, match="access.closed: nobody could open a page"):
        with_pages(AccessSettings(closed=True))
    with_pages(AccessSettings(closed=True, users={"ada": User()}))
    with_pages(AccessSettings())


@pytest.mark.parametrize(
    ("address", "insecure", "hosts"),
    [
        ("127.0.0.1", False, (*LOOPBACK, "shop.example", "perf.example")),
        ("0.0.0.0", False, (*LOOPBACK, FIGURES, "shop.example", "perf.example")),
        ("0.0.0.0", True, (ANY,)),
    ],
)
def test_a_port_of_health_alone_answers_to_the_names_of_the_settings(
    address: str, *, insecure: bool, hosts: tuple[str, ...]
) -> None:
    named = AccessSettings(hosts=("Shop.Example",), url="https://Perf.example/perf")
    assert watched(address, insecure=insecure, access=named) == hosts
