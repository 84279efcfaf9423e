"""Pages of raw samples: looks at the newest (or first) part of the question before the whole of it."""

from __future__ import annotations

from collections.abc import Iterator

from perf.model import RowOrder, Rows, RowsQuery
from perf.sqlfiles import sql
from perf.store import answers
from perf.store.answers import COUNT_CAP
from perf.store.catalog import SeriesCatalog
from perf.store.duckdb.connection import Cursor, Database, Row, run
from perf.store.levels import MICRO, micros

_PACKAGE = "perf.store.duckdb"
_KEYS = {
    RowOrder.TIME: ("ts", "rank", "value"),
    RowOrder.VALUE: ("value", "ts", "rank"),
    RowOrder.METRIC: ("rank", "ts", "value"),
}
_FIRST_SLICE = 60 * MICRO
_GROWTH = 16

Scope = tuple[list[int], int, int]


def rows(database: Database, catalog: SeriesCatalog, query: RowsQuery) -> Rows:
    """One page. Raises: QueryError for a limit or offset out of range, StoreError when it takes too long."""
    answers.check_page(query)
    ranked = catalog.ranked(catalog.search(query.selectors, query.search))
    start, end = micros(query.window.start), micros(query.window.end)
    if not ranked:
        return answers.page([], catalog, 0)
    with database.reading() as cursor:
        whole = {**_parameters((ranked, start, end)), "cap": COUNT_CAP + 1}
        total: int = run(cursor, sql(_PACKAGE, "count"), whole)[0][0]
        found: list[Row] = []
        if query.offset < total or total > COUNT_CAP:
            found = _first_full(cursor, query, _scopes(query, ranked, min(end, catalog.newest + 1)))
    return answers.page(found, catalog, total)


def statement(order: RowOrder, *, descending: bool) -> str:
    """The SQL of a page; ties are broken the same way at any depth, so that pages neither repeat nor skip."""
    direction = "DESC" if descending else "ASC"
    keys = ", ".join(f"{key} {direction}" for key in _KEYS[order])
    # Only closed sets of ours are put into the text.
    return f"SELECT ts, sid, value FROM ({sql(_PACKAGE, 'rows')}) ORDER BY {keys} LIMIT $limit OFFSET $offset"  # noqa: S608


def _first_full(cursor: Cursor, query: RowsQuery, scopes: Iterator[Scope]) -> list[Row]:
    """The page from the first scope that fills it, else from the last one, which is the whole question."""
    text = statement(query.order, descending=query.descending)
    found: list[Row] = []
    for scope in scopes:
        found = run(cursor, text, {**_parameters(scope), "limit": query.limit, "offset": query.offset})
        if len(found) == query.limit:
            break
    return found


def _scopes(query: RowsQuery, ranked: list[int], end: int) -> Iterator[Scope]:
    """Ever larger parts of the question, each holding what sorts first; *end* is where the samples end."""
    start = micros(query.window.start)
    if query.order is RowOrder.TIME:
        span = _FIRST_SLICE
        while span < end - start:
            yield (ranked, end - span, end) if query.descending else (ranked, start, start + span)
            span *= _GROWTH
    elif query.order is RowOrder.METRIC:
        count = 1
        while count < len(ranked):
            yield (ranked[-count:] if query.descending else ranked[:count]), start, end
            count *= _GROWTH
    yield ranked, start, end


def _parameters(scope: Scope) -> dict[str, object]:
    sids, start, end = scope
    return {"sids": sids, "first": min(sids), "last": max(sids), "start": start, "end": end}
