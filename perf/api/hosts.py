"""Who may reach this process: the address it listens on, and the host names that requests may carry."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from perf.errors import SettingsError
from perf.settings import AccessSettings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"
FIGURES = "figures"
"""Any address in figures: no name, which somebody else could let point here."""


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches *address*."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def answered(address: str, *, insecure: bool, access: AccessSettings | None = None) -> tuple[str, ...]:
    """Host names to answer to when listening on *address*; any when *insecure* says that everybody may see everything.

    Where everybody shows who they are, also addresses in figures: what a page elsewhere could reach by them has no cookie of ours.

    Raises: SettingsError for an address that others reach while nobody has to.
    """
    access = access or AccessSettings()
    if insecure:
        return (ANY,)
    if access.guarded:
        return (*LOOPBACK, FIGURES, *_named(access))
    if not is_loopback(address):
        raise SettingsError(
            f"refusing to listen on {address or 'every address'}: others reach it, and nobody signs in. "
            "Listen on 127.0.0.1, set access.users or access.oidc (or for programs alone access.closed), or set PERF_INSECURE=1 "
            "if everybody who reaches it may see everything"
        )
    return (*LOOPBACK, *_named(access))


def watched(address: str, *, insecure: bool, access: AccessSettings) -> tuple[str, ...]:
    """Host names to answer to on a port at *address* that tells of health alone: where others reach it, also addresses in figures,
    as whatever watches a machine uses them; any when *insecure* says that everybody may see everything.
    """
    if insecure:
        return (ANY,)
    figures = () if is_loopback(address) else (FIGURES,)
    return (*LOOPBACK, *figures, *_named(access))


def with_pages(access: AccessSettings) -> None:
    """Raises: SettingsError when nobody could open a page: a browser shows no key."""
    if access.closed and not access.signs_in:
        raise SettingsError(
            "access.closed: nobody could open a page of the dashboard: set access.users or access.oidc, "
            "or run `python -m perf serve`, which has none"
        )


class KnownHosts:
    """Refuses requests for another host name: a page elsewhere must not reach a loopback port through its own DNS name."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for this host; answer 421 to the rest (websockets are closed)."""
        if scope["type"] == "lifespan" or ANY in self._hosts or self._known(_host(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": b"unknown host name\n"})

    def _known(self, host: str) -> bool:
        return host in self._hosts or FIGURES in self._hosts and _in_figures(host)


def _named(access: AccessSettings) -> tuple[str, ...]:
    """The names that settings give this host, as `_host` reads them from a request."""
    return tuple(name.lower() for name in (*access.hosts, _bracketed(urlsplit(access.url).hostname or "")) if name)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _in_figures(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _host(scope: Scope) -> str:
    value = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    if value.startswith("["):
        return value.partition("]")[0] + "]"
    return value.partition(":")[0].lower()
