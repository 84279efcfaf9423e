"""Settings changed at run time: an audit trail whose newest line of a path is in force."""

from __future__ import annotations

from perf.model import Change
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Database, run
from perf.store.levels import MICRO, micros

_PACKAGE = "perf.store.duckdb"


class DuckDBOverrides:
    """`record` belongs to the writing thread; the rest may be used from any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.reading() as cursor:
            stored = run(cursor, sql(_PACKAGE, "overrides"))
        self._newest = max((row[2] for row in stored), default=0)
        self._in_force = {row[0]: row[1] for row in stored if row[1] is not None}

    def record(self, change: Change) -> None:
        """Store *change*. Raises: StoreFull, Invalidated (perhaps written), StoreError."""
        number = self._newest + 1
        with self._database.transaction() as writer:
            run(
                writer,
                sql(_PACKAGE, "change_add"),
                {
                    "id": number,
                    "ts": micros(change.ts),
                    "path": change.path,
                    "value": change.value,
                    "author": change.author,
                },
            )
        self._newest = number
        in_force = dict(self._in_force)
        in_force.pop(change.path, None)
        if change.value is not None:
            in_force[change.path] = change.value
        self._in_force = in_force

    def in_force(self) -> dict[str, str]:
        """Path -> JSON value."""
        return dict(self._in_force)

    def changes(self, limit: int) -> list[Change]:
        """The newest changes first."""
        with self._database.reading() as cursor:
            found = run(cursor, sql(_PACKAGE, "changes"), {"limit": limit})
        return [Change(ts=ts / MICRO, path=path, value=value, author=author) for ts, path, value, author in found]
