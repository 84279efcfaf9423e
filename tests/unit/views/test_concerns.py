"""What is above its threshold, by how much, and since when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perf.clock import ManualClock
from perf.model import Metric, Sample, Status, Threshold
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views.concerns import Concern, concerns

MINUTE = 1_700_000_040.0
"""A multiple of 120 s."""
CPU = Metric("cpu_usage_percent", unit="%")
DISK = Metric("disk_usage_percent", unit="%")
LIMITS = {"cpu_usage_percent": Threshold(80.0, 95.0), "disk_usage_percent": Threshold(85.0, 95.0)}


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(StoreSettings(), clock)


def seconds(first: float, last: float, value: Callable[[float], float] | float) -> list[Sample]:
    """One CPU sample a second from *first* to before *last*, relative to MINUTE."""
    count = int(last - first)
    at = [MINUTE + first + n for n in range(count)]
    return [Sample(ts, CPU, (), value(ts - MINUTE) if callable(value) else value) for ts in at]


def test_nothing_above_its_threshold_is_no_concern(store: MemoryStore) -> None:
    store.append(seconds(-300, 0, 80.0))
    assert concerns(store, LIMITS, MINUTE) == []


def test_a_concern_says_how_much_and_since_when(store: MemoryStore) -> None:
    store.append([*seconds(-600, -300, 50.0), *seconds(-300, 0, 90.0)])
    assert concerns(store, LIMITS, MINUTE) == [
        Concern(
            metric="cpu_usage_percent",
            labels=(),
            unit="%",
            value=90.0,
            limit=80.0,
            status=Status.DEGRADED,
            since=MINUTE - 300,
        )
    ]


def test_nothing_is_known_of_the_time_in_which_nothing_was_measured(store: MemoryStore) -> None:
    store.append([*seconds(-7_200, -6_600, 90.0), *seconds(-300, 0, 90.0)])
    (found,) = concerns(store, LIMITS, MINUTE)
    assert found.since == MINUTE - 300


def test_above_critical_the_critical_limit_counts_since_it_was_crossed(store: MemoryStore) -> None:
    store.append([*seconds(-600, -120, 90.0), *seconds(-120, 0, 99.0)])
    (found,) = concerns(store, LIMITS, MINUTE)
    assert (found.status, found.limit, found.since) == (Status.UNHEALTHY, 95.0, MINUTE - 120)


@pytest.mark.parametrize("after", range(0, 120, 7))
def test_one_spike_is_no_state_whatever_the_time(store: MemoryStore, after: int) -> None:
    store.append([*seconds(-120, after, 10.0), *seconds(after, after + 1, 100.0)])
    assert concerns(store, LIMITS, MINUTE + after + 0.5) == []


def test_a_minute_that_has_just_begun_calmly_does_not_end_a_concern(store: MemoryStore) -> None:
    store.append([*seconds(-300, 0, 99.0), *seconds(0, 3, 10.0)])
    (found,) = concerns(store, LIMITS, MINUTE + 3)
    assert (found.limit, found.since) == (80.0, MINUTE - 300)


def test_a_concern_reaches_back_a_day_at_most(store: MemoryStore) -> None:
    store.append([Sample(MINUTE - 60 * n - 30, CPU, (), 90.0) for n in range(2_000)])
    (found,) = concerns(store, LIMITS, MINUTE)
    assert found.since == MINUTE - 86_400


def test_a_series_that_has_fallen_silent_is_no_concern(store: MemoryStore) -> None:
    store.append(seconds(-300, -61, 99.0))
    assert concerns(store, LIMITS, MINUTE) == []


def test_the_worst_comes_first_and_each_series_counts(store: MemoryStore) -> None:
    mounts = {"/": 90.0, "/data": 99.0, "/tmp": 10.0}
    store.append(seconds(-60, 0, 90.0))
    store.append([Sample(MINUTE - 5, DISK, (("mount", mount),), value) for mount, value in mounts.items()])
    found = concerns(store, LIMITS, MINUTE)
    assert [(c.metric, c.labels, c.status) for c in found] == [
        ("disk_usage_percent", (("mount", "/data"),), Status.UNHEALTHY),
        ("cpu_usage_percent", (), Status.DEGRADED),
        ("disk_usage_percent", (("mount", "/"),), Status.DEGRADED),
    ]
