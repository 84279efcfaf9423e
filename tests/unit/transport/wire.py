"""OTLP requests for tests, built with OpenTelemetry's own types."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

CUMULATIVE, DELTA = 2, 1
NOW = 1_700_000_000.0


def nanos(seconds: float) -> int:
    """Unix seconds as OTLP writes them."""
    return round(seconds * 1e9)


def attribute(pairs: Any, **values: str) -> None:
    """Add *values*; ``__`` in a name is a dot."""
    for name, value in values.items():
        pairs.add(key=name.replace("__", ".")).value.string_value = value


def request(*metrics: Any, instance: str = "1", scope: str = "lib") -> ExportMetricsServiceRequest:
    """One resource, service ``shop``, with *metrics*."""
    made = ExportMetricsServiceRequest()
    block = made.resource_metrics.add()
    attribute(block.resource.attributes, service__name="shop", service__instance__id=instance)
    inner = block.scope_metrics.add()
    inner.scope.name = scope
    inner.metrics.extend(metrics)
    return made


def metric(name: str, unit: str = "") -> Any:
    """An empty metric."""
    return ExportMetricsServiceRequest().resource_metrics.add().scope_metrics.add().metrics.add(name=name, unit=unit)


def gauge(name: str, value: float, *, at: float = 0.0, unit: str = "", **labels: str) -> Any:
    """A gauge with one point, *at* seconds after NOW."""
    made = metric(name, unit)
    point = made.gauge.data_points.add(time_unix_nano=nanos(NOW + at), as_double=value)
    attribute(point.attributes, **labels)
    return made


def total(
    name: str, value: float, *, at: float, start: float = 0.0, temporality: int = CUMULATIVE, monotonic: bool = True
) -> Any:
    """A sum with one point; times in seconds after NOW."""
    made = metric(name)
    made.sum.aggregation_temporality = temporality
    made.sum.is_monotonic = monotonic
    made.sum.data_points.add(time_unix_nano=nanos(NOW + at), start_time_unix_nano=nanos(NOW + start), as_double=value)
    return made


def explicit(
    name: str, counts: list[int], bounds: list[float], *, at: float, temporality: int = DELTA, added: float = 1.0
) -> Any:
    """A histogram with one point in seconds, begun at NOW."""
    made = metric(name, "s")
    made.histogram.aggregation_temporality = temporality
    made.histogram.data_points.add(
        time_unix_nano=nanos(NOW + at),
        start_time_unix_nano=nanos(NOW),
        count=sum(counts),
        sum=added,
        bucket_counts=counts,
        explicit_bounds=bounds,
    )
    return made


def spans(*wanted: dict[str, Any]) -> ExportTraceServiceRequest:
    """Spans of service ``shop``: name, kind, seconds, and attributes."""
    made = ExportTraceServiceRequest()
    block = made.resource_spans.add()
    attribute(block.resource.attributes, service__name="shop")
    inner = block.scope_spans.add()
    for each in wanted:
        span = inner.spans.add(
            name=each["name"],
            kind=each.get("kind", 1),
            trace_id=bytes(range(16)),
            span_id=bytes(range(8)),
            start_time_unix_nano=nanos(NOW) - nanos(each["seconds"]),
            end_time_unix_nano=nanos(NOW),
        )
        attribute(span.attributes, **each.get("attributes", {}))
    return made
