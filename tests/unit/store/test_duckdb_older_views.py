"""The views with the names of older systems' tables: what they say of numbers small enough to check by head."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.model import (
    AlertRule,
    Histogram,
    HistogramSample,
    Incident,
    IncidentState,
    Kind,
    Labels,
    Measurement,
    Metric,
    Sample,
    Severity,
    Step,
)
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore

T0 = 1_700_006_400.0
MIDNIGHT = datetime(2023, 11, 15)  # noqa: DTZ001 - naive UTC is what the views promise
REQUEST = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s")
OPERATION = Metric("db_client_operation_duration_seconds", Kind.HISTOGRAM, "s")
ASKED = Metric("cache_requests_total", Kind.COUNTER, "1")
METRICS = "FROM perf.performance_metrics ORDER BY timestamp"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[DuckDBStore]:
    store = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    yield store
    store.close()


def gauge(ts: float, name: str, value: float, labels: Labels = ()) -> Sample:
    return Sample(T0 + ts, Metric(name), labels, value)


def asked(ts: float, tier: str, value: float, cache: str = "shop") -> Sample:
    return Sample(T0 + ts, ASKED, (("cache", cache), ("tier", tier)), value)


def took(ts: float, metric: Metric, labels: Labels, *seconds: float) -> HistogramSample:
    return HistogramSample(T0 + ts, metric, labels, Histogram.of(seconds))


def everything() -> list[Measurement]:
    return [
        gauge(1, "cpu_usage_percent", 40.0),
        gauge(2, "cpu_usage_percent", 60.0),
        gauge(1, "process_memory_bytes", 64.0 * 2**20, (("process", "perf"),)),
        gauge(1, "process_memory_bytes", 256.0 * 2**20, (("process", "shop"),)),
        gauge(1, "health_score", 90.0),
        gauge(1, "unrelated", 7.0),
        took(1, REQUEST, (("http_response_status_code", "200"),), 0.1, 0.2, 0.3),
        took(1, REQUEST, (("http_response_status_code", "503"),), 0.1),
        took(1, OPERATION, (("db_collection", "trips"), ("db_operation", "find")), 0.125, 0.25),
        took(1, OPERATION, (("db_collection", "a"), ("db_query_summary", "SELECT a")), 0.125, 0.5),
        asked(1, "load", 100.0),
        asked(50, "load", 101.0),
        asked(1, "memory", 1000.0),
        asked(50, "memory", 1003.0),
        asked(1, "load", 0.0, "perf-dashboard"),
        asked(50, "load", 1000.0, "perf-dashboard"),
    ]


@pytest.mark.parametrize("rolled", [False, True])
def test_a_minute_holds_the_means_of_everything(store: DuckDBStore, clock: ManualClock, rolled: bool) -> None:
    store.append(everything())
    if rolled:
        clock.move(4000)
        for _ in range(4):
            store.maintain(clock.now())
        assert store.sql("SELECT count(*) > 0 FROM roll_1m").rows == [(True,)]
    assert store.sql(METRICS).rows == [(MIDNIGHT, 250.0, 75.0, 90.0, 50.0, 256.0, 25.0)]


def test_what_nobody_measured_is_null(store: DuckDBStore) -> None:
    store.append([gauge(0, "cpu_usage_percent", 0.0), took(60, REQUEST, (("http_route", "/"),), 0.5)])
    assert store.sql(METRICS).rows == [
        (MIDNIGHT, None, None, None, 0.0, None, None),
        (MIDNIGHT + timedelta(minutes=1), None, None, None, None, None, None),
    ]


def test_requests_without_failures_have_a_rate_of_zero(store: DuckDBStore) -> None:
    store.append([took(0, REQUEST, (("http_response_status_code", "200"),), 0.5)])
    assert store.sql("SELECT error_rate_percent FROM perf.performance_metrics").rows == [(0.0,)]


def test_hits_count_from_the_minute_before_and_from_zero_after_a_restart(store: DuckDBStore) -> None:
    store.append([asked(0, "load", 10.0), asked(0, "memory", 10.0), asked(70, "load", 11.0), asked(70, "memory", 10.0)])
    store.append([asked(130, "load", 1.0), asked(130, "memory", 3.0)])
    assert store.sql("SELECT cache_hit_rate_percent FROM perf.performance_metrics ORDER BY timestamp").rows == [
        (None,),
        (0.0,),
        (75.0,),
    ]


def test_queries_have_names_and_milliseconds(store: DuckDBStore) -> None:
    store.append(everything())
    assert store.sql("FROM perf.query_performance ORDER BY query_name").rows == [
        (MIDNIGHT, "SELECT a", 312.5, False),
        (MIDNIGHT, "find:trips", 187.5, False),
    ]


def test_alerts_say_what_is_wrong(store: DuckDBStore) -> None:
    store.alerts.put_rule(AlertRule(id="deep", name="Deep queue", metric="depth"), "Ada")
    incidents = [
        Incident(
            id=f"i{n}",
            rule_id="deep",
            key=f"k{n}",
            labels=(),
            state=IncidentState.FIRING,
            severity=Severity.HIGH,
            since=T0,
            fired_at=T0 + 60.0 * n,
            summary=summary,
        )
        for n, summary in enumerate(["", "700 jobs wait"])
    ]
    store.alerts.commit(Step(incidents=tuple(incidents)))
    assert store.sql("FROM perf.performance_alerts ORDER BY timestamp").rows == [
        (MIDNIGHT, "Deep queue", "high", "Deep queue"),
        (MIDNIGHT + timedelta(minutes=1), "Deep queue", "high", "700 jobs wait"),
    ]
