"""Keys of programs as people see and change them, and whom a key stands for."""

from __future__ import annotations

import contextlib
import hmac
import logging
from collections.abc import Iterable
from concurrent.futures import Future

import msgspec

from perf.access import keys
from perf.errors import PerfError, StoreBusy, StoreClosed
from perf.model.access import ApiKey, Principal, Scope
from perf.ports import Clock, MetricStore
from perf.store.writer import Writer
from perf.views.audit import AuditLog
from perf.views.writes import written

LONGEST_NAME = 100
SEEN_EVERY = 60.0
"""Seconds between two notes of when a key was used last."""

_log = logging.getLogger(__name__)


class ApiKeyError(PerfError):
    """A key can't be made so."""


class UnknownKey(PerfError):
    """There is no key of that id."""


class KeyRing:
    """The keys of one store."""

    def __init__(self, store: MetricStore, writer: Writer, clock: Clock, audit: AuditLog) -> None:
        self._store, self._writer, self._clock, self._audit = store.access, writer, clock, audit
        self._seen: dict[str, float] = {}

    def all(self) -> list[ApiKey]:
        """Every key, by time of making, with its newest use."""
        found = self._store.api_keys()
        return [msgspec.structs.replace(key, last_used=self._seen.get(key.id, key.last_used)) for key in found]

    def create(
        self, name: str, scopes: Iterable[Scope], *, seconds: float | None = None, author: str
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can read again. It ends after *seconds* (None: never).

        Raises: ApiKeyError, StoreError.
        """
        wanted = tuple(scope for scope in Scope if scope in set(scopes) and scope is not Scope.PUBLIC)
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise ApiKeyError(f"a key needs a name of at most {LONGEST_NAME} characters")
        if not wanted:
            raise ApiKeyError("a key needs a scope: read, ingest, operate or admin")
        if seconds is not None and not 0 < seconds < 1e10:
            raise ApiKeyError("a key ends after a time above zero, or never")
        now = self._clock.now()
        id_, text, digest = keys.made()
        key = ApiKey(
            id=id_,
            name=name.strip(),
            digest=digest,
            scopes=wanted,
            author=author,
            created=now,
            expires=None if seconds is None else now + seconds,
        )
        written(self._writer, lambda: self._store.put_key(key), "key")
        self._audit.note("key.create", f"{key.name} ({id_})", after=_shown(key), by=author)
        return key, text

    def revoke(self, key_id: str, *, author: str) -> ApiKey:
        """Let the key *key_id* open nothing from now on; it stays in the list. Raises: UnknownKey, StoreError."""
        known = next((key for key in self.all() if key.id == key_id), None)
        if known is None:
            raise UnknownKey(f"no key {key_id!r}")
        if known.revoked is not None:
            return known
        revoked = msgspec.structs.replace(known, revoked=self._clock.now())
        written(self._writer, lambda: self._store.put_key(revoked), "key")
        self._audit.note("key.revoke", f"{known.name} ({key_id})", before=_shown(known), by=author)
        return revoked

    def principal(self, text: str) -> Principal | None:
        """Whom the key *text* stands for; None when it is none of ours, expired or revoked."""
        id_ = keys.id_of(text)
        known = next((key for key in self._store.api_keys() if key.id == id_), None) if id_ else None
        if known is None or not hmac.compare_digest(known.digest, keys.digest(text)):
            return None
        now = self._clock.now()
        if known.state(now) != "valid":
            return None
        self._note_use(known, now)
        return Principal(name=known.name, via="key", scopes=frozenset({Scope.PUBLIC, *known.scopes}))

    def _note_use(self, key: ApiKey, now: float) -> None:
        """Keep when *key* was used, at most once a minute and without waiting."""
        if now - self._seen.get(key.id, 0.0) < SEEN_EVERY:
            return
        self._seen[key.id] = now

        def put() -> None:
            # As it is when its turn comes: it may have been revoked meanwhile.
            newest = next((one for one in self._store.api_keys() if one.id == key.id), None)
            if newest is not None:
                self._store.put_key(msgspec.structs.replace(newest, last_used=now))

        with contextlib.suppress(StoreBusy, StoreClosed):
            self._writer.later(put).add_done_callback(_told)


def _shown(key: ApiKey) -> dict[str, object]:
    return {"scopes": [scope.value for scope in key.scopes], "expires": key.expires}


def _told(done: Future[object]) -> None:
    error = done.exception()
    if error is not None:
        _log.warning("when a key was used last was not kept: %s", error)
