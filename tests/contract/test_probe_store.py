"""What every store promises about the history of probes, asked of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import ProbeResult, Spell, Status, Window
from perf.plugins import STORES, resolve
from perf.ports import MetricStore
from perf.settings import Retention, StoreSettings
from perf.store.memory import MemoryStore
from tests.emptystore import empty
from tests.owners import Owners

T0 = 1_700_006_400.0
DAY = 86_400.0
HEALTHY, UNKNOWN, DEGRADED, UNHEALTHY = Status
Opener = Callable[[], MetricStore]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, owners: Owners) -> Iterator[Opener]:
    stores: list[MetricStore] = []
    make = owners.store if request.param == "remote" else resolve("store", request.param, STORES)

    def open_() -> MetricStore:
        retention = Retention(raw=DAY, minute=DAY, hour=DAY)
        options = StoreSettings(path=str(empty(tmp_path / "x.duckdb")), free_space_floor=0, retention=retention)
        stores.append(make(options, clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Opener) -> MetricStore:
    return opened()


def said(at: float, status: Status, name: str = "db", message: str = "m") -> ProbeResult:
    return ProbeResult(name=name, status=status, message=message, ts=T0 + at, seconds=0.5)


def spells(
    store: MetricStore, start: float, end: float, name: str = "db", limit: int = 100
) -> list[tuple[object, ...]]:
    found = store.probes.spells(name, Window(T0 + start, T0 + end), limit)
    return [(one.status, one.start - T0, one.end - T0, one.message) for one in found]


def test_results_of_one_state_are_one_spell_with_the_last_message(store: MetricStore) -> None:
    store.probes.keep(
        [said(0, HEALTHY, message="a"), said(60, HEALTHY, message="b"), said(100, UNHEALTHY, message="c")]
    )
    assert spells(store, 0, 200) == [(UNHEALTHY, 100.0, 200.0, "c"), (HEALTHY, 0.0, 100.0, "b")]


def test_a_result_stands_for_two_and_a_half_minutes_at_most(store: MetricStore) -> None:
    store.probes.keep([said(0, HEALTHY), said(600, HEALTHY)])
    assert spells(store, 0, 2_000) == [(HEALTHY, 600.0, 750.0, "m"), (HEALTHY, 0.0, 150.0, "m")]


def test_what_began_before_the_window_is_cut_to_it(store: MetricStore) -> None:
    store.probes.keep([said(-100, UNHEALTHY), said(30, HEALTHY)])
    assert spells(store, 0, 60) == [(HEALTHY, 30.0, 60.0, "m"), (UNHEALTHY, 0.0, 30.0, "m")]


def test_the_later_of_two_at_one_moment_stands(store: MetricStore) -> None:
    store.probes.keep([said(0, HEALTHY)])
    store.probes.keep([said(0, UNHEALTHY)])
    assert spells(store, 0, 10) == [(UNHEALTHY, 0.0, 10.0, "m")]


def test_spells_are_of_one_probe_and_no_more_than_asked_for(store: MetricStore) -> None:
    store.probes.keep([said(0, HEALTHY), said(10, DEGRADED), said(20, HEALTHY), said(0, UNKNOWN, name="other")])
    assert spells(store, 0, 30, limit=2) == [(HEALTHY, 20.0, 30.0, "m"), (DEGRADED, 10.0, 20.0, "m")]
    assert spells(store, 0, 30, "other") == [(UNKNOWN, 0.0, 30.0, "m")]
    assert spells(store, 0, 30, "nobody") == []


def test_uptime_is_the_time_in_each_state_step_by_step(store: MetricStore) -> None:
    store.probes.keep([said(0, HEALTHY), said(90, UNHEALTHY), said(130, DEGRADED), said(40, HEALTHY, name="a")])
    found = store.probes.uptime(Window(T0, T0 + 180), 60.0)
    assert [(cell.probe, cell.start - T0, cell.seconds) for cell in found] == [
        ("a", 0.0, {HEALTHY: 20.0}),
        ("a", 60.0, {HEALTHY: 60.0}),
        ("a", 120.0, {HEALTHY: 60.0}),
        ("db", 0.0, {HEALTHY: 60.0}),
        ("db", 60.0, {HEALTHY: 30.0, UNHEALTHY: 30.0}),
        ("db", 120.0, {DEGRADED: 50.0, UNHEALTHY: 10.0}),
    ]


@pytest.mark.parametrize("step", [0.0, -1.0, 0.001])
def test_a_step_of_nothing_or_too_many_is_refused(store: MetricStore, step: float) -> None:
    with pytest.raises(QueryError, match="cuts"):
        store.probes.uptime(Window(T0, T0 + 180), step)


def test_keeping_nothing_changes_nothing(store: MetricStore) -> None:
    store.probes.keep([])
    assert store.probes.uptime(Window(T0, T0 + 60), 60.0) == []


def test_what_is_older_than_the_retention_goes(store: MetricStore, clock: ManualClock) -> None:
    store.probes.keep([said(0, HEALTHY), said(3 * DAY, HEALTHY)])
    for _ in range(4):  # A jump forward would not be believed at once.
        clock.move(DAY)
        store.maintain(clock.now())
    assert [one.start - T0 for one in store.probes.spells("db", Window(T0 - 1, T0 + 4 * DAY))] == [3 * DAY]


@pytest.mark.parametrize("opened", ["duckdb"], indirect=True)
def test_results_survive_reopening(opened: Opener) -> None:
    first = opened()
    first.probes.keep([said(0, UNHEALTHY)])
    first.close()
    assert spells(opened(), 0, 10) == [(UNHEALTHY, 0.0, 10.0, "m")]


TIMES = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from(Status), st.sampled_from("ab")),
    max_size=25,
    unique_by=lambda r: r[0],
)


@settings(max_examples=20)
@given(TIMES, st.integers(0, 500), st.integers(1, 500), st.sampled_from([7.0, 60.0, 240.0]))
def test_both_stores_agree_with_a_second_by_second_count(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, Status, str]],
    begin: int,
    length: int,
    step: float,
) -> None:
    """Law: the seconds of a state in a cell are those at which the newest result, no older than 150 s, has that state."""
    window = Window(T0 + begin, T0 + begin + length)
    expected: dict[tuple[str, int, Status], int] = {}
    for name in "ab":
        own = sorted((at, status) for at, status, probe in rows if probe == name)
        for second in range(begin, begin + length):
            standing = [(at, status) for at, status in own if at <= second < at + 150]
            if standing:
                key = (name, int((second - begin) // step), standing[-1][1])
                expected[key] = expected.get(key, 0) + 1
    results = [said(at, status, name) for at, status, name in rows]
    path = tmp_path_factory.mktemp("law") / "x.duckdb"
    for kind in ("memory", "duckdb"):
        made: MetricStore = resolve("store", kind, STORES)(StoreSettings(path=str(path)), ManualClock(T0))
        try:
            made.probes.keep(results)
            found = {
                (cell.probe, round((cell.start - window.start) / step), status): spent
                for cell in made.probes.uptime(window, step)
                for status, spent in cell.seconds.items()
            }
            assert found == expected, kind
            stretches: list[Spell] = [one for name in "ab" for one in made.probes.spells(name, window, 1_000)]
            assert sum(one.end - one.start for one in stretches) == sum(expected.values()), kind
        finally:
            made.close()


def test_memory_takes_results_out_of_order() -> None:
    store = MemoryStore(StoreSettings(), ManualClock(T0))
    store.probes.keep([said(60, UNHEALTHY), said(0, HEALTHY)])
    assert spells(store, 0, 100) == [(UNHEALTHY, 60.0, 100.0, "m"), (HEALTHY, 0.0, 60.0, "m")]
