"""OTLP metrics as measurements of ours. Values in, values out; the memory that running totals need is handed in.

Deltas and running totals are both taken. What can't be taken is counted with a reason, never dropped silently.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2

from perf.model import HistogramSample, Kind, Labels, Measurement, Metric, Sample
from perf.transport import exemplars, names
from perf.transport.buckets import Explicit, Exponential, Odd, converted
from perf.transport.names import Meaning
from perf.transport.streams import Key, Streams
from perf.transport.traced import Counts, Traced
from perf.transport.values import attributes, number

REQUESTS = "http_server_request_duration_seconds"
OWN_SCOPE = "perf"
"""The instrumentation scope of what perf sends; its names are ours already."""
FUTURE_SECONDS = 600.0
"""How far ahead of ours a sender's clock may be."""

_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
_NO_VALUE = metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_TYPES = {
    "gauge": Kind.GAUGE,
    "sum": Kind.COUNTER,
    "histogram": Kind.HISTOGRAM,
    "exponential_histogram": Kind.HISTOGRAM,
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver takes: points not older than *max_age* seconds, *label_cap* label sets a metric and service, and so many
    *labels* in each.
    """

    max_age: float = 7 * 86_400.0
    label_cap: int = 1_000
    series_cap: int = 50_000
    labels: int = 128


class Known:
    """The label sets seen so far, capped per metric and service, and in all."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[tuple[str, str], set[Labels]] = {}
        self._size = 0

    def admits(self, metric: str, labels: Labels) -> bool:
        """Whether a point of this series may come in; a new label set is remembered. Raises: Refused for one that is too long."""
        service = next((value for name, value in labels if name == "service"), "")
        seen = self._seen.setdefault((metric, service), set())
        if labels in seen:
            return True
        if len(seen) >= self._limits.label_cap or self._size >= self._limits.series_cap:
            return False
        if len(labels) > self._limits.labels:
            raise Refused(f"too many labels: a series has at most {self._limits.labels}")
        seen.add(labels)
        self._size += 1
        return True


class Decoded(msgspec.Struct, kw_only=True):
    """What a request holds: *measurements*, rejected points by reason, and histogram points that had to be spread."""

    measurements: list[Measurement] = []
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    inexact: int = 0
    metered: set[Labels] = set()
    """Resources that send request durations as a metric."""
    counted: Counts = {}
    """Requests that were counted from spans."""
    taken: Counts = {}
    """What is left of such, when metrics tell of them."""
    releases: dict[tuple[str, str], float] = {}
    """(Service, release) -> the newest time at which it ran, in Unix seconds."""

    def ran(self, where: Mapping[str, str], release: str, ts: float) -> None:
        """The service of the labels *where* ran *release* at *ts*."""
        if release:
            key = (where.get("service", ""), release)
            self.releases[key] = max(ts, self.releases.get(key, 0.0))


class Refused(ValueError):
    """A point that can't be taken; the message says why."""


class _Where(msgspec.Struct, frozen=True):
    """Of whom a metric is: the sender's identity, its labels and its release; *own* when perf sent it."""

    sender: bytes
    labels: dict[str, str]
    release: str
    own: bool


class _Metric(msgspec.Struct, frozen=True):
    """What a metric's points have in common; *kind* is the name of its type on the wire."""

    where: _Where
    meaning: Meaning
    kind: str
    delta: bool


class _Origin(msgspec.Struct, frozen=True):
    """Of a point: its labels, its stream, start and time in Unix seconds, and when it came."""

    labels: Labels
    key: Key
    span: tuple[float, float]
    now: float


class Decoder:
    """Turns requests into measurements. Not thread-safe; *streams* must be told whether to `keep` what a call changed."""

    def __init__(self, streams: Streams, known: Known, limits: Limits, traced: Traced | None = None) -> None:
        self._streams = streams
        self._traced = traced or Traced()
        self._known = known
        self._limits = limits

    def metrics(self, request: ExportMetricsServiceRequest, now: float) -> Decoded:
        """The measurements in *request*, which arrived at *now* (Unix seconds)."""
        result = Decoded()
        for where, metric in _metrics(request):
            kind = metric.WhichOneof("data")
            points = getattr(metric, kind).data_points if kind else ()
            if kind not in _TYPES:
                # Quantiles of a summary can't be merged with anything.
                result.rejected[f"{kind or 'no data'}: not a type that can be kept"] += len(points) or 1
                continue
            try:
                whole = _whole(metric, kind, where)
            except Refused as error:
                result.rejected[str(error)] += len(points)
                continue
            for point in points:
                self._point(result, whole, point, now)
        return result

    def _point(self, result: Decoded, whole: _Metric, point: Any, now: float) -> None:  # untyped protobuf
        if point.flags & _NO_VALUE:
            return
        metric = whole.meaning.metric
        try:
            ts = _time(point.time_unix_nano, now, self._limits.max_age)
            labels = names.labels([*attributes(point.attributes), *whole.where.labels.items()])
            if not self._known.admits(metric.name, labels):
                raise Refused(f"label cap: {metric.name} has too many label sets")
            span = (min(point.start_time_unix_nano / 1e9, ts), ts)
            origin = _Origin(labels, (whole.where.sender, metric.name, labels), span, now)
            if metric.kind is Kind.HISTOGRAM:
                self._histogram(result, whole, origin, point)
            else:
                result.measurements += self._number(whole, origin, point)
            result.ran(whole.where.labels, whole.where.release, ts)
        except (Refused, Odd) as error:
            result.rejected[str(error)] += 1

    def _number(self, whole: _Metric, origin: _Origin, point: Any) -> list[Sample]:  # untyped protobuf
        metric = whole.meaning.metric
        value = number(point) * whole.meaning.factor
        if not math.isfinite(value):
            raise Refused("not finite")
        if whole.kind == "gauge":
            return [Sample(origin.span[1], metric, origin.labels, value)]
        streams, labels, span, now = self._streams, origin.labels, origin.span, origin.now
        if metric.kind is Kind.GAUGE:
            share = value + streams.share(metric, labels, origin.key) if whole.delta else value
            return [streams.level(metric, labels, origin.key, (span[1], share), now=now)]
        if value < 0:
            raise Refused("a counter that is negative")
        increase = value if whole.delta else streams.increase(origin.key, span, value, now=now)
        return [] if increase is None else streams.total(metric, labels, span, increase, now=now)

    def _histogram(self, result: Decoded, whole: _Metric, origin: _Origin, point: Any) -> None:  # untyped protobuf
        factor = whole.meaning.factor
        observed: Explicit | Exponential | None = histogram(point)
        newest = self._streams.newest(origin.key)
        if observed is not None and not whole.delta:
            converted(observed, factor)  # refuses before anything is remembered
            observed = self._streams.observed(origin.key, origin.span, observed, now=origin.now)
        if whole.meaning.metric.name == REQUESTS:
            sender = names.labels(whole.where.labels.items())
            result.metered.add(sender)
            observed = observed and self._traced.rest(result.taken, sender, origin.labels, observed)
        self._exemplars(result, whole, origin, point, newest)
        if observed is None or not observed.count:
            return
        value, exact = converted(observed, factor)
        result.inexact += not exact
        result.measurements.append(HistogramSample(origin.span[1], whole.meaning.metric, origin.labels, value))

    def _exemplars(
        self, result: Decoded, whole: _Metric, origin: _Origin, point: Any, after: float
    ) -> None:  # untyped protobuf
        """Those of a running total come again until its program sees others: only what is later than *after* is new."""
        metric = whole.meaning.metric
        if metric.unit != "s":
            return
        for call in exemplars.read(point, metric, origin.labels, whole.meaning.factor, whole.where.release):
            if after < call.ts <= origin.now + FUTURE_SECONDS and call.ts >= origin.now - self._limits.max_age:
                result.measurements.append(call)


def histogram(point: Any) -> Explicit | Exponential:
    """A histogram data point of either type. Raises: Odd when it contradicts itself or holds negative numbers."""
    total = point.sum if point.HasField("sum") else None
    low = point.min if point.HasField("min") else None
    high = point.max if point.HasField("max") else None
    read: Explicit | Exponential
    if isinstance(point, metrics_pb2.HistogramDataPoint):
        bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
        if not counts and not bounds:
            counts = (point.count,)
        if len(counts) != len(bounds) + 1 or list(bounds) != sorted(set(bounds)) or not all(map(math.isfinite, bounds)):
            raise Odd("bounds and counts that don't fit together")
        read = Explicit(bounds=bounds, counts=counts, total=total, low=low, high=high)
    else:
        if any(point.negative.bucket_counts):
            raise Odd("negative observations")
        first = point.positive.offset
        buckets = {first + place: n for place, n in enumerate(point.positive.bucket_counts) if n}
        read = Exponential(scale=point.scale, zero=point.zero_count, buckets=buckets, total=total, low=low, high=high)
    if read.count != point.count:
        raise Odd("a count that isn't the sum of its buckets")
    return read


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[tuple[_Where, Any]]:
    for resource in request.resource_metrics:
        sender = resource.resource.SerializeToString(deterministic=True)
        told = dict(attributes(resource.resource.attributes))
        labels, release = names.resource_labels(told), told.get(names.RELEASE, "")
        for scope in resource.scope_metrics:
            where = _Where(sender + scope.scope.name.encode(), labels, release, scope.scope.name == OWN_SCOPE)
            for metric in scope.metrics:
                yield where, metric


def _whole(metric: Any, kind: str, where: _Where) -> _Metric:  # untyped protobuf
    data = getattr(metric, kind)
    temporality = _CUMULATIVE if kind == "gauge" else data.aggregation_temporality
    if temporality not in (_CUMULATIVE, _DELTA):
        raise Refused("neither deltas nor running totals")
    ours = Kind.GAUGE if kind == "sum" and not data.is_monotonic else _TYPES[kind]
    if where.own and "." not in metric.name:
        meaning = Meaning(Metric(names.cleaned(metric.name), ours, metric.unit, metric.description), 1.0)
    else:
        meaning = names.metric(metric.name, metric.unit, ours, metric.description)
    return _Metric(where, meaning, kind, temporality == _DELTA)


def _time(nanoseconds: int, now: float, max_age: float) -> float:
    ts = nanoseconds / 1e9
    if not nanoseconds or ts < now - max_age:
        raise Refused("too old, or without a time")
    if ts > now + FUTURE_SECONDS:
        raise Refused("from the future")
    return ts
