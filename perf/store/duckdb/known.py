"""The series that the file knows."""

from __future__ import annotations

from collections.abc import Iterator

from perf.model import Kind, Metric
from perf.sqlfiles import sql
from perf.store.catalog import Entry
from perf.store.duckdb.connection import Cursor


def entries(cursor: Cursor) -> Iterator[Entry]:
    """Every one, by id."""
    for sid, name, kind, unit, help_, labels, first_seen in cursor.execute(
        sql("perf.store.duckdb", "series")
    ).fetchall():
        yield Entry(sid, Metric(name, Kind(kind), unit, help_), tuple(sorted(labels.items())), first_seen)
