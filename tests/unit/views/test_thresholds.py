"""Thresholds: which are in force, how one is changed, and what one would have meant."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.clock import ManualClock, SystemClock
from perf.errors import SettingsError, StoreBusy
from perf.model import Change, Metric, Sample, Threshold, Window
from perf.settings import Settings, StoreSettings
from perf.store.memory import MemoryStore
from perf.store.writer import Writer
from perf.views import thresholds
from perf.views.thresholds import Breaches

START = 1_700_000_040.0
"""A whole minute."""
CPU = Metric("cpu_usage_percent", unit="%")


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(StoreSettings(), clock)


@pytest.fixture
def writer(store: MemoryStore) -> Iterator[Writer]:
    made = Writer(store, SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,), daemon=True)
    thread.start()
    yield made
    stop.set()
    made.wake()
    thread.join(60)


def test_a_change_wins_is_audited_and_can_be_taken_back(store: MemoryStore, writer: Writer, clock: ManualClock) -> None:
    def change(threshold: Threshold | None) -> Threshold:
        thresholds.change(store, writer, clock, "cpu_usage_percent", threshold, author="ada")
        return thresholds.in_force(Settings(), store)["cpu_usage_percent"]

    assert change(Threshold(50.0)) == Threshold(50.0)
    assert change(None) == Threshold(80.0, 95.0)
    assert store.changes() == [
        Change(ts=clock.now(), path="thresholds.cpu_usage_percent", value=None, author="ada"),
        Change(
            ts=clock.now(),
            path="thresholds.cpu_usage_percent",
            value='{"warning":50.0,"critical":null}',
            author="ada",
        ),
    ]


def test_a_metric_without_configured_threshold_can_get_one(
    store: MemoryStore, writer: Writer, clock: ManualClock
) -> None:
    thresholds.change(store, writer, clock, "queue_depth", Threshold(10.0, 20.0), author="")
    assert thresholds.in_force(Settings(), store)["queue_depth"] == Threshold(10.0, 20.0)


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (Threshold(90.0, 80.0), r"critical \(80\) must not lie below warning \(90\)"),
        (Threshold(float("nan")), "a limit must be a finite number"),
        (Threshold(1.0, float("inf")), "a limit must be a finite number"),
    ],
)
def test_limits_that_make_no_sense_are_not_stored(
    store: MemoryStore, writer: Writer, clock: ManualClock, threshold: Threshold, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        thresholds.change(store, writer, clock, "cpu_usage_percent", threshold, author="ada")
    assert store.changes() == []


def test_a_change_that_was_given_up_is_not_made_later(
    store: MemoryStore, writer: Writer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "PATIENCE", 0.05)
    released = threading.Event()
    writer.call(lambda: released.wait(60))
    with pytest.raises(StoreBusy, match="not stored within 0.05 s: the writer is busy"):
        thresholds.change(store, writer, clock, "cpu_usage_percent", Threshold(50.0), author="ada")
    released.set()
    writer.call(lambda: None).result(60)
    assert store.changes() == []


def minutes(values: list[float | None], queue: str = "") -> list[Sample]:
    """Two samples a minute around each value; None leaves the minute out."""
    labels = (("queue", queue),) if queue else ()
    return [
        Sample(START + 60 * n + at, CPU, labels, value + apart)
        for n, value in enumerate(values)
        if value is not None
        for at, apart in ((10, -1.0), (40, 1.0))
    ]


def week(count: int) -> Window:
    return Window(START, START + 60 * count)


def test_breaches_are_runs_of_minutes_above(store: MemoryStore) -> None:
    store.append(minutes([10.0, 90.0, 91.0, 10.0, 95.0]))
    assert thresholds.breaches(store, CPU.name, 80.0, week(5)) == Breaches(times=2, seconds=180.0, highest=95.0)


def test_a_limit_itself_is_no_breach(store: MemoryStore) -> None:
    store.append(minutes([80.0]))
    assert thresholds.breaches(store, CPU.name, 80.0, week(1)) == Breaches(times=0, seconds=0.0, highest=80.0)


def test_a_hole_ends_a_breach_and_a_missed_minute_does_not(store: MemoryStore) -> None:
    store.append(minutes([90.0, None, 90.0, None, None, 90.0]))
    assert thresholds.breaches(store, CPU.name, 80.0, week(6)).times == 2


def test_the_worst_series_counts(store: MemoryStore) -> None:
    store.append([*minutes([90.0, 10.0, 10.0], "a"), *minutes([10.0, 10.0, 99.0], "b")])
    assert thresholds.breaches(store, CPU.name, 80.0, week(3)) == Breaches(times=2, seconds=120.0, highest=99.0)


def test_without_data_nothing_was_seen(store: MemoryStore) -> None:
    assert thresholds.breaches(store, CPU.name, 80.0, week(3)) == Breaches(times=0, seconds=0.0, highest=None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.none() | st.integers(0, 100).map(float), max_size=30), min_size=1, max_size=3))
def test_breaches_agree_with_counting_by_hand(columns: list[list[float | None]]) -> None:
    store = MemoryStore(StoreSettings(), ManualClock())
    store.append([s for number, values in enumerate(columns) for s in minutes(values, f"q{number}")])
    highest: dict[int, float] = {}
    for values in columns:
        for minute, value in enumerate(values):
            if value is not None:
                highest[minute] = max(value, highest.get(minute, -np.inf))
    above = sorted(minute for minute, value in highest.items() if value > 50.0)
    runs = sum(1 for minute in above if begins_a_run(minute, sorted(highest), above))
    expected = Breaches(times=runs, seconds=60.0 * len(above), highest=max(highest.values(), default=None))
    assert thresholds.breaches(store, CPU.name, 50.0, week(30)) == expected


def begins_a_run(minute: int, seen: list[int], above: list[int]) -> bool:
    """Whether the minute seen before *minute* was below, or is more than two minutes away."""
    before = [other for other in seen if other < minute][-1:]
    return not before or before[0] not in above or minute - before[0] > 2
