"""Where a request comes from, as far as its headers can be believed."""

from __future__ import annotations

import pytest

from perf.access.origins import Place, Proxies, foreign, unproven

HERE = Place(address="10.0.0.9", scheme="https", host="perf.example")
PROXIES = Proxies(("10.0.0.0/24", "::1"))


@pytest.mark.parametrize(
    ("peer", "given", "address"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("testclient", "198.51.100.7", "testclient"),
    ],
    ids=["stranger", "proxy", "invented", "two proxies", "IPv6", "no header", "proxies only", "no address"],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(peer: str, given: str, address: str) -> None:
    headers = {"x-forwarded-for": given} if given else {}
    assert PROXIES.place(peer, "http", headers).address == address


def test_scheme_and_host_are_believed_from_proxies_only() -> None:
    headers = {"host": "inside", "x-forwarded-proto": "https", "x-forwarded-host": "perf.example"}
    assert PROXIES.place("10.0.0.1", "http", headers) == Place(address="10.0.0.1", scheme="https", host="perf.example")
    assert PROXIES.place("192.0.2.1", "http", headers) == Place(address="192.0.2.1", scheme="http", host="inside")
    assert PROXIES.place("10.0.0.1", "http", {"x-forwarded-proto": "javascript"}).scheme == "http"


@pytest.mark.parametrize(
    ("origin", "outcome"),
    [
        ("https://perf.example", False),
        ("https://PERF.example:443", False),
        ("https://perf.example:8443", True),
        ("https://evil.example", True),
        ("https://perf.example.evil.example", True),
        ("null", True),
        ("http://[", True),
        ("https://[perf.example]", True),
        ("", True),
        ("https://shop.example", False),
    ],
)
def test_an_origin_is_ours_by_host_and_port_or_because_it_is_known(origin: str, outcome: bool) -> None:
    assert foreign("POST", HERE, {"origin": origin}, {"https://shop.example"}) is outcome


@pytest.mark.parametrize(
    ("method", "site", "mode", "outcome"),
    [
        ("GET", "cross-site", "navigate", False),
        ("GET", "cross-site", "no-cors", True),
        ("GET", "same-site", "cors", True),
        ("GET", "same-origin", "cors", False),
        ("GET", "none", "navigate", False),
        ("POST", "cross-site", "navigate", True),
    ],
)
def test_without_an_origin_the_site_decides_and_a_followed_link_is_fine(
    method: str, site: str, mode: str, outcome: bool
) -> None:
    assert foreign(method, HERE, {"sec-fetch-site": site, "sec-fetch-mode": mode}, ()) is outcome


def test_what_no_browser_sent_is_not_foreign_but_unproven_when_it_changes_something() -> None:
    assert not foreign("POST", HERE, {}, ())
    assert unproven("POST", {})
    assert not unproven("GET", {})
    assert not unproven("POST", {"origin": "https://perf.example"})
