"""The slowest calls, from their table."""

from __future__ import annotations

from perf.model import Exemplar, Selector, Window
from perf.sqlfiles import sql
from perf.store import answers
from perf.store.catalog import SeriesCatalog
from perf.store.duckdb.connection import Database, run
from perf.store.levels import MICRO, micros

_PACKAGE = "perf.store.duckdb"


def exemplars(
    database: Database, catalog: SeriesCatalog, selector: Selector, window: Window, limit: int
) -> list[Exemplar]:
    """The slowest first. Raises: QueryError for a limit out of range, StoreError when it takes too long."""
    answers.check_exemplars(limit)
    sids = catalog.matching(selector)
    if not sids:
        return []
    span = {"sids": sids, "start": micros(window.start), "end": micros(window.end), "limit": limit}
    with database.reading() as cursor:
        found = run(cursor, sql(_PACKAGE, "exemplars"), span)
    return [
        Exemplar(
            ts=ts / MICRO,
            metric=catalog.entry(sid).metric,
            labels=catalog.entry(sid).labels,
            seconds=seconds,
            arguments=tuple(arguments),
            parents=tuple(parents),
            trace=trace,
            release=release,
            error=error,
        )
        for ts, sid, seconds, arguments, parents, trace, release, error in found
    ]
