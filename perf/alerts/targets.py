"""Which addresses a notification may be sent to: never a machine inside, unless its network is named."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import msgspec

from perf.alertsettings import TargetSettings
from perf.errors import PerfError, SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOCAL = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("fec0::/10"))
"""Translation inside a network (RFC 8215) and site-local addresses: Python calls both global."""


class TargetError(PerfError):
    """An address may not be reached; *permanent* unless looking it up failed for now."""

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


class Target(msgspec.Struct, frozen=True):
    """A checked address: connect to one of *addresses*, and say *host* to it."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> list[str]:
    """Every address of *host*. Raises: OSError."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def checked(url: str, settings: TargetSettings, lookup: Callable[[str, int], list[str]] = resolve) -> Target:
    """*url* as a target, after looking it up: **every** address it has must be allowed.

    Raises: TargetError, which never holds the path: it may be a secret.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise TargetError("not an address") from None
    if parts.scheme not in _PORTS or not host:
        raise TargetError("an address starts with https:// and has a host")
    if parts.scheme == "http" and not settings.plain_http:
        raise TargetError(f"{host}: http is not allowed (alerts.targets.plain_http)")
    if parts.username is not None or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise TargetError(f"{host}: an address holds no account, spaces or control characters")
    port = port or _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, _allowed(host, port, settings, lookup))


def _allowed(
    host: str, port: int, settings: TargetSettings, lookup: Callable[[str, int], list[str]]
) -> tuple[str, ...]:
    try:
        addresses = lookup(host, port)
    except (OSError, UnicodeError) as error:
        raise TargetError(f"{host}: not found: {error}", permanent=False) from error
    if not addresses:
        raise TargetError(f"{host}: not found", permanent=False)
    allowed = networks(settings.private)
    for address in addresses:
        if not permitted(address, allowed):
            raise TargetError(
                f"{host}: {address} is not a public address (alerts.targets.private names what may be reached)"
            )
    return tuple(addresses)


def networks(texts: Iterable[str]) -> list[Network]:
    """*texts* such as 10.0.0.0/8. Raises: SettingsError."""
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise SettingsError(f"alerts.targets.private: {error}") from error


def permitted(text: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether the address *text* is public, or in one of the *allowed* networks."""
    try:
        address = unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if any(address.version == network.version and address in network for network in allowed):
        return True
    local = any(address.version == network.version and address in network for network in _LOCAL)
    return address.is_global and not address.is_multicast and not local


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside one of IPv6's wrappings (mapped, compatible, 6to4, NAT64), else *address*: a gateway would
    take it out and go there.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    low = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is None and address in _NAT64:
        inner = low
    if inner is None and address in _COMPATIBLE and int(address) > 1:
        inner = low
    return inner or address
