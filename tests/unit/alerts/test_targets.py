from __future__ import annotations

import socket

import pytest

from perf.alerts.targets import TargetError, checked, networks, permitted
from perf.alertsettings import TargetSettings
from perf.errors import SettingsError

PUBLIC = "93.184.216.34"


def found(*addresses: str):
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff0e::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001:db8::1", "nonsense"),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not permitted(address)
    with pytest.raises(TargetError, match="not a public address"):
        checked("https://example.org/hook", TargetSettings(), found(PUBLIC, address))


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"])
def test_what_is_public_is_allowed(address: str) -> None:
    assert permitted(address)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1"])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    def lookup(name: str, port: int) -> list[str]:
        return [socket.inet_ntoa(socket.inet_aton(name))]  # getaddrinfo reads numbers the same way

    with pytest.raises(TargetError, match=r"127\.0\.0\.1 is not"):
        checked(f"https://{host}/", TargetSettings(), lookup)


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_loopback_is_refused_by_a_real_lookup(host: str) -> None:
    with pytest.raises(TargetError, match="is not a public address"):
        checked(f"https://{host}/", TargetSettings())


def test_a_named_network_is_allowed_and_no_other() -> None:
    settings = TargetSettings(private=("10.1.0.0/16", "fd00::/8"))
    assert checked("https://in.example/x?y=1", settings, found("10.1.2.3")).path == "/x?y=1"
    assert checked("https://in.example", settings, found("::ffff:10.1.2.3")).addresses == ("::ffff:10.1.2.3",)
    with pytest.raises(TargetError, match=r"10\.2\.0\.1 is not"):
        checked("https://in.example", settings, found("10.1.2.3", "10.2.0.1"))
    with pytest.raises(SettingsError, match="private"):
        networks(["10.0.0.1/8"])


def test_an_ipv4_network_does_not_open_the_ipv6_one_of_the_same_number() -> None:
    assert not permitted("::1", networks(["0.0.0.0/8"]))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org", "http is not allowed"),
        ("file:///etc/passwd", "starts with https"),
        ("gopher://x", "starts with https"),
        ("https://", "starts with https"),
        ("https://me:pw@example.org/", "holds no account"),
        ("https://example.org/a b", "holds no account"),
        ("https://example.org/\r\nx", "holds no account"),
        ("https://[::1", "not an address"),
        ("https://x:99999/", "not an address"),
    ],
)
def test_what_is_no_target(url: str, why: str) -> None:
    with pytest.raises(TargetError, match=why) as refused:
        checked(url, TargetSettings(), found(PUBLIC))
    assert refused.value.permanent
    assert "pw" not in str(refused.value)


def test_a_name_that_is_not_found_may_be_found_later() -> None:
    def lookup(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(TargetError) as refused:
        checked("https://gone.example/secret", TargetSettings(), lookup)
    assert not refused.value.permanent
    assert "secret" not in str(refused.value)
