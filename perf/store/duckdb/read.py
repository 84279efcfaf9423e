"""Answers a range query with one pass of SQL over the level that `perf.store.levels` chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from perf.model import Aggregate, Distributions, Kind, Level, RangeQuery, Series
from perf.sqlfiles import sql
from perf.store import answers, levels
from perf.store.answers import POINT_LIMIT, Found
from perf.store.catalog import SeriesCatalog
from perf.store.duckdb.connection import Cursor, Database
from perf.store.duckdb.marks import Marks
from perf.store.spread import Spread, joined, merged
from perf.store.tail import Tail

_PACKAGE = "perf.store.duckdb"
_SLICE_ROWS = 100_000
_MOST_SLICES = 64
_N = TypeVar("_N", np.int64, np.float64)
_ONE_OF = "AND sid IN (SELECT unnest($sids::INTEGER[]))"


def read(
    database: Database, catalog: SeriesCatalog, marks: Marks, query: RangeQuery, tail: Tail | None = None
) -> list[Series]:
    """The answer to *query*, from *tail* when that holds it whole. Raises: QueryError, StoreError when it takes too long."""
    plan = levels.plan(query.window, query.step, marks.kept)
    sids = catalog.matching(query.selector)
    if not sids:
        return []
    metric = catalog.metric(query.selector.metric)
    wanted = answers.check(query, metric)
    if metric.kind is Kind.HISTOGRAM:
        parts = _spread(database, catalog, marks, sids, plan, shape=wanted.quantile is not None)
        return answers.of_distributions(query, plan, catalog, parts)
    if tail is not None and plan.start >= marks.kept[plan.level]:
        newest = tail.find(sids, plan, wanted)
        if newest is not None:
            return answers.answer(query, plan, catalog, newest)
    parameters = _parameters(plan, marks, sids, wanted)
    with database.reading() as cursor:
        columns = _columns(cursor, statement(plan.level, wanted, all_between=contiguous(sids)), parameters)
    return answers.answer(query, plan, catalog, _found(columns, wanted))


def distributions(
    database: Database, catalog: SeriesCatalog, marks: Marks, query: RangeQuery, *, shape: bool
) -> list[Distributions]:
    """What distributions observed. Raises: QueryError, StoreError when it takes too long."""
    plan = levels.plan(query.window, query.step, marks.kept)
    sids = catalog.matching(query.selector)
    answers.check_distributions(query, catalog, sids)
    if not sids:
        return []
    return answers.distributions(query, plan, catalog, _spread(database, catalog, marks, sids, plan, shape=shape))


def wide_statement(level: Level, *, shape: bool, all_between: bool = False) -> str:
    """The SQL that finds distributions at *level*: whole ones with *shape*, else only count, sum and extremes of steps."""
    points = sql(_PACKAGE, f"hist_points_{level.value}")
    if all_between:
        points = points.replace(_ONE_OF, "")
    return f"WITH points AS ({points}) {sql(_PACKAGE, 'hist_steps' if shape else 'steps')}"


def statement(level: Level, wanted: Aggregate, *, all_between: bool = False) -> str:
    """The SQL that computes *wanted* from *level*; *all_between* when every id between the first and the last is meant."""
    points = sql(_PACKAGE, f"points_{level.value}")
    if all_between:
        points = points.replace(_ONE_OF, "")
    if wanted is Aggregate.RATE:
        if level is not Level.RAW:
            points = f"WITH points AS ({points}) {sql(_PACKAGE, 'newest')}"
        question = "rates"
    else:
        question = "lasts" if wanted is Aggregate.LAST else "steps"
    return f"WITH points AS ({points}) {sql(_PACKAGE, question)}"


def contiguous(sids: list[int]) -> bool:
    """Whether ascending *sids* have no hole."""
    return sids[-1] - sids[0] + 1 == len(sids)


def _parameters(plan: levels.Plan, marks: Marks, sids: list[int], wanted: Aggregate) -> dict[str, object]:
    rate = wanted is Aggregate.RATE
    parameters: dict[str, object] = {
        "first": sids[0],
        "last": sids[-1],
        "start": plan.before if rate else plan.start,
        "end": plan.end,
        "step": plan.step,
        "cap": POINT_LIMIT + 1,
    }
    if not contiguous(sids):
        parameters["sids"] = sids
    if plan.level is not Level.RAW:
        parameters["minute"] = marks.rolled_minute
    if plan.level is Level.HOUR:
        parameters["hour"] = marks.rolled_hour
    if rate:
        parameters |= {"begin": plan.start, "gap": plan.gap}
    return parameters


def _spread(
    database: Database, catalog: SeriesCatalog, marks: Marks, sids: list[int], plan: levels.Plan, *, shape: bool
) -> Spread:
    """Distributions of *sids* by id and step; merged already when the question is large."""
    text = wide_statement(plan.level, shape=shape, all_between=contiguous(sids))
    parameters = _parameters(plan, marks, sids, Aggregate.AVG)
    with database.reading() as cursor:
        if not shape:
            columns = _columns(cursor, text, parameters)
            return _shapeless(columns)
        del parameters["cap"]
        found: list[Spread] = []
        slices = list(_slices(plan, len(sids), min(plan.end, catalog.newest + 1)))
        for start, end in slices:
            table = cursor.sql(text, params=parameters | {"start": start, "end": end}).to_arrow_table()
            part = _whole(table)
            found.append(merged(part, part.keys) if len(slices) > 1 else part)
    return joined(found)


def _slices(plan: levels.Plan, series: int, end: int) -> Iterator[tuple[int, int]]:
    """The plan's window up to *end* in slices of about `_SLICE_ROWS` rows: whole histograms take room on their way."""
    row = levels.width(plan.level) or levels.MICRO
    span = max(_SLICE_ROWS // series * row, -(-(end - plan.start) // _MOST_SLICES // row) * row, row)
    for start in range(plan.start, end, span):
        yield start, min(start + span, plan.end)


def _whole(table: pa.Table) -> Spread:
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    buckets, observed = columns["buckets"], columns["observed"]
    return Spread(
        _numbers(columns["sid"], np.int64),
        _numbers(columns["step"], np.int64),
        _numbers(columns["n"], np.int64),
        _numbers(columns["total"], np.float64),
        _numbers(columns["low"], np.float64),
        _numbers(columns["high"], np.float64),
        _numbers(columns["zero"], np.int64),
        np.concatenate(([0], np.cumsum(_numbers(pc.list_value_length(buckets), np.int64)))),
        _numbers(buckets.flatten(), np.int64),
        _numbers(observed.flatten(), np.int64),
    )


def _numbers(column: pa.Array, kind: type[_N]) -> npt.NDArray[_N]:
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(kind)


def _shapeless(columns: Mapping[str, npt.NDArray[np.float64]]) -> Spread:
    nothing = np.zeros(0, np.int64)
    rows = len(columns["sid"])
    return Spread(
        columns["sid"].astype(np.int64),
        columns["step"].astype(np.int64),
        columns["n"].astype(np.int64),
        columns["total"],
        columns["low"],
        columns["high"],
        np.zeros(rows, np.int64),
        np.zeros(rows + 1, np.int64),
        nothing,
        nothing,
    )


def _columns(cursor: Cursor, text: str, parameters: dict[str, object]) -> Mapping[str, npt.NDArray[np.float64]]:
    return cursor.execute(text, parameters).fetchnumpy()  # type: ignore[return-value]  # no NULL: never a Categorical


def _found(columns: Mapping[str, npt.NDArray[np.float64]], wanted: Aggregate) -> Found:
    sids, steps = columns["sid"].astype(np.int64), columns["step"].astype(np.int64)
    if wanted is Aggregate.RATE:
        return Found(sids, steps, columns["value"], columns["value"], columns["value"])
    low, high = columns["low"], columns["high"]
    if wanted is Aggregate.LAST:
        return Found(sids, steps, columns["value"], low, high)
    return Found(sids, steps, answers.valued(wanted, columns["n"], columns["total"], low, high), low, high)
