"""Measurements as OTLP metrics: exponential histograms and counters as deltas, gauges as they are.

Deltas, because a receiver that starts anew can add them up without knowing what came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2

from perf.model import SCALE, Exemplar, Histogram, HistogramSample, Kind, Labels, Measurement, Metric
from perf.model.measurement import encodable
from perf.transport import exemplars, names
from perf.transport.decode import OWN_SCOPE

POINTS = 2_000
"""Points of one request at most: well below a mebibyte with gzip, also when each is a wide histogram."""

_DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


def requests(
    measurements: Sequence[Measurement], resource: Mapping[str, str], since: float
) -> Iterator[ExportMetricsServiceRequest]:
    """*measurements*, counters as increases since *since* (Unix seconds), from *resource*; one request each POINTS."""
    for first in range(0, len(measurements), POINTS):
        request = ExportMetricsServiceRequest()
        block = request.resource_metrics.add()
        for name, value in resource.items():
            _attribute(block.resource.attributes, name, value)
        scope = block.scope_metrics.add()
        scope.scope.name = OWN_SCOPE
        written: dict[Metric, Any] = {}  # untyped protobuf
        points: dict[tuple[Metric, Labels], Any] = {}  # as above
        for each in sorted(measurements[first : first + POINTS], key=_is_exemplar):
            if each.metric not in written:
                written[each.metric] = _metric(scope.metrics, each.metric)
            key = (each.metric, each.labels)
            if not isinstance(each, Exemplar) or key not in points:
                points[key] = _point(written[each.metric], each, since)
            if isinstance(each, Exemplar):
                exemplars.write(points[key], each)
        yield request


def _is_exemplar(measurement: Measurement) -> bool:
    return isinstance(measurement, Exemplar)


def _metric(metrics: Any, measured: Metric) -> Any:  # untyped protobuf
    wire = metrics.add(name=names.outside(measured.name), unit=measured.unit, description=measured.help)
    if measured.kind is Kind.HISTOGRAM:
        wire.exponential_histogram.aggregation_temporality = _DELTA
    elif measured.kind is Kind.COUNTER:
        wire.sum.aggregation_temporality = _DELTA
        wire.sum.is_monotonic = True
    elif names.is_additive(measured):
        wire.sum.aggregation_temporality = _CUMULATIVE
    return wire


def _point(wire: Any, each: Measurement, since: float) -> Any:  # untyped protobuf
    """A data point of *each*; of an exemplar, which has none of its own, an empty one to hold it."""
    kind = wire.WhichOneof("data") or "gauge"
    point = getattr(wire, kind).data_points.add()
    for label, value in each.labels:
        _attribute(point.attributes, names.attribute(label), value)
    point.time_unix_nano = round(each.ts * 1e9)
    if kind != "gauge":
        point.start_time_unix_nano = min(round(since * 1e9), point.time_unix_nano)
    if isinstance(each, HistogramSample):
        _histogram(point, each.histogram)
    elif isinstance(each, Exemplar):
        point.scale = SCALE
    else:
        point.as_double = each.value
    return point


def _histogram(point: Any, histogram: Histogram) -> None:  # untyped protobuf
    point.scale = SCALE
    point.count, point.sum, point.zero_count = histogram.count, histogram.total, histogram.zero
    if histogram.count:
        point.min, point.max = histogram.low, histogram.high
    if histogram.buckets:
        first, last = min(histogram.buckets), max(histogram.buckets)
        point.positive.offset = first
        point.positive.bucket_counts.extend(histogram.buckets.get(index, 0) for index in range(first, last + 1))


def _attribute(attributes: Any, name: str, value: str) -> None:  # untyped protobuf
    pair = attributes.add(key=encodable(name))
    if name == "http.response.status_code" and value.isdecimal() and len(value) < 10:
        pair.value.int_value = int(value)
    else:
        pair.value.string_value = encodable(value)
