"""How far the upkeep has come: up to where it rolled up and sealed, and from where each level still has its rows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from perf.model import Level
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Cursor, run
from perf.store.levels import BEGINNING

_PACKAGE = "perf.store.duckdb"
_NAMES = {
    "rolled_minute": "rolled_1m",
    "rolled_hour": "rolled_1h",
    "sealed": "sealed",
    "kept_raw": "kept_raw",
    "kept_minute": "kept_1m",
    "kept_hour": "kept_1h",
}


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds since the epoch; `BEGINNING` where nothing has happened. Raw samples and distributions at or
    after *rolled_minute* are all in the hot tables, and no roll-up counts them.
    """

    rolled_minute: int = BEGINNING
    rolled_hour: int = BEGINNING
    sealed: int = BEGINNING
    kept_raw: int = BEGINNING
    kept_minute: int = BEGINNING
    kept_hour: int = BEGINNING

    @property
    def kept(self) -> Mapping[Level, int]:
        """Level -> from where it has its rows."""
        return {Level.RAW: self.kept_raw, Level.MINUTE: self.kept_minute, Level.HOUR: self.kept_hour}

    @property
    def rolled(self) -> Mapping[Level, int]:
        """Roll-up level -> up to where it counts everything."""
        return {Level.MINUTE: self.rolled_minute, Level.HOUR: self.rolled_hour}

    def moved(self, field: str, ts: int) -> Marks:
        """These marks with *field* at *ts*."""
        return msgspec.structs.replace(self, **{field: ts})


def load(cursor: Cursor) -> Marks:
    """The marks as stored."""
    stored: dict[str, int] = dict(run(cursor, sql(_PACKAGE, "marks")))
    return Marks(**{field: stored[name] for field, name in _NAMES.items()})


def save(writer: Cursor, field: str, ts: int) -> None:
    """Move *field* to *ts* inside the writer's transaction."""
    run(writer, sql(_PACKAGE, "mark"), {"name": _NAMES[field], "ts": ts})
