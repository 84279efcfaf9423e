"""Where a request comes from: the client's address behind proxies that are believed, and the page that a browser sent it from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The client's *address*, and the *scheme* and *host* that it used."""

    address: str
    scheme: str
    host: str


class Proxies:
    """The proxies whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[_Network] = [ipaddress.ip_network(text) for text in networks]

    def place(self, peer: str, scheme: str, headers: Mapping[str, str]) -> Place:
        """Where a request on a connection of *peer* really came from; *headers* by lower-case name."""
        host = headers.get("host", "")
        if not self._trusted(peer):
            return Place(address=peer, scheme=scheme, host=host)
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        # From the right: what is left of the first stranger may be invented by them.
        address = next((hop for hop in reversed(hops) if not self._trusted(hop)), hops[0] if hops else peer)
        given = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        return Place(
            address=address[:100],
            scheme=given if given in ("http", "https") else scheme,
            host=headers.get("x-forwarded-host", "").rpartition(",")[2].strip() or host,
        )

    def _trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def foreign(method: str, place: Place, headers: Mapping[str, str], known: Iterable[str]) -> bool:
    """Whether a browser sent this for a page that isn't ours; *known* are origins that count as ours.

    Browsers add these headers themselves, and no page can change them. A link that somebody follows to us is fine.
    """
    origin = headers.get("origin")
    if origin is not None:
        return not (_netloc(origin) == _bare(place.host, place.scheme) or origin in known)
    site = headers.get("sec-fetch-site", "none")
    followed = method in SAFE and headers.get("sec-fetch-mode") == "navigate"
    return site not in ("none", "same-origin") and not followed


def unproven(method: str, headers: Mapping[str, str]) -> bool:
    """Whether this changes something and says nothing of where it comes from: then it is no browser's, or an ancient one's."""
    return method not in SAFE and "origin" not in headers and "sec-fetch-site" not in headers


def _netloc(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:  # http://[: no browser's
        return ""
    return _bare(parts.netloc, parts.scheme) if parts.scheme in _DEFAULT_PORTS else ""


def _bare(host: str, scheme: str) -> str:
    return host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
