"""Strips, uptime, and where a restarted process goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perf.clock import ManualClock
from perf.health import HealthChecker
from perf.health.plan import Plan
from perf.health.score import scored
from perf.model import Histogram, HistogramSample, Kind, Metric, ProbeResult, Sample, Status, Window
from perf.settings import HealthSettings, ScoreSettings, StoreSettings
from perf.store.memory import MemoryStore
from perf.views import health
from perf.views.health import UnknownProbe

NOW = 1_700_000_000.0
HEALTHY, UNKNOWN, DEGRADED, UNHEALTHY = Status


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore(StoreSettings(), ManualClock(NOW))
    yield made
    made.close()


def keep(store: MemoryStore, *said: tuple[float, Status], name: str = "a") -> None:
    store.probes.keep([ProbeResult(name=name, status=status, message="", ts=NOW + at) for at, status in said])


def test_a_strip_ends_with_the_step_that_is_going_on() -> None:
    window, step = health.aligned(86_400.0, 48, NOW)
    assert (step, window.seconds) == (1_800.0, 86_400.0)
    assert window.start % step == 0.0
    assert window.end - step < NOW <= window.end


def test_uptime_counts_neither_unknown_nor_unwatched_time_and_degraded_as_up(store: MemoryStore) -> None:
    keep(store, (-100, HEALTHY), (-90, DEGRADED), (-80, UNKNOWN), (-40, UNHEALTHY), (-30, HEALTHY))
    (found,) = health.uptimes(store, ["a"], Window(NOW - 1_000, NOW + 500), 100.0, NOW)
    assert found.ratio == pytest.approx(50 / 60)  # 10 healthy, 10 degraded, 30 healthy, 10 down


def test_what_lies_ahead_does_not_count(store: MemoryStore) -> None:
    keep(store, (-10, UNHEALTHY))
    (found,) = health.uptimes(store, ["a"], Window(NOW - 60, NOW + 60), 120.0, NOW)
    assert [cell.seconds for cell in found.cells] == [{UNHEALTHY: 10.0}]


def test_a_probe_that_nobody_watched_has_no_uptime(store: MemoryStore) -> None:
    keep(store, (-60, UNKNOWN))
    found = health.uptimes(store, ["a", "b"], Window(NOW - 60, NOW), 60.0, NOW)
    assert [one.ratio for one in found] == [None, None]


@pytest.mark.parametrize(("ago", "left"), [(3_700.0, 1), (3_800.0, 0)])
def test_a_state_goes_on_over_a_restart_of_an_hour_at_most(store: MemoryStore, ago: float, left: int) -> None:
    keep(store, (-ago - 60, UNHEALTHY), (-ago, UNHEALTHY))  # The last one stood for 150 s.
    found = health.resumed(store, {"a": Plan(), "b": Plan()}, NOW)
    assert [(one.probe, one.start) for one in found] == [("a", NOW - ago - 60)] * left


def test_an_unknown_probe_is_named_with_the_known() -> None:
    checker = HealthChecker({}, ManualClock(NOW))
    with pytest.raises(UnknownProbe, match="no probe 'x'; known: "):
        health.run(checker, "x")


def test_facts_are_none_where_nobody_measured_and_the_worst_where_many_did(store: MemoryStore) -> None:
    assert set(health.facts(store, Window(NOW - 60, NOW)).values()) == {None}
    operation = Metric("db_client_operation_duration_seconds", Kind.HISTOGRAM, "s")
    memory = Metric("process_memory_bytes", unit="By")
    store.append(
        [
            HistogramSample(NOW - 30, operation, (("db_system", "sqlite"),), Histogram.of([0.1, 0.3])),
            HistogramSample(NOW - 30, operation, (("db_system", "duckdb"),), Histogram.of([0.2])),
            Sample(NOW - 30, memory, (("process", "perf"),), 2e8),
            Sample(NOW - 30, memory, (("process", "shop"),), 3e8),
        ]
    )
    found = health.facts(store, Window(NOW - 60, NOW))
    assert (found["database"], found["process_memory"], found["cpu"]) == (pytest.approx(0.2), 3e8, None)


def test_a_score_becomes_metrics_and_no_score_none() -> None:
    samples = health.samples(scored({"cpu": 85.0}, ScoreSettings()), NOW)
    assert [(one.metric.name, one.labels, one.value) for one in samples] == [
        ("health_score", (), 50.0),
        ("health_score_cost", (("part", "cpu"),), 50.0),
    ]
    assert health.samples(scored({}, ScoreSettings()), NOW) == []


def test_the_score_looks_back_as_far_as_is_asked(store: MemoryStore) -> None:
    cpu = Metric("cpu_usage_percent", unit="%")
    store.append([Sample(NOW - 7_000, cpu, (), 100.0)])
    settings = HealthSettings()
    assert health.score(store, settings, NOW).value is None
    assert health.score(store, settings, NOW, 86_400.0).value == 0.0
