"""Who may come in, how they sign in, and from where requests may come."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from perf.model.access import Role
from perf.settingtree import Group, Seconds, says

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_ORIGIN = re.compile(r"https?://[^/?#@\s]+")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:]+\]|\*")
_SHORTEST_SECRET = 32


class User(Group, frozen=True):
    """Somebody who signs in with a password."""

    role: Annotated[Role, says("viewer, operator or admin")] = Role.VIEWER
    hash: Annotated[str, says("of the password, made by `python -m perf password`")] = ""


class OidcSettings(Group, frozen=True):
    """Sign-in by an OpenID Connect provider. Its address for us is *access.url* with ``/signin/callback`` behind it."""

    issuer: Annotated[str, says("address of the provider; switches it on")] = ""
    client_id: Annotated[str, says("what the provider calls us")] = ""
    client_secret: Annotated[str, says("what it knows us by")] = ""
    label: Annotated[str, says("what the button says")] = "Sign in with your organisation"
    scopes: Annotated[str, says("asked for at the provider")] = "openid email profile"
    name_claim: Annotated[str, says("claim that names the person")] = "email"
    role_claim: Annotated[str, says("claim whose values decide the role; dots go down")] = "groups"
    roles: Annotated[dict[str, Role], says("value of that claim -> role; the highest counts")] = msgspec.field(
        default_factory=dict
    )
    default_role: Annotated[Role | None, says("role of whoever has none of them; without it they are refused")] = None


class AccessSettings(Group, frozen=True):
    """Sign-in, and from where requests may come. Without users and provider nobody signs in, and unless closed only loopback is listened on."""

    users: Annotated[dict[str, User], says("who signs in with a password: name -> role and hash")] = msgspec.field(
        default_factory=dict
    )
    oidc: OidcSettings = OidcSettings()
    url: Annotated[str, says("address that people use, such as https://perf.example; https makes cookies secure")] = ""
    secret: Annotated[str, says("signs sessions; else one is made and kept beside the store")] = ""
    key: Annotated[str, says("what the command line shows to a monitor elsewhere (--url)")] = ""
    closed: Annotated[
        bool, says("true: nobody is local; who does not sign in shows a key (`serve` needs no users then)")
    ] = False
    session: Annotated[Seconds, says("how long somebody stays signed in")] = 12 * 3600.0
    hosts: Annotated[tuple[str, ...], says("further host names that requests may carry")] = ()
    origins: Annotated[tuple[str, ...], says("pages elsewhere that may ask the API with a key (CORS)")] = ()
    proxies: Annotated[tuple[str, ...], says("addresses or networks whose X-Forwarded headers are believed")] = ()

    @property
    def signs_in(self) -> bool:
        """Whether anybody can sign in."""
        return bool(self.users or self.oidc.issuer)

    @property
    def guarded(self) -> bool:
        """Whether everybody has to show who they are: by a sign-in, or by a key."""
        return self.signs_in or self.closed


def problems(access: AccessSettings) -> Iterator[str]:
    """Everything about *access* that can't work, each naming its key."""
    for name, user in access.users.items():
        if not NAME.fullmatch(name):
            yield f"access.users: {name!r} is no name: letters, digits and . _ @ + -"
        if not user.hash.startswith("$argon2id$"):
            yield f"access.users.{name}.hash: not made by `python -m perf password`"
    if access.secret and len(access.secret) < _SHORTEST_SECRET:
        yield f"access.secret: at least {_SHORTEST_SECRET} characters"
    yield from _oidc_problems(access)
    yield from _place_problems(access)


def _place_problems(access: AccessSettings) -> Iterator[str]:
    url = urlsplit(access.url)
    if access.url and (url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment):
        yield f"access.url: {access.url!r} is no http or https address"
    yield from (
        f"access.origins: {one!r} is no origin such as https://example.com"
        for one in access.origins
        if not _ORIGIN.fullmatch(one)
    )
    yield from (
        f"access.hosts: {one!r} is no host name (without port)"
        for one in access.hosts
        if not _HOST.fullmatch(one.lower())
    )
    yield from (f"access.proxies: {one!r} is no address or network" for one in access.proxies if not _is_network(one))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _oidc_problems(access: AccessSettings) -> Iterator[str]:
    oidc = access.oidc
    if not oidc.issuer:
        return
    if urlsplit(oidc.issuer).scheme not in ("http", "https"):
        yield f"access.oidc.issuer: {oidc.issuer!r} is no http or https address"
    if not oidc.client_id:
        yield "access.oidc.client_id: missing"
    if not access.url:
        yield "access.url: the provider sends people back there, so it must be set with access.oidc.issuer"
    if "openid" not in oidc.scopes.split():
        yield "access.oidc.scopes: openid must be among them"
    if not oidc.roles and oidc.default_role is None:
        yield "access.oidc.roles: nobody would have a role; map a value of the claim, or set access.oidc.default_role"
