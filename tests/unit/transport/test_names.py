from __future__ import annotations

import pytest

from perf.model import Kind, Metric
from perf.transport import names


@pytest.mark.parametrize(
    ("name", "unit", "kind", "ours", "base", "factor"),
    [
        ("http.server.request.duration", "s", Kind.HISTOGRAM, "http_server_request_duration_seconds", "s", 1.0),
        ("http.server.duration", "ms", Kind.HISTOGRAM, "http_server_duration_seconds", "s", 1e-3),
        ("jobs", "1", Kind.COUNTER, "jobs_total", "1", 1.0),
        ("jobs_total", "", Kind.COUNTER, "jobs_total", "", 1.0),
        ("cpu.time", "s", Kind.COUNTER, "cpu_time_seconds_total", "s", 1.0),
        ("cpu.utilization", "1", Kind.GAUGE, "cpu_utilization_ratio", "1", 1.0),
        ("memory.usage", "KiBy", Kind.GAUGE, "memory_usage_bytes", "By", 1024.0),
        ("http.server.active_requests", "{request}", Kind.GAUGE, "http_server_active_requests", "{request}", 1.0),
        ("2nd-try!", "", Kind.GAUGE, "_2nd_try_", "", 1.0),
    ],
)
def test_a_name_and_unit_of_opentelemetry_as_ours(
    name: str, unit: str, kind: Kind, ours: str, base: str, factor: float
) -> None:
    meaning = names.metric(name, unit, kind)
    assert (meaning.metric, meaning.factor) == (Metric(ours, kind, base), factor)


@pytest.mark.parametrize(
    "metric",
    [
        Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s"),
        Metric("http_server_active_requests", Kind.GAUGE, "{request}"),
        Metric("db_client_operation_duration_seconds", Kind.HISTOGRAM, "s"),
    ],
)
def test_a_conventional_name_comes_back_as_it_went(metric: Metric) -> None:
    assert names.metric(names.outside(metric.name), metric.unit, metric.kind).metric == metric


def test_labels_are_sorted_cleaned_and_cut_and_empty_ones_are_none() -> None:
    told = [("http.route", "/a"), ("b", ""), ("a", "x" * 2_000)]
    assert names.labels(told) == (("a", "x" * names.VALUE_LENGTH), ("http_route", "/a"))


def test_a_resource_gives_service_and_host() -> None:
    told = {"service.name": "shop", "host.name": "web1", "service.version": "2"}
    assert names.resource_labels(told) == {"service": "shop", "host": "web1"}
