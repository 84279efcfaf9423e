"""What every store promises, asked of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from perf.clock import ManualClock
from perf.errors import QueryError, StoreClosed, StoreError
from perf.model import (
    Across,
    Aggregate,
    Annotation,
    Change,
    Exemplar,
    Histogram,
    HistogramSample,
    Kind,
    Labels,
    Level,
    Metric,
    RangeQuery,
    RowOrder,
    RowsQuery,
    Sample,
    Selector,
    Window,
)
from perf.plugins import STORES, resolve
from perf.ports import Clock, MetricStore
from perf.settings import Retention, StoreSettings
from perf.store.duckdb import DuckDBStore
from tests.emptystore import empty
from tests.owners import Owners

T0 = 1_700_006_400.0  # a multiple of a day: 2023-11-15
CPU = Metric("cpu_percent", Kind.GAUGE, "%", "How busy")
SENT = Metric("sent_bytes_total", Kind.COUNTER, "By")
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
DAY = 86_400.0

Opener = Callable[[StoreSettings], MetricStore]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


MAKERS: dict[str, Callable[[StoreSettings, Clock], MetricStore]] = {
    **{name: resolve("store", name, STORES) for name in sorted(STORES)},
    "duckdb without tail": lambda settings, clock: DuckDBStore(settings, clock, tail=False),
}


@pytest.fixture(params=sorted(MAKERS))
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, owners: Owners) -> Iterator[Opener]:
    stores: list[MetricStore] = []
    make = owners.store if request.param == "remote" else MAKERS[request.param]

    def open_(settings: StoreSettings) -> MetricStore:
        path = empty(tmp_path / f"{len(stores)}.duckdb")
        chosen = msgspec.structs.replace(settings, path=str(path))
        stores.append(make(chosen, clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Opener) -> MetricStore:
    return opened(StoreSettings())


def cpu(ts: float, value: float, core: str = "0") -> Sample:
    return Sample(T0 + ts, CPU, (("core", core),), value)


def sent(ts: float, value: float, device: str = "eth0") -> Sample:
    return Sample(T0 + ts, SENT, (("device", device),), value)


def wait(ts: float, *observed: float, route: str = "/a") -> HistogramSample:
    return HistogramSample(T0 + ts, WAIT, (("route", route),), Histogram.of(observed))


def ask(
    store: MetricStore,
    metric: Metric,
    start: float,
    end: float,
    *,
    step: float = 10.0,
    aggregate: Aggregate | None = None,
    across: Across | None = None,
    by: tuple[str, ...] = (),
    labels: Labels = (),
) -> list[tuple[Labels, dict[float, float]]]:
    """Labels and {seconds after T0: value} of every series."""
    query = RangeQuery(
        selector=Selector(metric.name, labels),
        window=Window(T0 + start, T0 + end),
        step=step,
        aggregate=aggregate,
        across=across,
        by=by,
    )
    return [
        (series.labels, dict(zip((series.ts - T0).tolist(), series.values.tolist(), strict=True)))
        for series in store.read(query)
    ]


def settle(store: MetricStore, clock: ManualClock, seconds: float, turn: float = 6 * 3600.0) -> None:
    """Let *seconds* pass with upkeep now and then."""
    end = clock.now() + seconds
    while clock.now() < end:
        clock.move(min(turn, end - clock.now()))
        store.maintain(clock.now())


def test_window_is_half_open(store: MetricStore) -> None:
    store.append([cpu(0, 1), cpu(5, 2), cpu(10, 4)])
    assert ask(store, CPU, 0, 10, step=100) == [((("core", "0"),), {0.0: 1.5})]


def test_steps_are_aligned_to_the_epoch_and_absent_when_empty(store: MetricStore) -> None:
    store.append([cpu(3, 1), cpu(19, 2), cpu(41, 3)])
    assert ask(store, CPU, 3, 50, step=10) == [((("core", "0"),), {0.0: 1.0, 10.0: 2.0, 40.0: 3.0})]


def test_times_are_kept_to_the_microsecond(store: MetricStore) -> None:
    store.append([cpu(0.1234564, 1)])
    rows = store.rows(RowsQuery(window=Window(T0, T0 + 1)))
    assert rows.ts.tolist() == [T0 + 0.123456]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate.AVG, 4.0),
        (Aggregate.MIN, 1.0),
        (Aggregate.MAX, 8.0),
        (Aggregate.SUM, 12.0),
        (Aggregate.LAST, 3.0),
        (Aggregate.COUNT, 3.0),
    ],
)
def test_aggregates_of_one_step(store: MetricStore, aggregate: Aggregate, expected: float) -> None:
    store.append([cpu(1, 1), cpu(2, 8), cpu(3, 3)])
    (series,) = store.read(
        RangeQuery(selector=Selector(CPU.name), window=Window(T0, T0 + 10), step=10, aggregate=aggregate)
    )
    assert (series.values.tolist(), series.low.tolist(), series.high.tolist()) == ([expected], [1.0], [8.0])


def test_gauges_answer_averages_and_counters_rates(store: MetricStore) -> None:
    store.append([cpu(0, 1), sent(0, 0), sent(10, 50)])
    window = Window(T0, T0 + 20)
    (gauge,) = store.read(RangeQuery(selector=Selector(CPU.name), window=window, step=20))
    (counter,) = store.read(RangeQuery(selector=Selector(SENT.name), window=window, step=20))
    assert (gauge.aggregate, counter.aggregate) == (Aggregate.AVG, Aggregate.RATE)
    assert counter.values.tolist() == counter.low.tolist() == counter.high.tolist() == [5.0]


def test_rate_counts_the_new_value_after_a_reset(store: MetricStore) -> None:
    store.append([sent(0, 100), sent(10, 130), sent(20, 20), sent(30, 40)])
    assert ask(store, SENT, 0, 40, step=40) == [((("device", "eth0"),), {0.0: (30 + 20 + 20) / 30})]


def test_rate_counts_the_pair_that_straddles_the_start(store: MetricStore) -> None:
    store.append([sent(-5, 0), sent(5, 20), sent(10, 30)])
    assert ask(store, SENT, 0, 20, step=10) == [((("device", "eth0"),), {0.0: 2.0, 10.0: 2.0})]


def test_rate_gives_nothing_across_a_gap(store: MetricStore) -> None:
    store.append([sent(0, 0), sent(10, 10), sent(311, 1000), sent(321, 1020)])
    assert ask(store, SENT, 0, 400, step=10) == [((("device", "eth0"),), {10.0: 1.0, 320.0: 2.0})]


def test_rate_pairs_reach_over_five_minutes_exactly(store: MetricStore) -> None:
    store.append([sent(0, 0), sent(300, 600)])
    assert ask(store, SENT, 0, 400, step=10) == [((("device", "eth0"),), {300.0: 2.0})]


@pytest.mark.parametrize(
    ("across", "expected"),
    [
        (Across.SUM, {0.0: 30.0, 10.0: 5.0}),
        (Across.AVG, {0.0: 15.0, 10.0: 5.0}),
        (Across.MIN, {0.0: 10.0, 10.0: 5.0}),
        (Across.MAX, {0.0: 20.0, 10.0: 5.0}),
    ],
)
def test_a_series_without_a_sample_takes_no_part_in_a_step(
    store: MetricStore, across: Across, expected: dict[float, float]
) -> None:
    store.append([cpu(1, 10, "0"), cpu(2, 20, "1"), cpu(12, 5, "1")])
    assert ask(store, CPU, 0, 20, across=across) == [((), expected)]


def test_labels_in_by_keep_groups_apart(store: MetricStore) -> None:
    def disk(device: str, way: str, value: float) -> Sample:
        return Sample(T0, CPU, (("device", device), ("way", way)), value)

    store.append([disk("b", "in", 1), disk("a", "in", 2), disk("a", "out", 4)])
    assert ask(store, CPU, 0, 10, across=Across.SUM, by=("device",)) == [
        ((("device", "a"),), {0.0: 6.0}),
        ((("device", "b"),), {0.0: 1.0}),
    ]


def test_selector_labels_must_match(store: MetricStore) -> None:
    store.append([cpu(0, 1, "0"), cpu(0, 2, "1")])
    assert ask(store, CPU, 0, 10, labels=(("core", "1"),)) == [((("core", "1"),), {0.0: 2.0})]


def test_unknown_metric_has_no_series(store: MetricStore) -> None:
    assert ask(store, CPU, 0, 10) == []


def test_series_without_samples_in_the_window_is_absent(store: MetricStore) -> None:
    store.append([cpu(0, 1, "0"), cpu(100, 2, "1")])
    assert ask(store, CPU, 0, 10) == [((("core", "0"),), {0.0: 1.0})]


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_step_must_be_a_positive_duration(store: MetricStore, step: float) -> None:
    store.append([cpu(0, 1)])
    with pytest.raises(QueryError):
        ask(store, CPU, 0, 10, step=step)


def test_of_two_samples_of_one_time_both_count_and_the_larger_is_last(store: MetricStore) -> None:
    store.append([cpu(0, 7), cpu(0, 3)])
    assert ask(store, CPU, 0, 10, aggregate=Aggregate.COUNT) == [((("core", "0"),), {0.0: 2.0})]
    assert ask(store, CPU, 0, 10, aggregate=Aggregate.LAST) == [((("core", "0"),), {0.0: 7.0})]


@pytest.mark.parametrize(("step", "level"), [(59, Level.RAW), (60, Level.MINUTE), (90, Level.RAW), (7200, Level.HOUR)])
def test_coarsest_level_that_divides_the_step_answers(store: MetricStore, step: float, level: Level) -> None:
    store.append([cpu(0, 1)])
    (series,) = store.read(RangeQuery(selector=Selector(CPU.name), window=Window(T0, T0 + 7200), step=step))
    assert (series.level, series.step) == (level, step)


def test_question_beyond_raw_retention_is_answered_from_minutes_with_a_coarser_step(
    opened: Opener, clock: ManualClock
) -> None:
    store = opened(StoreSettings(seal_every=3600.0, retention=Retention(raw=DAY)))
    store.append([cpu(0, 1), cpu(30, 3), cpu(60, 5)])
    settle(store, clock, 2 * DAY)
    (series,) = store.read(RangeQuery(selector=Selector(CPU.name), window=Window(T0, T0 + 300), step=25))
    assert (series.level, series.step, series.ts.tolist(), series.values.tolist()) == (
        Level.MINUTE,
        60.0,
        [T0, T0 + 60],
        [2.0, 5.0],
    )
    assert len(store.rows(RowsQuery(window=Window(T0, T0 + 300))).ts) == 0


def test_question_beyond_minute_retention_is_answered_from_hours(opened: Opener, clock: ManualClock) -> None:
    store = opened(StoreSettings(seal_every=3600.0, retention=Retention(raw=DAY, minute=2 * DAY)))
    store.append([cpu(0, 1), cpu(1800, 3), cpu(3600, 5)])
    settle(store, clock, 5 * DAY)
    (series,) = store.read(RangeQuery(selector=Selector(CPU.name), window=Window(T0, T0 + 7200), step=25))
    assert (series.level, series.step, series.values.tolist()) == (Level.HOUR, 3600.0, [2.0, 5.0])


def test_hours_expire_too(opened: Opener, clock: ManualClock) -> None:
    store = opened(StoreSettings(seal_every=3600.0, retention=Retention(raw=DAY, minute=DAY, hour=2 * DAY)))
    store.append([cpu(0, 1)])
    settle(store, clock, 5 * DAY)
    assert ask(store, CPU, 0, 7200, step=3600) == []
    assert [level.rows for level in store.usage().levels] == [0, 0, 0]


def test_late_samples_are_counted_once_at_every_level(store: MetricStore, clock: ManualClock) -> None:
    store.append([cpu(0, 1), cpu(3601, 7)])
    settle(store, clock, 7300)
    store.append([cpu(30, 5), cpu(10, 3)])
    settle(store, clock, DAY)
    for step in (30, 60, 3600, 7200):
        ((_, counts),) = ask(store, CPU, 0, 7200, step=step, aggregate=Aggregate.COUNT)
        ((_, sums),) = ask(store, CPU, 0, 7200, step=step, aggregate=Aggregate.SUM)
        assert (sum(counts.values()), sum(sums.values())) == (4.0, 16.0), step
    assert ask(store, CPU, 0, 3600, step=3600, aggregate=Aggregate.LAST)[0][1] == {0.0: 5.0}


def test_brief_jump_of_the_clock_deletes_nothing(store: MetricStore, clock: ManualClock) -> None:
    store.append([cpu(0, 1)])
    store.maintain(clock.now())
    clock.jump(400 * DAY)
    store.maintain(clock.now())
    assert "clock" in " ".join(store.usage().problems)
    clock.jump(-400 * DAY)
    clock.move(60)
    store.append([cpu(60, 3)])
    store.maintain(clock.now())
    assert ask(store, CPU, 0, 120, step=10) == [((("core", "0"),), {0.0: 1.0, 60.0: 3.0})]
    assert store.usage().problems == ()


def test_clock_that_goes_back_loses_and_doubles_nothing(store: MetricStore, clock: ManualClock) -> None:
    store.append([cpu(second, 1) for second in range(0, 7200, 60)])
    settle(store, clock, 7200, turn=600)
    clock.jump(-3600)
    store.append([cpu(second + 30, 1) for second in range(3600, 7200, 60)])
    settle(store, clock, 8 * 3600, turn=600)
    for step in (30, 60, 3600):
        ((_, counts),) = ask(store, CPU, 0, 7200, step=step, aggregate=Aggregate.COUNT)
        assert sum(counts.values()) == 180.0, step


def test_first_kind_and_unit_of_a_metric_stay(store: MetricStore) -> None:
    store.append([cpu(0, 1)])
    store.append([Sample(T0 + 1, Metric(CPU.name, Kind.COUNTER, "s"), (("core", "1"),), 2.0)])
    assert [info.metric for info in store.series()] == [CPU, CPU]
    (problem,) = store.usage().problems
    assert "cpu_percent" in problem


def test_series_tells_identity_and_the_newest_sample(store: MetricStore) -> None:
    store.append([cpu(5, 2), sent(1, 10)])
    store.append([cpu(3, 9)])
    first, second = store.series()
    assert (first.metric, first.labels, first.first_seen, first.last_ts, first.last_value) == (
        CPU,
        (("core", "0"),),
        T0 + 5,
        T0 + 5,
        2.0,
    )
    assert (second.metric, second.last_value) == (SENT, 10.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_batch_with_an_unusable_value_is_refused_whole(store: MetricStore, bad: float) -> None:
    with pytest.raises(StoreError, match="cpu_percent"):
        store.append([sent(0, 1), cpu(0, bad)])
    assert store.series() == []


def test_a_time_outside_the_calendar_is_refused(store: MetricStore) -> None:
    with pytest.raises(StoreError, match="cpu_percent"):
        store.append([Sample(1e15, CPU, (), 1.0)])


def test_an_empty_batch_is_nothing(store: MetricStore) -> None:
    store.append([])
    assert store.series() == []


def test_rows_page_in_time_order_newest_first(store: MetricStore) -> None:
    store.append([cpu(second, second) for second in range(500)])
    window = Window(T0, T0 + 500)
    rows = store.rows(RowsQuery(window=window, limit=3, offset=100))
    assert (rows.values.tolist(), rows.total, rows.capped) == ([399.0, 398.0, 397.0], 500, False)
    assert rows.series[int(rows.sids[0])].metric == CPU
    rows = store.rows(RowsQuery(window=window, limit=2, descending=False))
    assert rows.values.tolist() == [0.0, 1.0]


def test_rows_page_by_value_and_by_metric(store: MetricStore) -> None:
    store.append([sent(0, 9), sent(1, 3), cpu(0, 5, "1"), cpu(0, 7, "0")])
    window = Window(T0, T0 + 10)

    def values(order: RowOrder, *, descending: bool) -> list[float]:
        return list(store.rows(RowsQuery(window=window, order=order, descending=descending)).values)

    assert values(RowOrder.VALUE, descending=True) == [9.0, 7.0, 5.0, 3.0]
    assert values(RowOrder.METRIC, descending=False) == [7.0, 5.0, 9.0, 3.0]
    assert values(RowOrder.METRIC, descending=True) == [3.0, 9.0, 5.0, 7.0]


def test_rows_search_names_and_label_values_in_any_case(store: MetricStore) -> None:
    store.append([cpu(0, 1), sent(0, 2, "WLAN0"), sent(0, 3, "eth0")])
    window = Window(T0, T0 + 10)
    assert store.rows(RowsQuery(window=window, search="CPU")).values.tolist() == [1.0]
    assert store.rows(RowsQuery(window=window, search="wlan")).values.tolist() == [2.0]
    assert store.rows(RowsQuery(window=window, search="core")).values.tolist() == []
    chosen = RowsQuery(window=window, selectors=(Selector(SENT.name),), search="eth")
    assert store.rows(chosen).values.tolist() == [3.0]


def test_rows_are_counted_no_further_than_ten_thousand(store: MetricStore) -> None:
    store.append([cpu(second, second) for second in range(10_001)])
    rows = store.rows(RowsQuery(window=Window(T0, T0 + 20_000), limit=1, offset=10_000))
    assert (rows.total, rows.capped, rows.values.tolist()) == (10_000, True, [0.0])


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (100_001, 0), (10, -1)])
def test_rows_refuse_a_page_out_of_range(store: MetricStore, limit: int, offset: int) -> None:
    with pytest.raises(QueryError):
        store.rows(RowsQuery(window=Window(T0, T0 + 1), limit=limit, offset=offset))


def test_overrides_win_until_taken_back_and_are_audited(store: MetricStore) -> None:
    changes = [
        Change(ts=T0, path="thresholds.cpu_percent", value='{"warning":70}', author="ann"),
        Change(ts=T0 + 1, path="dashboard.refresh", value="10"),
        Change(ts=T0 + 2, path="thresholds.cpu_percent", value=None, author="bob"),
    ]
    for change in changes:
        store.override(change)
    assert store.overrides() == {"dashboard.refresh": "10"}
    assert store.changes() == changes[::-1]
    assert store.changes(limit=1) == [changes[2]]


def test_usage_counts_series_rows_and_span(store: MetricStore) -> None:
    store.append([cpu(0, 1), cpu(9, 2, "1")])
    usage = store.usage()
    raw = usage.levels[0]
    assert (usage.series, raw.name, raw.rows, raw.first, raw.last) == (2, "raw", 2, T0, T0 + 9)


def test_closed_store_says_so(store: MetricStore) -> None:
    store.close()
    store.close()
    for call in (
        lambda: store.append([cpu(0, 1)]),
        store.series,
        lambda: ask(store, CPU, 0, 1),
        lambda: store.rows(RowsQuery(window=Window(0, 1))),
        lambda: store.maintain(T0),
        store.usage,
        lambda: store.override(Change(ts=T0, path="a", value="1")),
        store.overrides,
        store.changes,
    ):
        with pytest.raises(StoreClosed):
            call()


ROUTE_A, ROUTE_B = (("route", "/a"),), (("route", "/b"),)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (None, 3.5),
        (Aggregate.AVG, 3.5),
        (Aggregate.MIN, 0.0),
        (Aggregate.MAX, 8.0),
        (Aggregate.SUM, 14.0),
        (Aggregate.COUNT, 4.0),
        (Aggregate.RATE, 0.4),
        (Aggregate.P50, 2.0),
        (Aggregate.P95, 8.0),
        (Aggregate.P99, 8.0),
    ],
)
def test_aggregates_of_distributions(store: MetricStore, aggregate: Aggregate | None, expected: float) -> None:
    store.append([wait(1, 8, 2), wait(3, 4, 0), cpu(60, 1)])
    query = RangeQuery(selector=Selector(WAIT.name), window=Window(T0, T0 + 10), step=10, aggregate=aggregate)
    (series,) = store.read(query)
    assert series.values.tolist() == pytest.approx([expected], rel=0.022)
    exact = [expected] if aggregate is Aggregate.RATE else [0.0]
    assert series.low.tolist() == exact
    assert series.unit == {Aggregate.COUNT: "1", Aggregate.RATE: "1/s"}.get(series.aggregate, "s")


def test_percentiles_of_several_series_are_those_of_all_observations(store: MetricStore) -> None:
    store.append([wait(0, *[1.0] * 99), wait(0, 64.0, route="/b")])
    merged = ask(store, WAIT, 0, 10, aggregate=Aggregate.P99, across=Across.MERGE)
    assert merged == [((), {0.0: pytest.approx(1.0, rel=0.022)})]
    assert ask(store, WAIT, 0, 10, aggregate=Aggregate.P99) == [(ROUTE_A, {0.0: 1.0}), (ROUTE_B, {0.0: 64.0})]
    by_route = ask(store, WAIT, 0, 10, aggregate=Aggregate.P99, across=Across.MERGE, by=("route",))
    assert by_route == ask(store, WAIT, 0, 10, aggregate=Aggregate.P99)


def test_averages_of_several_distributions_are_those_of_all_observations(store: MetricStore) -> None:
    store.append([wait(0, 1.0, 1.0, 1.0), wait(0, 5.0, route="/b")])
    assert ask(store, WAIT, 0, 10, across=Across.AVG) == [((), {0.0: 2.0})]
    assert ask(store, WAIT, 0, 10, across=Across.MAX) == [((), {0.0: 5.0})]
    assert ask(store, WAIT, 0, 10, aggregate=Aggregate.COUNT, across=Across.SUM) == [((), {0.0: 4.0})]


@pytest.mark.parametrize(
    ("metric", "aggregate", "across", "message"),
    [
        (WAIT, Aggregate.P95, Across.AVG, r"can't be combined by avg; p95\(...\) or p95 by"),
        (WAIT, Aggregate.P50, Across.SUM, "can't be combined by sum"),
        (WAIT, None, Across.SUM, "a sum of averages says nothing"),
        (WAIT, Aggregate.LAST, None, "no last value"),
        (WAIT, Aggregate.COUNT, Across.MERGE, "only percentiles are asked of merged distributions, not count"),
        (CPU, Aggregate.P95, None, "a gauge has no percentiles"),
        (SENT, Aggregate.P95, Across.MERGE, "a counter has no percentiles"),
        (CPU, Aggregate.AVG, Across.MERGE, "only percentiles"),
    ],
)
def test_what_distributions_cannot_say_is_refused(
    store: MetricStore, metric: Metric, aggregate: Aggregate | None, across: Across | None, message: str
) -> None:
    store.append([wait(0, 1), cpu(0, 1), sent(0, 1)])
    with pytest.raises(QueryError, match=message):
        ask(store, metric, 0, 10, aggregate=aggregate, across=across)


def test_the_rate_of_a_step_that_fills_counts_the_seconds_so_far(store: MetricStore) -> None:
    store.append([wait(60, *[1.0] * 30), wait(69, *[1.0] * 30)])
    assert ask(store, WAIT, 0, 120, step=60, aggregate=Aggregate.RATE) == [(ROUTE_A, {60.0: 6.0})]


def test_distributions_survive_roll_up_sealing_and_retention(opened: Opener, clock: ManualClock) -> None:
    store = opened(StoreSettings(seal_every=3600.0, retention=Retention(raw=DAY, minute=2 * DAY, hour=30 * DAY)))
    store.append([wait(1, 1, 2), wait(59, 3), wait(3599, 4, 0), wait(3600, 5)])
    settle(store, clock, 4 * 3600)
    store.append([wait(30, 6)])  # late at every level
    expected = [(ROUTE_A, {0.0: 6.0, 3600.0: 1.0})]
    for days in (0, 2, 3):
        settle(store, clock, days * DAY)
        assert ask(store, WAIT, 0, 7200, step=3600, aggregate=Aggregate.COUNT) == expected
        (found,) = ask(store, WAIT, 0, 7200, step=3600, aggregate=Aggregate.P50)
        assert found[1] == {0.0: pytest.approx(2.0, rel=0.022), 3600.0: 5.0}
    assert {level.name: level.rows for level in store.usage().levels if level.name != "1h"} == {"raw": 0, "1m": 0}


def test_a_distribution_is_a_known_series_without_a_value(store: MetricStore) -> None:
    store.append([wait(0, 1), wait(5, 1)])
    (info,) = store.series()
    assert (info.metric, info.labels, info.last_ts, info.last_value) == (WAIT, ROUTE_A, T0 + 5, None)
    assert store.rows(RowsQuery(window=Window(T0, T0 + 10))).total == 0


@pytest.mark.parametrize(
    "bad",
    [
        HistogramSample(T0, WAIT, (), Histogram(count=2, total=1.0, low=1.0, high=1.0, buckets={0: 1})),
        HistogramSample(float("nan"), WAIT, (), Histogram.of([1.0])),
        HistogramSample(T0, CPU, (), Histogram.of([1.0])),
        Sample(T0, WAIT, (), 1.0),
    ],
)
def test_unsound_distributions_are_refused_with_their_batch(store: MetricStore, bad: Sample | HistogramSample) -> None:
    with pytest.raises(StoreError, match="not a usable sample"):
        store.append([cpu(0, 1), wait(0, 1), bad])
    assert store.series() == []


def test_distributions_are_answered_bucket_by_bucket(store: MetricStore) -> None:
    store.append([wait(0, 1, 1.5, 0), wait(0, 1, route="/b"), wait(20, 2)])
    query = RangeQuery(selector=Selector(WAIT.name), window=Window(T0, T0 + 30), step=10, across=Across.MERGE)
    (found,) = store.distributions(query)
    assert (found.ts - T0).tolist() == [0.0, 20.0]
    assert (found.count.tolist(), found.zero.tolist(), found.low.tolist()) == ([4, 1], [1, 0], [0.0, 2.0])
    assert (found.first, found.buckets.shape) == (-1, (2, 17))  # 1 ends bucket -1, 2 ends bucket 15
    assert [[(j, n) for j, n in enumerate(row) if n] for row in found.buckets.tolist()] == [
        [(0, 2), (10, 1)],
        [(16, 1)],
    ]
    (slim,) = store.distributions(query, shape=False)
    assert (slim.count.tolist(), slim.total.tolist(), slim.buckets.shape) == ([4, 1], [3.5, 2.0], (2, 0))


def test_only_distributions_are_answered_bucket_by_bucket(store: MetricStore) -> None:
    store.append([cpu(0, 1), wait(0, 1)])
    window = Window(T0, T0 + 10)
    with pytest.raises(QueryError, match="cpu_percent is not a distribution"):
        store.distributions(RangeQuery(selector=Selector(CPU.name), window=window, step=10))
    with pytest.raises(QueryError, match="not sum"):
        store.distributions(RangeQuery(selector=Selector(WAIT.name), window=window, step=10, across=Across.SUM))
    assert store.distributions(RangeQuery(selector=Selector("unknown"), window=window, step=10)) == []


# --- batches of other processes, slow calls, deploys and notes ------------------------------------------------------------


def slow(ts: float, seconds: float, route: str = "/a", **around: object) -> Exemplar:
    return msgspec.convert(
        {"ts": T0 + ts, "metric": WAIT, "labels": (("route", route),), "seconds": seconds, **around}, Exemplar
    )


def test_the_highest_number_of_every_sender_is_kept(store: MetricStore, clock: ManualClock) -> None:
    assert store.producers() == {}
    store.append([cpu(0, 1)], [("web-1", 4), ("web-2", 0), ("web-1", 5)])
    clock.move(1)
    store.append([], [("web-1", 3)])
    assert list(store.producers().items()) == [("web-2", 0), ("web-1", 5)]


def test_a_batch_that_is_refused_leaves_no_number(store: MetricStore) -> None:
    with pytest.raises(StoreError):
        store.append([Sample(T0, WAIT, (), 1.0)], [("web-1", 1)])
    assert store.producers() == {}


def test_a_sender_that_was_silent_for_a_month_is_forgotten(store: MetricStore, clock: ManualClock) -> None:
    store.append([], [("old", 1)])
    settle(store, clock, 29 * DAY)
    store.append([], [("new", 1)])
    settle(store, clock, DAY)
    assert store.producers() == {"old": 1, "new": 1}
    settle(store, clock, 1)
    assert store.producers() == {"new": 1}


def test_slow_calls_come_back_whole_and_the_slowest_first(store: MetricStore) -> None:
    whole = slow(
        1.5, 3.0, arguments=("str(3)", "n=int"), parents=("b", "a"), trace="4bf9", release="v7", error="KeyError"
    )
    store.append([wait(2, 2, 3, 4), slow(0, 2.0), whole, slow(9, 4.0), slow(0, 9.0, "/b"), cpu(0, 1)])
    window = Window(T0, T0 + 9)
    assert store.exemplars(Selector(WAIT.name, ROUTE_A), window, 10) == [whole, slow(0, 2.0)]
    assert store.exemplars(Selector(WAIT.name), window, 2) == [slow(0, 9.0, "/b"), whole]
    assert store.exemplars(Selector("unknown"), window, 2) == []


def test_slow_calls_of_the_same_length_come_newest_first(store: MetricStore) -> None:
    store.append([slow(0, 1.0), slow(2, 1.0), slow(1, 1.0)])
    found = store.exemplars(Selector(WAIT.name), Window(T0, T0 + 9), 10)
    assert [call.ts - T0 for call in found] == [2, 1, 0]


def test_a_slow_call_is_no_sample(store: MetricStore) -> None:
    store.append([slow(0, 1.0)])
    (info,) = store.series()
    assert (info.metric, info.labels, info.last_ts, info.last_value) == (WAIT, ROUTE_A, None, None)
    assert ask(store, WAIT, 0, 10, aggregate=Aggregate.COUNT) == []
    assert store.usage().levels[0].rows == 0


def test_slow_calls_are_kept_as_long_as_raw_samples(opened: Opener, clock: ManualClock) -> None:
    store = opened(StoreSettings(seal_every=3600.0, retention=Retention(raw=DAY, minute=2 * DAY, hour=30 * DAY)))
    store.append([slow(0, 1.0), wait(0, 1.0), slow(DAY, 2.0)])
    settle(store, clock, 1.5 * DAY)
    found = store.exemplars(Selector(WAIT.name), Window(T0, T0 + 2 * DAY), 10)
    assert [call.seconds for call in found] == [2.0]


@pytest.mark.parametrize("bad", [slow(0, -1.0), slow(0, float("nan")), slow(0, float("inf")), slow(float("nan"), 1.0)])
def test_impossible_slow_calls_are_refused_with_their_batch(store: MetricStore, bad: Exemplar) -> None:
    with pytest.raises(StoreError, match="not a usable sample"):
        store.append([cpu(0, 1), bad])
    assert store.series() == []


@pytest.mark.parametrize("limit", [0, 10_001])
def test_slow_calls_refuse_a_limit_out_of_range(store: MetricStore, limit: int) -> None:
    with pytest.raises(QueryError, match="1 to 10,000 slow calls"):
        store.exemplars(Selector(WAIT.name), Window(T0, T0 + 9), limit)


def test_text_that_is_no_text_does_not_cost_the_batch(store: MetricStore) -> None:
    store.append([cpu(0, 1), slow(0, 1.0, arguments=("\ud800",), error="\udcff")])
    assert len(store.exemplars(Selector(WAIT.name), Window(T0, T0 + 9), 1)) == 1


def test_a_label_that_is_no_text_does_not_cost_the_batch(store: MetricStore) -> None:
    for ts in (0, 1):
        store.append([cpu(ts, 1, "0"), cpu(ts, 2, "\ud800"), cpu(ts, 3, "é")])
    assert sorted(info.labels for info in store.series()) == [(("core", "0"),), (("core", "?"),), (("core", "é"),)]


def test_annotations_come_in_order_of_time(store: MetricStore) -> None:
    deploy = Annotation(ts=T0 + 5, kind="deploy", title="v7", service="shop", text="by Ann")
    note = Annotation(ts=T0 + 1.25, kind="note", title="load test")
    for annotation in (deploy, note, Annotation(ts=T0 + 9, kind="note", title="later")):
        store.annotate(annotation)
    assert store.annotations(Window(T0, T0 + 9)) == [note, deploy]


def test_an_annotation_that_comes_twice_is_kept_once(store: MetricStore) -> None:
    deploy = Annotation(ts=T0 + 5, kind="deploy", title="v7", service="shop", text="by Ann")
    others = [
        Annotation(ts=T0 + 6, kind="deploy", title="v7", service="shop", text="by Ann"),
        Annotation(ts=T0 + 7, kind="deploy", title="v7", service="shop", text=""),
        Annotation(ts=T0 + 7, kind="note", title="v7", service="shop", text=""),
    ]
    for annotation in (deploy, *others, deploy):
        store.annotate(annotation)
    assert store.annotations(Window(T0, T0 + 9)) == [deploy, *others]


def test_annotations_are_kept_as_long_as_hours(opened: Opener, clock: ManualClock) -> None:
    store = opened(StoreSettings(retention=Retention(raw=DAY, minute=2 * DAY, hour=10 * DAY)))
    for ts in (0.0, 8 * DAY):
        store.annotate(Annotation(ts=T0 + ts, kind="note", title=str(ts)))
    settle(store, clock, 12 * DAY)
    assert [noted.ts - T0 for noted in store.annotations(Window(T0, T0 + 20 * DAY))] == [8 * DAY]
