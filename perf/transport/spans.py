"""OTLP traces as distributions of durations. The spans themselves are not kept yet.

A server's HTTP span counts as ``http_server_request_duration_seconds``, unless its program sends that as a metric too (then
nothing would be gained and everything counted twice; what came before its first metric is taken off that); every other span as ``span_duration_seconds{span}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from perf.model import Histogram, HistogramSample, Kind, Labels, Metric
from perf.transport import names
from perf.transport.decode import FUTURE_SECONDS, REQUESTS, Decoded, Known, Limits, Refused
from perf.transport.traced import UNMATCHED, request_of
from perf.transport.values import attributes

_REQUESTS = Metric(REQUESTS, Kind.HISTOGRAM, "s", "Duration of HTTP requests.")
_SPANS = Metric("span_duration_seconds", Kind.HISTOGRAM, "s", "Duration of spans of traces, by name.")

_HTTP = {
    "http_request_method": ("http.request.method", "http.method"),
    "http_route": ("http.route",),
    "http_response_status_code": ("http.response.status_code", "http.status_code"),
}


def durations(
    request: ExportTraceServiceRequest, known: Known, limits: Limits, metered: set[Labels], now: float
) -> Decoded:
    """The durations of all spans in *request*, a histogram each second and series; *metered* resources send metrics too."""
    result = Decoded()
    found: dict[tuple[int, Metric, Labels], list[float]] = {}
    for sender, release, span in _spans(request):
        try:
            seconds = _seconds(span, limits, now)
            metric, labels = _series(span, sender, metered)
            if not known.admits(metric.name, labels):
                raise Refused(f"label cap: {metric.name} has too many label sets")
            found.setdefault((int(span.end_time_unix_nano // 10**9), metric, labels), []).append(seconds)
            if metric is _REQUESTS:
                result.counted.setdefault(names.labels(sender.items()), Counter())[request_of(labels)] += 1
            result.ran(sender, release, span.end_time_unix_nano / 1e9)
        except Refused as error:
            result.rejected[str(error)] += 1
    for (second, metric, labels), values in found.items():
        result.measurements.append(HistogramSample(float(second), metric, labels, Histogram.of(values)))
    return result


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[dict[str, str], str, Any]]:  # untyped protobuf
    """Every span, with the labels of its resource and its release."""
    for resource in request.resource_spans:
        told = dict(attributes(resource.resource.attributes))
        sender, release = names.resource_labels(told), told.get(names.RELEASE, "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield sender, release, span


def _seconds(span: Any, limits: Limits, now: float) -> float:  # untyped protobuf
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    if not start or end < start:
        raise Refused("a span that ends before it starts")
    if not now - limits.max_age <= end / 1e9 <= now + FUTURE_SECONDS:
        raise Refused("too old, or from the future")
    return float(end - start) / 1e9


def _series(span: Any, sender: Mapping[str, str], metered: set[Labels]) -> tuple[Metric, Labels]:  # untyped protobuf
    if span.kind == trace_pb2.Span.SPAN_KIND_SERVER and names.labels(sender.items()) not in metered:
        told = dict(attributes(span.attributes))
        values = {label: next((told[key] for key in keys if key in told), "") for label, keys in _HTTP.items()}
        if values["http_request_method"]:
            values["http_route"] = values["http_route"] or UNMATCHED
            return _REQUESTS, names.labels([*values.items(), *sender.items()])
    return _SPANS, names.labels([("span", span.name), *sender.items()])
