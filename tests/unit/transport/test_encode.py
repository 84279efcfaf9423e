"""Our requests, read with OpenTelemetry's own types, and by our own receiver."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from perf.model import Exemplar, Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.model.distribution import SCALE
from perf.transport.decode import Decoder, Known, Limits
from perf.transport.deltas import Deltas
from perf.transport.encode import POINTS, requests
from perf.transport.streams import Streams

T = 1_700_000_000.0
RESOURCE = {"service.name": "shop", "service.instance.id": "x", "host.name": "web1"}
REQUESTS = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s", "Duration of HTTP requests.")
ERRORS = Metric("function_errors_total", Kind.COUNTER, "1")
ACTIVE = Metric("http_server_active_requests", Kind.GAUGE, "{request}")
CUSTOM = Metric("custom_metric", Kind.GAUGE, "1")
LABELS = (("http_request_method", "GET"), ("http_response_status_code", "200"), ("http_route", "/a/{id}"))
SHAPE = Histogram.of([0.0, 0.1, 0.2, 0.2, 3.0])
SENT: list[Measurement] = [
    HistogramSample(T, REQUESTS, LABELS, SHAPE),
    Sample(T, ERRORS, (("function", "f"),), 3.0),
    Sample(T, ACTIVE, (), 2.0),
    Sample(T, CUSTOM, (("name", "user_login"),), 1.5),
]


def encoded(measurements: list[Measurement]) -> list[ExportMetricsServiceRequest]:
    """Through bytes, so that nothing but the wire counts."""
    made = requests(measurements, RESOURCE, T - 1)
    return [ExportMetricsServiceRequest.FromString(each.SerializeToString()) for each in made]


def test_every_field_stands_where_opentelemetry_looks_for_it() -> None:
    (request,) = encoded(SENT)
    (block,) = request.resource_metrics
    assert {pair.key: pair.value.string_value for pair in block.resource.attributes} == RESOURCE
    assert block.scope_metrics[0].scope.name == "perf"
    durations, errors, active, custom = block.scope_metrics[0].metrics

    assert (durations.name, durations.unit, durations.description) == (
        "http.server.request.duration", "s", "Duration of HTTP requests.",
    )  # fmt: skip
    assert durations.exponential_histogram.aggregation_temporality == 1
    (point,) = durations.exponential_histogram.data_points
    assert (point.scale, point.count, point.zero_count) == (SCALE, 5, 1)
    assert (point.sum, point.min, point.max) == (SHAPE.total, 0.0, 3.0)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (round((T - 1) * 1e9), round(T * 1e9))
    first = point.positive.offset
    counts = {first + place: n for place, n in enumerate(point.positive.bucket_counts) if n}
    assert counts == SHAPE.buckets
    told = {pair.key: pair.value for pair in point.attributes}
    assert told["http.request.method"].string_value == "GET"
    assert told["http.route"].string_value == "/a/{id}"
    assert told["http.response.status_code"].int_value == 200

    assert (errors.name, errors.sum.is_monotonic, errors.sum.aggregation_temporality) == (
        "function_errors_total",
        True,
        1,
    )
    assert errors.sum.data_points[0].as_double == 3.0
    assert (active.name, active.sum.is_monotonic, active.sum.aggregation_temporality) == (
        "http.server.active_requests", False, 2,
    )  # fmt: skip
    assert active.sum.data_points[0].as_double == 2.0
    assert (custom.name, custom.unit, custom.gauge.data_points[0].as_double) == ("custom_metric", "1", 1.5)


def test_our_own_receiver_reads_what_was_recorded() -> None:
    (request,) = encoded(SENT)
    result = Decoder(Streams(T - 5), Known(Limits()), Limits()).metrics(request, T)
    extra = (("host", "web1"), ("service", "shop"))
    assert result.measurements == [
        HistogramSample(T, REQUESTS, tuple(sorted((*LABELS, *extra))), SHAPE),
        Sample(T - 1, ERRORS, (("function", "f"), *extra), 0.0),
        Sample(T, ERRORS, (("function", "f"), *extra), 3.0),
        Sample(T, ACTIVE, extra, 2.0),
        Sample(T, CUSTOM, tuple(sorted((("name", "user_login"), *extra))), 1.5),
    ]
    assert (result.inexact, result.rejected.total()) == (0, 0)


def test_running_totals_go_out_as_increases() -> None:
    deltas = Deltas()
    increases = []
    for total in (3.0, 5.0, 5.0, 1.0):
        (each,) = deltas.increases([Sample(T, ERRORS, (), total)])
        assert isinstance(each, Sample)
        increases.append(each.value)
    assert increases == [3.0, 2.0, 0.0, 1.0]


def test_many_measurements_are_several_requests() -> None:
    many: list[Measurement] = [Sample(T, CUSTOM, (("n", str(n)),), 1.0) for n in range(POINTS + 1)]
    sizes = [len(each.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points) for each in encoded(many)]
    assert sizes == [POINTS, 1]


def test_text_that_is_no_text_and_a_status_that_is_none_do_not_cost_the_batch() -> None:
    labels = (("http_response_status_code", "9" * 30), ("http_route", "/\ud800"))
    call = Exemplar(ts=T, metric=REQUESTS, labels=labels, seconds=1.0, arguments=("\udcff",), error="\udcff")
    told: list[Measurement] = [HistogramSample(T, REQUESTS, labels, SHAPE), call]
    (request,) = requests(told, {"service.name": "\udcff.py"}, T - 1)
    (block,) = ExportMetricsServiceRequest.FromString(request.SerializeToString()).resource_metrics
    (point,) = block.scope_metrics[0].metrics[0].exponential_histogram.data_points
    assert block.resource.attributes[0].value.string_value == "?.py"
    assert [pair.value.string_value for pair in point.attributes] == ["9" * 30, "/?"]
    assert point.exemplars[0].filtered_attributes[0].value.array_value.values[0].string_value == "?"
