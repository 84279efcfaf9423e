"""Answers a range query with one pass of SQL over the level that `perf.store.levels` chose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from perf.model import Aggregate, Level, RangeQuery, Series
from perf.sqlfiles import sql
from perf.store import answers, levels
from perf.store.answers import POINT_LIMIT, Found
from perf.store.catalog import SeriesCatalog
from perf.store.duckdb.connection import Cursor, Database
from perf.store.duckdb.marks import Marks
from perf.store.tail import Tail

_PACKAGE = "perf.store.duckdb"
_ONE_OF = "AND sid IN (SELECT unnest($sids::INTEGER[]))"


def read(
    database: Database, catalog: SeriesCatalog, marks: Marks, query: RangeQuery, tail: Tail | None = None
) -> list[Series]:
    """The answer to *query*, from *tail* when that holds it whole. Raises: QueryError, StoreError when it takes too long."""
    plan = levels.plan(query.window, query.step, marks.kept)
    sids = catalog.matching(query.selector)
    if not sids:
        return []
    wanted = answers.aggregate(query, catalog.metric(query.selector.metric).kind)
    if tail is not None and plan.start >= marks.kept[plan.level]:
        newest = tail.find(sids, plan, wanted)
        if newest is not None:
            return answers.answer(query, plan, catalog, newest)
    parameters = _parameters(plan, marks, sids, wanted)
    with database.reading() as cursor:
        columns = _columns(cursor, statement(plan.level, wanted, all_between=contiguous(sids)), parameters)
    return answers.answer(query, plan, catalog, _found(columns, wanted))


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
