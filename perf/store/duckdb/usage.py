"""What the store holds: sizes, rows and spans of its levels."""

from __future__ import annotations

from perf.model import LevelUsage, StoreUsage
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store.duckdb import files
from perf.store.duckdb.connection import Database, Row, run
from perf.store.levels import MICRO


def usage(database: Database, settings: StoreSettings, series: int, problems: list[str]) -> StoreUsage:
    """The figures, with *series* and *problems* as the store knows them."""
    with database.reading() as cursor:
        found = {str(row[0]): row[1:] for row in run(cursor, sql("perf.store.duckdb", "spans"))}
    keep = settings.retention
    return StoreUsage(
        location=str(database.path),
        file_bytes=files.size(database.path),
        wal_bytes=files.size(files.wal(database.path)),
        free_bytes=files.free_bytes(database.path),
        series=series,
        levels=(
            _level("raw", [found[name] for name in ("hot", "samples", "hot_hist", "hist")], keep.raw),
            _level("1m", [found["roll_1m"], found["roll_1m_hist"]], keep.minute),
            _level("1h", [found["roll_1h"], found["roll_1h_hist"]], keep.hour),
        ),
        problems=tuple(problems),
        cursors=database.open_cursors(),
        set_aside=files.count_set_aside(database.path),
    )


def _level(name: str, parts: list[Row], retention: float) -> LevelUsage:
    firsts = [part[1] / MICRO for part in parts if part[1] is not None]
    lasts = [part[2] / MICRO for part in parts if part[2] is not None]
    return LevelUsage(
        name=name,
        rows=sum(part[0] for part in parts),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        retention=retention,
    )
