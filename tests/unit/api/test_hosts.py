"""Which addresses and host names are accepted."""

import pytest

from perf.api.hosts import LOOPBACK, answered
from perf.errors import SettingsError


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.168.1.5", "example.org"])
def test_an_open_address_is_refused_unless_it_is_wanted(address: str) -> None:
    with pytest.raises(SettingsError, match="refusing to listen on"):
        answered(address, insecure=False)
    assert answered(address, insecure=True) == ("*",)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_answers_to_its_own_names_only(address: str) -> None:
    assert answered(address, insecure=False) == LOOPBACK
