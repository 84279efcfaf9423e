"""Turns columns that a store found into the answer of a question. Pure; shared by the stores so that they can't differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from perf.errors import QueryError
from perf.model import (
    Across,
    Aggregate,
    Array,
    Distributions,
    Kind,
    Labels,
    Metric,
    RangeQuery,
    Rows,
    RowsQuery,
    Series,
)
from perf.store.catalog import SeriesCatalog
from perf.store.levels import MICRO, Plan
from perf.store.spread import Spread, merged, quantiles

POINT_LIMIT = 2_000_000
"""Steps x series that one answer may hold; 2 million take 110 MB on their way."""

CELL_LIMIT = 8_000_000
"""Steps x buckets x series that one answer may hold."""

COUNT_CAP = 10_000
"""How far the rows of a page's question are counted."""
PAGE_LIMIT = 100_000
EXEMPLAR_LIMIT = 10_000


class Found(msgspec.Struct, frozen=True):
    """One row per series and step, in any order, as columns (n,): id, start of the step (microseconds), value, extremes."""

    sids: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    values: Array
    low: Array
    high: Array


def aggregate(query: RangeQuery, kind: Kind) -> Aggregate:
    """What *query* asks for; by default the natural one of *kind*."""
    return query.aggregate or (Aggregate.RATE if kind is Kind.COUNTER else Aggregate.AVG)


def check(query: RangeQuery, metric: Metric) -> Aggregate:
    """What *query* asks of *metric*. Raises: QueryError when that would say nothing, such as an average of percentiles."""
    wanted = aggregate(query, metric.kind)
    wide = metric.kind is Kind.HISTOGRAM
    if wanted.quantile is not None and not wide:
        raise QueryError(f"{metric.name}: a {metric.kind} has no percentiles; they come from distributions")
    if wanted is Aggregate.LAST and wide:
        raise QueryError(f"{metric.name}: a distribution has no last value; ask for p50, p95, p99, avg, count, ...")
    if wanted.quantile is not None and query.across not in (None, Across.MERGE):
        raise QueryError(
            f"{metric.name}: percentiles can't be combined by {query.across}; "
            f"{wanted}(...) or {wanted} by (label) (...) merges the distributions first"
        )
    if query.across is Across.MERGE and wanted.quantile is None:
        raise QueryError(f"{metric.name}: only percentiles are asked of merged distributions, not {wanted}")
    if wide and wanted is Aggregate.AVG and query.across is Across.SUM:
        raise QueryError(f"{metric.name}: a sum of averages says nothing; ask for sum(sum_over_time(...)) or avg(...)")
    return wanted


def check_distributions(query: RangeQuery, catalog: SeriesCatalog, sids: Sequence[int]) -> None:
    """Raises: QueryError when *query*, which means *sids*, isn't about distributions or doesn't merge them."""
    if query.across not in (None, Across.MERGE):
        raise QueryError(f"{query.selector.metric}: distributions are merged, or each by itself; not {query.across}")
    if sids and catalog.metric(query.selector.metric).kind is not Kind.HISTOGRAM:
        raise QueryError(f"{query.selector.metric} is not a distribution")


def valued(wanted: Aggregate, n: Array, total: Array, low: Array, high: Array) -> Array:
    """The aggregate of steps (n,) from their counts, sums and extremes; LAST and RATE can't be had from these."""
    if wanted is Aggregate.AVG:
        # A mean of equal numbers must not leave their range by a rounding error.
        return np.clip(total / n, low, high)
    return {Aggregate.SUM: total, Aggregate.COUNT: n, Aggregate.MIN: low, Aggregate.MAX: high}[wanted]


def answer(query: RangeQuery, plan: Plan, catalog: SeriesCatalog, found: Found) -> list[Series]:
    """The series of *query*, each sorted by time: one per series by id, or one per group by labels.

    Raises: QueryError when there are more than `POINT_LIMIT` points.
    """
    if len(found.sids) > POINT_LIMIT:
        raise QueryError(f"{query.selector.metric}: more than {POINT_LIMIT:,} points; ask for a coarser step")
    if not len(found.sids):
        return []
    if query.across is None:
        order = np.lexsort((found.steps, found.sids))
        labels = {sid: catalog.entry(sid).labels for sid in np.unique(found.sids).tolist()}
        return list(_series(query, plan, catalog, _taken(found, order), labels))
    groups, labels = _groups(catalog, found.sids, query.by)
    grouped = _combined(msgspec.structs.replace(found, sids=groups), query.across)
    return list(_series(query, plan, catalog, grouped, labels))


def of_distributions(query: RangeQuery, plan: Plan, catalog: SeriesCatalog, parts: Spread) -> list[Series]:
    """The series of *query* from distributions by id and step, in any order, several a step.

    Raises: QueryError when there are more than `POINT_LIMIT` points.
    """
    wanted = aggregate(query, Kind.HISTOGRAM)
    if len(parts) and (query.across is Across.MERGE or (query.across is Across.AVG and wanted is Aggregate.AVG)):
        groups, labels = _groups(catalog, parts.keys, query.by)
        whole = merged(parts, groups)
        return list(_series(query, plan, catalog, _found(query, plan, catalog, whole), labels))
    return answer(query, plan, catalog, _found(query, plan, catalog, merged(parts, parts.keys)))


def distributions(query: RangeQuery, plan: Plan, catalog: SeriesCatalog, parts: Spread) -> list[Distributions]:
    """What every series of *query*, or group of them, observed; *parts* as in `of_distributions`.

    Raises: QueryError when there are more than `CELL_LIMIT` counters.
    """
    if not len(parts):
        return []
    labels: dict[int, Labels]
    if query.across is None:
        groups, labels = parts.keys, {sid: catalog.entry(sid).labels for sid in np.unique(parts.keys).tolist()}
    else:
        groups, labels = _groups(catalog, parts.keys, query.by)
    whole = merged(parts, groups)
    width = int(np.ptp(whole.buckets)) + 1 if len(whole.buckets) else 0
    if len(whole) * width > CELL_LIMIT:
        raise QueryError(f"{query.selector.metric}: more than {CELL_LIMIT:,} counters; ask for a coarser step")
    metric = catalog.metric(query.selector.metric)
    return [
        _distributions(metric, plan, labels[int(whole.keys[begin])], whole, begin, end)
        for begin, end in _cuts(whole.keys)
    ]


def check_page(query: RowsQuery) -> None:
    """Raises: QueryError when limit or offset is out of range."""
    if not (1 <= query.limit <= PAGE_LIMIT and query.offset >= 0):
        raise QueryError(
            f"a page has 1 to {PAGE_LIMIT:,} rows at an offset from 0, not {query.limit} at {query.offset}"
        )


def check_exemplars(limit: int) -> None:
    """Raises: QueryError when *limit* is out of range."""
    if not 1 <= limit <= EXEMPLAR_LIMIT:
        raise QueryError(f"1 to {EXEMPLAR_LIMIT:,} slow calls can be asked for, not {limit}")


def page(found: Sequence[Sequence[float]], catalog: SeriesCatalog, total: int) -> Rows:
    """Rows of (microseconds, id, value) as a page; *total* as counted, up to one more than `COUNT_CAP`."""
    columns = np.array(found, np.float64).reshape(-1, 3)
    sids = columns[:, 1].astype(np.int32)
    return Rows(
        ts=columns[:, 0] / MICRO,
        sids=sids,
        values=columns[:, 2].copy(),
        series={sid: catalog.info(sid) for sid in np.unique(sids).tolist()},
        total=min(total, COUNT_CAP),
        capped=total > COUNT_CAP,
    )


def _groups(
    catalog: SeriesCatalog, sids: npt.NDArray[np.int64], by: Sequence[str]
) -> tuple[npt.NDArray[np.int64], dict[int, Labels]]:
    """Number of the group of every row (n,), and the labels of each group; numbered in the order of their labels."""
    present, inverse = np.unique(sids, return_inverse=True)
    kept = [tuple(pair for pair in catalog.entry(sid).labels if pair[0] in by) for sid in present.tolist()]
    names = sorted(set(kept))
    number = {labels: index for index, labels in enumerate(names)}
    of_series = np.array([number[labels] for labels in kept], np.int64)
    return of_series[inverse], dict(enumerate(names))


def _combined(found: Found, across: Across) -> Found:
    """One row per group and step; the extremes are combined the way the values are."""
    order = np.lexsort((found.steps, found.sids))
    sorted_ = _taken(found, order)
    change = (np.diff(sorted_.sids) != 0) | (np.diff(sorted_.steps) != 0)
    starts = np.flatnonzero(np.concatenate(([True], change)))
    counts = np.diff(np.concatenate((starts, [len(order)])))
    return Found(
        sorted_.sids[starts],
        sorted_.steps[starts],
        _reduced(sorted_.values, starts, counts, across),
        _reduced(sorted_.low, starts, counts, across),
        _reduced(sorted_.high, starts, counts, across),
    )


def _reduced(values: Array, starts: npt.NDArray[np.intp], counts: npt.NDArray[np.intp], across: Across) -> Array:
    if across is Across.MIN:
        return np.asarray(np.minimum.reduceat(values, starts))
    if across is Across.MAX:
        return np.asarray(np.maximum.reduceat(values, starts))
    total = np.asarray(np.add.reduceat(values, starts))
    return total if across is Across.SUM else total / counts


def _taken(found: Found, order: npt.NDArray[np.intp]) -> Found:
    return Found(found.sids[order], found.steps[order], found.values[order], found.low[order], found.high[order])


def _series(
    query: RangeQuery, plan: Plan, catalog: SeriesCatalog, found: Found, labels: dict[int, Labels]
) -> Iterator[Series]:
    """Cut sorted rows into series."""
    metric = catalog.metric(query.selector.metric)
    for begin, end in _cuts(found.sids):
        yield Series(
            metric=metric,
            labels=labels[int(found.sids[begin])],
            aggregate=aggregate(query, metric.kind),
            step=plan.step / MICRO,
            level=plan.level,
            ts=found.steps[begin:end] / MICRO,
            values=found.values[begin:end],
            low=found.low[begin:end],
            high=found.high[begin:end],
        )


def _cuts(keys: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Begin and end of every run of equal *keys* (n,), of which there is at least one."""
    bounds = np.flatnonzero(np.diff(keys)) + 1
    return zip([0, *bounds.tolist()], [*bounds.tolist(), len(keys)], strict=True)


def _found(query: RangeQuery, plan: Plan, catalog: SeriesCatalog, whole: Spread) -> Found:
    """The wanted number of every merged distribution."""
    wanted = aggregate(query, Kind.HISTOGRAM)
    low, high = whole.low, whole.high
    if wanted.quantile is not None:
        values = quantiles(whole, wanted.quantile)
    elif wanted is Aggregate.RATE:
        values = low = high = whole.n / _covered(plan, catalog.newest, whole.times)
    else:
        values = valued(wanted, whole.n.astype(np.float64), whole.total, low, high)
    return Found(whole.keys, whole.times, values, low, high)


def _covered(plan: Plan, newest: int, steps: npt.NDArray[np.int64]) -> Array:
    """Seconds of each step (n,) that the window and time so far cover: the newest step is still filling."""
    end = np.minimum(steps + plan.step, min(plan.end, newest + MICRO))
    return np.asarray(np.maximum(end - np.maximum(steps, plan.start), min(plan.step, MICRO)) / MICRO)


def _distributions(metric: Metric, plan: Plan, labels: Labels, whole: Spread, begin: int, end: int) -> Distributions:
    """The rows of *whole* from *begin* to *end*, their buckets as a matrix."""
    rows = slice(begin, end)
    entries = slice(int(whole.offsets[begin]), int(whole.offsets[end]))
    buckets = whole.buckets[entries]
    first = int(buckets.min()) if len(buckets) else 0
    matrix = np.zeros((end - begin, int(buckets.max()) - first + 1 if len(buckets) else 0), np.int64)
    matrix[np.repeat(np.arange(end - begin), np.diff(whole.offsets[begin : end + 1])), buckets - first] = (
        whole.observed[entries]
    )
    return Distributions(
        metric=metric,
        labels=labels,
        step=plan.step / MICRO,
        level=plan.level,
        ts=whole.times[rows] / MICRO,
        count=whole.n[rows],
        total=whole.total[rows],
        low=whole.low[rows],
        high=whole.high[rows],
        zero=whole.zero[rows],
        first=first,
        buckets=matrix,
    )
