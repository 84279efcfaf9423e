"""Who asks, what they may do, and what is remembered of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a request does. Only public ones are answered to anybody."""

    PUBLIC = "public"
    READ = "read"
    INGEST = "ingest"
    OPERATE = "operate"
    ADMIN = "admin"


class Role(StrEnum):
    """What somebody who is signed in is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the role may do: viewers look, operators also acknowledge, silence and change rules, admins everything."""
        return _SCOPES[self]


_SCOPES = {
    Role.VIEWER: frozenset({Scope.PUBLIC, Scope.READ}),
    Role.OPERATOR: frozenset({Scope.PUBLIC, Scope.READ, Scope.OPERATE}),
    Role.ADMIN: frozenset(Scope),
}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks: *name* stands in the audit log, *via* says how they were recognised (loopback, password, oidc, key, owner, nobody)."""

    name: str
    via: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether *scope* is theirs."""
        return scope is Scope.PUBLIC or scope in self.scopes


NOBODY = Principal(name="", via="nobody", scopes=frozenset({Scope.PUBLIC}))
LOCAL = Principal(name="local", via="loopback", scopes=frozenset(Scope))
"""Whoever is on this machine, where nobody has to sign in."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a program: its *id* is the part of it that may be shown, *digest* the SHA-256 of the whole. Times in Unix seconds."""

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    author: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None

    def state(self, now: float) -> str:
        """Whether it opens anything: valid, expired or revoked."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, when and from where. *before* and *after* are JSON or words; empty where there is nothing."""

    ts: float
    who: str
    via: str
    address: str
    action: str
    subject: str = ""
    before: str = ""
    after: str = ""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit log and how many entries there are in all."""

    entries: list[AuditEntry]
    total: int


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that ended before their time: the session *subject*, or with ``name:`` before it all of a person's that began before
    *since*. Needed until *until*, when they would be over by themselves.
    """

    subject: str
    since: float
    until: float
