"""Laws of answers over random samples: the stores agree, upkeep changes nothing, and small cases equal brute force."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import (
    Across,
    Aggregate,
    Distributions,
    Histogram,
    HistogramSample,
    Kind,
    Measurement,
    Metric,
    RangeQuery,
    RowOrder,
    Rows,
    RowsQuery,
    Sample,
    Selector,
    Series,
    Window,
)
from perf.ports import MetricStore
from perf.settings import Retention, StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.memory import MemoryStore
from tests.emptystore import empty

pytestmark = pytest.mark.timeout(600)
T0 = 1_700_006_400.0
GAUGE = Metric("load", Kind.GAUGE)
COUNTER = Metric("sent_total", Kind.COUNTER)
WAITED = Metric("wait_seconds", Kind.HISTOGRAM, "s")
SETTINGS = StoreSettings(seal_every=3600.0, retention=Retention(raw=86_400.0, minute=5 * 86_400.0))

# Integers divided by eight sum exactly in any order, so that answers can be compared to the last bit.
values = st.integers(0, 4000).map(lambda number: number / 8)
times = st.one_of(st.integers(0, 400), st.integers(0, 20_000), st.integers(-3 * 3600, 3 * 86_400))
samples = st.builds(
    lambda ts, metric, label, value: Sample(T0 + ts, metric, (("a", label[0]), ("b", label[1])), value),
    times,
    st.sampled_from([GAUGE, COUNTER]),
    st.sampled_from(["xx", "xy", "yx"]),
    values,
)
distributions = st.builds(
    lambda ts, label, observed: HistogramSample(
        T0 + ts, WAITED, (("a", label[0]), ("b", label[1])), Histogram.of(observed)
    ),
    times,
    st.sampled_from(["xx", "xy", "yx"]),
    st.lists(values, min_size=1, max_size=8),
)
measurements = st.one_of(samples, distributions)
batches = st.lists(st.lists(measurements, min_size=1, max_size=25), min_size=1, max_size=6)
steps = st.sampled_from([1.0, 7.0, 30.0, 60.0, 90.0, 300.0, 3600.0, 7200.0])


@st.composite
def queries(draw: st.DrawFn) -> RangeQuery:
    start = draw(st.integers(-4 * 3600, 86_400))
    return RangeQuery(
        selector=Selector(
            draw(st.sampled_from(["load", "sent_total", "wait_seconds"])), draw(st.sampled_from([(), (("a", "x"),)]))
        ),
        window=Window(T0 + start, T0 + start + draw(st.sampled_from([10, 61, 3600, 5000, 4 * 86_400]))),
        step=draw(steps),
        aggregate=draw(st.sampled_from([None, *Aggregate])),
        across=draw(st.sampled_from([None, *Across])),
        by=draw(st.sampled_from([(), ("a",), ("b",)])),
    )


pages = st.builds(
    RowsQuery,
    window=st.just(Window(T0 - 4 * 3600, T0 + 4 * 86_400)),
    selectors=st.sampled_from([(), (Selector("load"),), (Selector("load", (("a", "x"),)), Selector("sent_total"))]),
    search=st.sampled_from(["", "LOAD", "y"]),
    order=st.sampled_from(list(RowOrder)),
    descending=st.booleans(),
    limit=st.integers(1, 30),
    offset=st.integers(0, 40),
)


class Pair:
    """All stores, fed and kept alike."""

    def __init__(self, folder: str) -> None:
        self.clock = ManualClock(T0)
        chosen = msgspec.structs.replace(SETTINGS, path=str(empty(Path(folder) / "perf.duckdb")))
        self.file = DuckDBStore(chosen, self.clock, tail=False)
        live = msgspec.structs.replace(SETTINGS, path=str(empty(Path(folder) / "live.duckdb")))
        self.live = DuckDBStore(live, self.clock)
        self.memory = MemoryStore(SETTINGS, self.clock)
        self.stores: tuple[MetricStore, ...] = (self.file, self.live, self.memory)

    def append(self, batch: list[Measurement]) -> None:
        for store in self.stores:
            store.append(batch)

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)
        for store in self.stores:
            store.maintain(self.clock.now())

    def close(self) -> None:
        for store in self.stores:
            store.close()


def shown(found: list[Series]) -> list[object]:
    return [
        (
            series.metric,
            series.labels,
            series.aggregate,
            series.step,
            series.level,
            series.ts.tolist(),
            *(pytest.approx(column.tolist(), rel=1e-12) for column in (series.values, series.low, series.high)),
        )
        for series in found
    ]


def answered(store: MetricStore, query: RangeQuery, form: Callable[[list[Series]], list[object]]) -> object:
    """The answer, or why there is none."""
    try:
        return form(store.read(query))
    except QueryError as error:
        return str(error)


def observed(store: MetricStore, query: RangeQuery) -> list[object]:
    """All distributions of *query* as plain values; sums of eighths are exact."""
    chosen = msgspec.structs.replace(query, selector=Selector("wait_seconds", query.selector.labels), aggregate=None)
    across = Across.MERGE if query.across else None
    return [
        [column.tolist() if hasattr(column, "tolist") else column for column in msgspec.structs.astuple(found)]
        for found in store.distributions(msgspec.structs.replace(chosen, across=across))
    ]


def plain(found: list[Series]) -> list[object]:
    return [
        (
            series.metric,
            series.labels,
            series.aggregate,
            series.step,
            series.level,
            series.ts.tolist(),
            series.values.tolist(),
            series.low.tolist(),
            series.high.tolist(),
        )
        for series in found
    ]


def page(found: Rows) -> object:
    return found.ts.tolist(), found.sids.tolist(), found.values.tolist(), found.series, found.total, found.capped


@settings(max_examples=40)
@given(batches, st.lists(st.integers(0, 30_000), min_size=6, max_size=6), st.lists(queries(), max_size=8), pages)
def test_stores_agree_whatever_is_late_repeated_or_reset(
    given_batches: list[list[Measurement]], pauses: list[int], asked: list[RangeQuery], asked_page: RowsQuery
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(folder)
        try:
            for batch, pause in zip(given_batches, pauses, strict=False):
                pair.append(batch)
                pair.move(pause)
            for query in asked:
                assert answered(pair.file, query, plain) == answered(pair.memory, query, shown), query
                assert answered(pair.live, query, plain) == answered(pair.memory, query, shown), query
                assert observed(pair.file, query) == observed(pair.memory, query), query
            assert page(pair.file.rows(asked_page)) == page(pair.memory.rows(asked_page))
            assert pair.file.series() == pair.memory.series()
        finally:
            pair.close()


@settings(max_examples=25)
@given(batches, st.integers(0, 8), st.lists(queries(), min_size=1, max_size=6))
def test_upkeep_and_reopening_change_no_answer(
    given_batches: list[list[Measurement]], hours: int, asked: list[RangeQuery]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock(T0)
        chosen = StoreSettings(path=str(empty(Path(folder) / "perf.duckdb")), seal_every=3600.0)
        store = DuckDBStore(chosen, clock, tail=False)
        try:
            for batch in given_batches:
                store.append(batch)
            before = [(answered(store, query, shown), observed(store, query)) for query in asked]
            for _ in range(hours):
                clock.move(3 * 3600)
                store.maintain(clock.now())
                assert [(answered(store, query, plain), observed(store, query)) for query in asked] == before
            known = store.series()
            store.close()
            store = DuckDBStore(chosen, clock, tail=False)
            assert [(answered(store, query, plain), observed(store, query)) for query in asked] == before
            assert [(info.sid, info.metric, info.last_ts) for info in store.series()] == [
                (info.sid, info.metric, info.last_ts) for info in known
            ]
        finally:
            store.close()


@settings(max_examples=60)
@given(st.lists(samples, min_size=1, max_size=60), st.sampled_from([1.0, 7.0, 30.0, 90.0]), st.integers(-3600, 20_000))
def test_raw_answers_equal_brute_force(given_samples: list[Sample], step: float, start: int) -> None:
    window = Window(T0 + start, T0 + start + 5000)
    store = MemoryStore(SETTINGS, ManualClock(T0))
    store.append(given_samples)
    mean = RangeQuery(selector=Selector("load"), window=window, step=step)
    rate = RangeQuery(selector=Selector("sent_total"), window=window, step=step)
    assert {(s.labels, t): v for s in store.read(mean) for t, v in zip(s.ts, s.values, strict=True)} == pytest.approx(
        _means(given_samples, window, step)
    )
    assert {(s.labels, t): v for s in store.read(rate) for t, v in zip(s.ts, s.values, strict=True)} == pytest.approx(
        _rates(given_samples, window, step)
    )


def _means(given_samples: list[Sample], window: Window, step: float) -> dict[object, float]:
    inside: dict[object, list[float]] = defaultdict(list)
    for sample in given_samples:
        if sample.metric is GAUGE and window.start <= sample.ts < window.end:
            inside[sample.labels, sample.ts // step * step].append(sample.value)
    return {key: sum(numbers) / len(numbers) for key, numbers in inside.items()}


def _rates(given_samples: list[Sample], window: Window, step: float) -> dict[object, float]:
    increases: dict[object, float] = defaultdict(float)
    seconds: dict[object, float] = defaultdict(float)
    for labels in {sample.labels for sample in given_samples}:
        points = sorted((s.ts, s.value) for s in given_samples if s.metric is COUNTER and s.labels == labels)
        for (before_ts, before), (ts, value) in pairwise(points):
            if ts - before_ts <= 300 and window.start <= ts < window.end:
                key = (labels, ts // step * step)
                increases[key] += value - before if value >= before else value
                seconds[key] += ts - before_ts
    return {key: increases[key] / seconds[key] for key in increases if seconds[key]}


@settings(max_examples=25)
@given(batches, st.sampled_from([Aggregate.MIN, Aggregate.MAX, Aggregate.SUM, Aggregate.COUNT, Aggregate.LAST]))
def test_levels_agree_where_the_step_is_a_multiple(
    given_batches: list[list[Measurement]], aggregate: Aggregate
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock(T0)
        chosen = msgspec.structs.replace(SETTINGS, path=str(empty(Path(folder) / "perf.duckdb")))
        store = DuckDBStore(chosen, clock, tail=False)
        try:
            for batch in given_batches:
                store.append(batch)
                clock.move(20)
                store.maintain(clock.now())
            window = Window(T0, T0 + 7200)

            def asked(step: float) -> dict[object, list[float]]:
                query = RangeQuery(selector=Selector("load"), window=window, step=step, aggregate=aggregate)
                return {s.labels: s.values.tolist() for s in store.read(query)}

            wholes: dict[Aggregate, Callable[[list[float]], float]] = {
                Aggregate.MIN: min,
                Aggregate.MAX: max,
                Aggregate.SUM: sum,
                Aggregate.COUNT: sum,
                Aggregate.LAST: lambda numbers: numbers[-1],
            }
            whole = wholes[aggregate]
            for fine in (30.0, 60.0, 3600.0):
                assert {key: whole(numbers) for key, numbers in asked(fine).items()} == {
                    key: numbers[0] for key, numbers in asked(7200.0).items()
                }
        finally:
            store.close()


@settings(max_examples=25)
@given(st.lists(distributions, min_size=1, max_size=40), st.integers(0, 3), st.sampled_from([30.0, 60.0, 3600.0]))
def test_merging_is_exact_across_time_levels_and_series(
    given_samples: list[HistogramSample], turns: int, step: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(folder)
        try:
            pair.append(list(given_samples[::2]))
            for _ in range(turns):
                pair.move(4 * 3600)
            pair.append(list(given_samples[1::2]) or [given_samples[0]])
            every = given_samples if len(given_samples) > 1 else given_samples * 2
            for store in pair.stores:
                for by in ((), ("a",)):
                    query = RangeQuery(
                        selector=Selector("wait_seconds"),
                        window=Window(T0 - 4 * 3600, T0 + 4 * 86_400),
                        step=step,
                        across=Across.MERGE,
                        by=by,
                    )
                    found = {series.labels: _whole(series) for series in store.distributions(query)}
                    assert found == _union(every, by)
        finally:
            pair.close()


def _whole(found: Distributions) -> Histogram:
    counts = found.buckets.sum(axis=0).tolist()
    return Histogram(
        count=int(found.count.sum()),
        total=float(found.total.sum()),
        low=float(found.low.min()),
        high=float(found.high.max()),
        zero=int(found.zero.sum()),
        buckets={found.first + place: count for place, count in enumerate(counts) if count},
    )


def _union(given_samples: list[HistogramSample], by: tuple[str, ...]) -> dict[object, Histogram]:
    union: dict[object, Histogram] = {}
    for sample in given_samples:
        key = tuple(pair for pair in sample.labels if pair[0] in by)
        union[key] = union[key].merged(sample.histogram) if key in union else sample.histogram
    return union
