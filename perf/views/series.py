"""Questions about series: ranges, newest values, and pages of raw samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from perf.errors import QueryError
from perf.model import Aggregate, RangeQuery, RowsQuery, Selector, Series, SeriesInfo, Window
from perf.ports import Distant, Store
from perf.selectors import Expression, parse
from perf.timerange import checked_step, step_for

DEFAULT_POINTS = 400
MAX_QUERIES = 50
MAX_NEWS = 100_000
_MINUTE = 60.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a range question got: the *window* with its start on a step, and (index of the query, series) pairs."""

    window: Window
    step: float
    series: list[tuple[int, Series]]


def answer(
    store: Store,
    texts: Sequence[str],
    window: Window,
    *,
    step: float | None = None,
    max_points: int = DEFAULT_POINTS,
    aggregate: Aggregate | None = None,
) -> Answer:
    """Every query of *texts* over *window*; without *step* (seconds) the smallest round one within *max_points*.

    *aggregate* holds for queries that name none themselves.
    Raises: QueryError for a text that can't be understood, or a step that is too fine.
    """
    if not 0 < len(texts) <= MAX_QUERIES:
        raise QueryError(f"ask 1 to {MAX_QUERIES} queries at a time, not {len(texts)}")
    width = checked_step(step, window.seconds) if step else step_for(window.seconds, max_points)
    aligned = Window(math.floor(window.start / width) * width, window.end)
    queries = [range_query(parse(text), aligned, width, aggregate) for text in texts]
    # Elsewhere each question is a way there and back.
    answers = store.reads(queries) if isinstance(store, Distant) else map(store.read, queries)
    found = [(index, series) for index, each in enumerate(answers) for series in each]
    return Answer(window=aligned, step=width, series=found)


def range_query(expression: Expression, window: Window, step: float, aggregate: Aggregate | None) -> RangeQuery:
    """The store's form of *expression*."""
    return RangeQuery(
        selector=expression.selector,
        window=window,
        step=step,
        aggregate=expression.aggregate or aggregate,
        across=expression.across,
        by=expression.by,
    )


def known(store: Store, texts: Sequence[str] = (), search: str = "") -> list[SeriesInfo]:
    """Known series that a selector of *texts* means (all without one) and whose name or labels contain *search*.

    Raises: QueryError for a text that is more than a selector.
    """
    expressions = [parse(text) for text in texts]
    for text, expression in zip(texts, expressions, strict=True):
        if expression.aggregate or expression.across:
            raise QueryError(f"a series is selected by name and labels, without functions: {text!r}", text=text)
    selectors = [expression.selector for expression in expressions]
    part = search.lower()
    return [
        info
        for info in store.series()
        if (not selectors or any(s.matches(info.metric.name, info.labels) for s in selectors))
        and (not part or any(part in text.lower() for text in (info.metric.name, *(v for _, v in info.labels))))
    ]


def newest(store: Store, metric: str, now: float, *, age: float = 60.0) -> list[SeriesInfo]:
    """Series of *metric* with a value not older than *age* seconds at *now*."""
    return [
        info
        for info in store.series()
        if info.metric.name == metric and info.last_ts is not None and now - info.last_ts <= age
    ]


def minutes(window: Window) -> float:
    """A step of whole minutes, in seconds, that cuts *window* into about 400."""
    return max(_MINUTE, round(window.seconds / DEFAULT_POINTS / _MINUTE) * _MINUTE)


def means(store: Store, metric: str, window: Window) -> list[float]:
    """What each series of *metric* that has samples in *window* was on average: the mean of its averages by `minutes`."""
    query = RangeQuery(selector=Selector(metric), window=window, step=minutes(window), aggregate=Aggregate.AVG)
    return [float(series.values.mean()) for series in store.read(query) if len(series.values)]


def news(store: Store, infos: Sequence[SeriesInfo], since: float, now: float) -> dict[int, list[tuple[float, float]]]:
    """Id -> (time, value) of every sample of *infos* from *since* on, in the order of time.

    Raises: QueryError when there are MAX_NEWS or more.
    """
    found: dict[int, list[tuple[float, float]]] = {info.sid: [] for info in infos}
    talking = [info for info in infos if info.last_ts is not None and info.last_ts >= since]
    if not talking:
        return found
    end = max(now, *(info.last_ts or now for info in talking)) + 1.0
    selectors = tuple(Selector(info.metric.name, info.labels) for info in talking)
    rows = store.rows(RowsQuery(window=Window(since, end), selectors=selectors, descending=False, limit=MAX_NEWS))
    if len(rows.ts) >= MAX_NEWS:
        raise QueryError(f"{MAX_NEWS:,} samples or more since then; ask for fewer series, or a later time")
    for ts, sid, value in zip(rows.ts.tolist(), rows.sids.tolist(), rows.values.tolist(), strict=True):
        if sid in found:  # A selector also means the series that have more labels.
            found[sid].append((ts, value))
    return found
