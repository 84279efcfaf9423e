"""What only the file does with distributions: sealed runs, roll-ups that take late ones once, and rows that are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.model import Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore

T0 = 1_700_006_400.0
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
LOAD = Metric("load")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[DuckDBStore]:
    store = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb"), seal_every=3600.0, free_space_floor=0), clock)
    yield store
    store.close()


def wait(ts: float, *observed: float, route: str = "/a") -> HistogramSample:
    return HistogramSample(T0 + ts, WAIT, (("route", route),), Histogram.of(observed))


def mixed(ts: float) -> list[Measurement]:
    return [Sample(T0 + ts, LOAD, (), 1.0), wait(ts, 1.0, route="/b"), wait(ts, 1.0, 2.0)]


def kept_up(store: DuckDBStore, clock: ManualClock, seconds: float) -> None:
    clock.move(seconds)
    for _ in range(4):
        store.maintain(clock.now())


def count(store: DuckDBStore, table: str) -> object:
    return store.sql(f"SELECT count(*) FROM {table}").rows[0][0]


def test_hot_distributions_are_sealed_sorted_by_series_and_time(store: DuckDBStore, clock: ManualClock) -> None:
    for ts in (20, 0, 10):
        store.append(mixed(ts))
    kept_up(store, clock, 2 * 3600 + 60)
    assert (count(store, "hot"), count(store, "hot_hist"), count(store, "samples")) == (0, 0, 3)
    assert store.sql("SELECT sid, second(ts) FROM hist").rows == [(2, 0), (2, 10), (2, 20), (3, 0), (3, 10), (3, 20)]
    assert store._upkeep.new_rows == 0


def test_hot_rows_are_counted_across_both_tables(store: DuckDBStore, tmp_path: Path, clock: ManualClock) -> None:
    store.append(mixed(0))
    assert store._upkeep.new_rows == 3
    store.close()
    reopened = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    assert reopened._upkeep.new_rows == 3
    reopened.close()


def test_a_late_distribution_is_counted_once_at_every_level(store: DuckDBStore, clock: ManualClock) -> None:
    store.append([wait(0, 1.0)])
    kept_up(store, clock, 2 * 3600)
    store.append([wait(1, 3.0), wait(2, 0.0), wait(1, 5.0, route="/b"), wait(7199, 7.0)])
    kept_up(store, clock, 10)
    assert store.sql("SELECT sid, sum(n)::BIGINT, sum(total) FROM roll_1m_hist GROUP BY ALL ORDER BY 1").rows == [
        (1, 4, 11.0),
        (2, 1, 5.0),
    ]
    assert store.sql(
        "SELECT sid, hour(ts), sum(n)::BIGINT, sum(zero)::BIGINT FROM roll_1h_hist GROUP BY ALL ORDER BY ALL"
    ).rows == [
        (1, 0, 3, 1),
        (1, 1, 1, 0),
        (2, 0, 1, 0),
    ]


def test_distributions_that_are_all_zeros_roll_up(store: DuckDBStore, clock: ManualClock) -> None:
    store.append([wait(0, 0.0), wait(1, 0.0)])
    kept_up(store, clock, 200)
    assert store.sql("SELECT n, zero, cardinality(h) FROM roll_1m_hist").rows == [(2, 2, 0)]


def test_a_nearly_full_volume_drops_the_oldest_distributions_too(tmp_path: Path, clock: ManualClock) -> None:
    settings = StoreSettings(path=str(tmp_path / "floor.duckdb"), seal_every=3600.0, free_space_floor=2**60)
    store = DuckDBStore(settings, clock)
    store.append([wait(0, 1.0), wait(3 * 3600, 2.0)])
    kept_up(store, clock, 4 * 3600)
    kept_up(store, clock, 60)
    assert any("deleted to make room" in problem for problem in store.usage().problems)
    raw = {level.name: level for level in store.usage().levels}["raw"]
    assert raw.rows < 2
    assert count(store, "roll_1m_hist") == 2
    store.close()
