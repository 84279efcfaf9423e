"""Keys of programs, ended sessions and the audit log in their tables. One thread writes; keys and revocations are held in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from perf.decoding import from_json
from perf.model import Window
from perf.model.access import ApiKey, AuditEntry, AuditPage, Revocation
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Cursor, Database, Row, run
from perf.store.duckdb.held import Held
from perf.store.levels import MICRO, micros

_PACKAGE = "perf.store.duckdb"


class DuckDBAccess:
    """A `perf.ports.AccessStore` in the store's file."""

    def __init__(self, reading: Callable[[], Database], writing: Callable[[], Database]) -> None:
        """*reading* gives the open database, *writing* reopens it first where that is needed."""
        self._reading = reading
        self._writing = writing
        self._keys = Held(self._read_keys)
        self._revocations = Held(self._read_revocations)

    def api_keys(self) -> list[ApiKey]:
        """Every key, revoked or not, by time of making; from memory."""
        return sorted(self._keys.rows().values(), key=lambda key: (key.created, key.id))

    def put_key(self, key: ApiKey) -> None:
        """Add *key*, or replace the one of its id. Raises: StoreFull, StoreError."""
        keys = self._keys.rows() | {key.id: key}
        with self._writing().transaction() as writer:
            _run(writer, "api_key_drop", {"id": key.id})
            _run(writer, "api_key_add", {"id": key.id, "body": msgspec.json.encode(key).decode()})
        self._keys.become(keys)

    def revocations(self) -> list[Revocation]:
        """Every revocation that may still matter; from memory."""
        return list(self._revocations.rows().values())

    def revoke(self, revocation: Revocation, now: float) -> None:
        """Note *revocation*, and forget those that are over at *now* (Unix seconds). Raises: StoreFull, StoreError."""
        kept = {known.subject: known for known in self.revocations() if known.until >= now}
        with self._writing().transaction() as writer:
            _run(writer, "revocations_expire", {"now": micros(now)})
            _run(writer, "revocation_drop", {"subject": revocation.subject})
            since, until = micros(revocation.since), micros(revocation.until)
            _run(writer, "revocation_add", {"subject": revocation.subject, "since": since, "until": until})
        self._revocations.become(kept | {revocation.subject: revocation})

    def note(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the audit log, all or none. Raises: StoreFull, StoreError."""
        with self._writing().transaction() as writer:
            for entry in entries:
                _run(writer, "audit_add", msgspec.structs.asdict(entry) | {"ts": micros(entry.ts)})

    def audit(self, window: Window, limit: int = 50, offset: int = 0, *, action: str = "", who: str = "") -> AuditPage:
        """Entries of *window* whose action begins with *action*, by *who*, the newest first."""
        parameters: dict[str, object] = {
            "start": micros(window.start),
            "end": micros(window.end),
            "action": action,
            "who": who,
            "count": limit,
            "skip": offset,
        }
        found = self._read("audit", parameters)
        if not found and offset:
            return AuditPage(entries=[], total=self.audit(window, 1, action=action, who=who).total)
        return AuditPage(entries=[_entry(row) for row in found], total=found[0][-1] if found else 0)

    def _read_keys(self) -> dict[str, ApiKey]:
        found = (from_json(body, ApiKey) for (body,) in self._read("api_keys", {}))
        return {key.id: key for key in found}

    def _read_revocations(self) -> dict[str, Revocation]:
        return {
            subject: Revocation(subject=subject, since=since / MICRO, until=until / MICRO)
            for subject, since, until in self._read("revocations", {})
        }

    def _read(self, question: str, parameters: dict[str, object]) -> list[Row]:
        with self._reading().reading() as cursor:
            return _run(cursor, question, parameters)


def _run(cursor: Cursor, name: str, parameters: dict[str, object]) -> list[Row]:
    return run(cursor, sql(_PACKAGE, name), parameters or None)


def _entry(row: Row) -> AuditEntry:
    ts, who, via, address, action, subject, before, after, _ = row
    return AuditEntry(
        ts=ts / MICRO, who=who, via=via, address=address, action=action, subject=subject, before=before, after=after
    )
