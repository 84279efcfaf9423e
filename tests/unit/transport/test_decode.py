from __future__ import annotations

import math

import pytest

from perf.model import HistogramSample, Kind, Metric, Sample
from perf.transport.decode import Decoded, Decoder, Known, Limits
from perf.transport.spans import durations
from perf.transport.streams import Streams
from tests.unit.transport.wire import (
    CUMULATIVE,
    DELTA,
    NOW,
    explicit,
    gauge,
    metric,
    nanos,
    request,
    spans,
    total,
)

SHOP = (("service", "shop"),)


def decoder(limits: Limits | None = None) -> Decoder:
    limits = limits or Limits()
    return Decoder(Streams(NOW), Known(limits), limits)


def decoded(*metrics: object, limits: Limits | None = None, scope: str = "lib") -> Decoded:
    return decoder(limits).metrics(request(*metrics, scope=scope), NOW + 1)


def test_a_gauge_is_a_sample_with_the_labels_of_point_and_resource() -> None:
    result = decoded(gauge("queue.depth", 4.0, at=0.5, unit="{job}", queue__name="mail"))
    labels = (("queue_name", "mail"), *SHOP)
    assert result.measurements == [Sample(NOW + 0.5, Metric("queue_depth", Kind.GAUGE, "{job}"), labels, 4.0)]
    assert not result.rejected


def test_a_whole_number_is_read_too() -> None:
    made = metric("n")
    made.gauge.data_points.add(time_unix_nano=nanos(NOW), as_int=-(2**40))
    (sample,) = decoded(made).measurements
    assert isinstance(sample, Sample)
    assert sample.value == -(2.0**40)


def test_running_totals_of_two_processes_are_one_counter_of_ours() -> None:
    made = decoder()
    values = []
    for at, instance, value in ((1, "1", 5.0), (1.5, "2", 3.0), (2, "1", 7.0)):
        result = made.metrics(request(total("jobs", value, at=at), instance=instance), NOW + at)
        values += [(each.ts - NOW, each.value) for each in result.measurements if isinstance(each, Sample)]
    assert values == [(0.0, 0.0), (1.0, 5.0), (1.5, 8.0), (2.0, 10.0)]


def test_deltas_add_up() -> None:
    made = decoder()
    last: list[object] = []
    for at in (1.0, 2.0):
        last = list(made.metrics(request(total("jobs", 5.0, at=at, temporality=DELTA)), NOW + at).measurements)
    assert last == [Sample(NOW + 2, Metric("jobs_total", Kind.COUNTER), SHOP, 10.0)]


def test_an_up_down_counter_is_a_gauge_over_all_processes() -> None:
    made = decoder()
    made.metrics(request(total("open", 3.0, at=0.1, monotonic=False), instance="1"), NOW + 1)
    result = made.metrics(request(total("open", 4.0, at=0.2, monotonic=False), instance="2"), NOW + 1)
    assert result.measurements == [Sample(NOW + 0.2, Metric("open", Kind.GAUGE), SHOP, 7.0)]
    delta = total("open", -1.0, at=0.3, monotonic=False, temporality=DELTA)
    assert made.metrics(request(delta, instance="2"), NOW + 1).measurements == [
        Sample(NOW + 0.3, Metric("open", Kind.GAUGE), SHOP, 6.0)
    ]


def test_a_running_histogram_is_stored_as_what_came_since() -> None:
    made = decoder()
    first = explicit("work.duration", [1, 2], [1.0], at=1, temporality=CUMULATIVE, added=3.0)
    then = explicit("work.duration", [1, 5], [1.0], at=2, temporality=CUMULATIVE, added=9.0)
    counts = []
    for sent in (first, then, then):
        result = made.metrics(request(sent), NOW + 2)
        counts += [
            (s.histogram.count, s.histogram.total) for s in result.measurements if isinstance(s, HistogramSample)
        ]
    assert counts == [(3, 3.0), (3, 6.0)]


def test_explicit_bounds_count_as_inexact() -> None:
    result = decoded(explicit("work.duration", [1, 2], [1.0], at=0))
    assert (result.inexact, result.rejected.total()) == (1, 0)
    assert result.measurements[0].metric == Metric("work_duration_seconds", Kind.HISTOGRAM, "s")


def test_what_perf_sends_keeps_its_names() -> None:
    assert decoded(gauge("load", 1.0, unit="1"), scope="perf").measurements[0].metric.name == "load"
    assert decoded(gauge("load", 1.0, unit="1")).measurements[0].metric.name == "load_ratio"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (gauge("x", math.nan), "not finite"),
        (gauge("x", math.inf), "not finite"),
        (gauge("x", 1.0, at=-8 * 86_400), "too old, or without a time"),
        (gauge("x", 1.0, at=4_000), "from the future"),
        (total("x", -1.0, at=0), "a counter that is negative"),
        (total("x", 1.0, at=0, temporality=0), "neither deltas nor running totals"),
        (explicit("x", [1, 2, 3], [1.0], at=0), "bounds and counts that don't fit together"),
        (explicit("x", [1, 0, 3], [2.0, 1.0], at=0), "bounds and counts that don't fit together"),
        (explicit("x", [1, 2], [-1.0], at=0), "negative observations"),
    ],
)
def test_what_can_not_be_taken_is_counted_with_its_reason_and_the_rest_is_taken(bad: object, reason: str) -> None:
    result = decoded(bad, gauge("fine", 1.0))
    assert [each.metric.name for each in result.measurements] == ["fine"]
    assert result.rejected == {reason: 1}


def test_a_summary_is_rejected_by_name() -> None:
    made = metric("x")
    made.summary.data_points.add(time_unix_nano=nanos(NOW), count=3)
    assert decoded(made).rejected == {"summary: not a type that can be kept": 1}


def test_label_sets_beyond_the_cap_are_rejected_and_known_ones_still_taken() -> None:
    made = decoder(Limits(label_cap=2))
    result = made.metrics(request(*(gauge("x", 1.0, route=str(n)) for n in (1, 2, 3, 1))), NOW)
    assert len(result.measurements) == 3
    assert result.rejected == {"label cap: x has too many label sets": 1}


def test_a_series_has_so_many_labels_at_most() -> None:
    many = gauge("x", 1.0)
    for number in range(128):  # and the service's
        attribute = many.gauge.data_points[0].attributes.add(key=f"label_{number}")
        attribute.value.string_value = "y"
    result = decoded(many, gauge("x", 1.0, route="/"))
    assert len(result.measurements) == 1
    assert result.rejected == {"too many labels: a series has at most 128": 1}


def test_a_point_without_a_value_is_no_error() -> None:
    made = metric("x")
    made.gauge.data_points.add(time_unix_nano=nanos(NOW), flags=1)
    result = decoded(made)
    assert (result.measurements, result.rejected.total()) == ([], 0)


def test_attributes_of_every_type_become_text() -> None:
    made = metric("x")
    point = made.gauge.data_points.add(time_unix_nano=nanos(NOW), as_int=1)
    point.attributes.add(key="n").value.int_value = 200
    point.attributes.add(key="b").value.bool_value = True
    point.attributes.add(key="f").value.double_value = 0.5
    point.attributes.add(key="l").value.array_value.values.add().string_value = "a"
    point.attributes.add(key="y").value.bytes_value = b"\x01"
    assert decoded(made).measurements[0].labels == (
        ("b", "true"), ("f", "0.5"), ("l", '["a"]'), ("n", "200"), ("service", "shop"), ("y", "01"),
    )  # fmt: skip


def http(route: str, seconds: float) -> dict[str, object]:
    attributes = {"http__request__method": "GET", "http__route": route, "http__response__status_code": "200"}
    return {"name": f"GET {route}", "kind": 2, "seconds": seconds, "attributes": attributes}


def test_a_servers_http_span_is_a_request_duration() -> None:
    sent = spans(http("/a", 0.5), http("/a", 0.25), {"name": "load", "seconds": 2.0})
    result = durations(sent, Known(Limits()), Limits(), set(), NOW)
    found = {each.metric.name: each for each in result.measurements if isinstance(each, HistogramSample)}
    requests = found["http_server_request_duration_seconds"]
    assert requests.labels == (
        ("http_request_method", "GET"), ("http_response_status_code", "200"), ("http_route", "/a"), *SHOP,
    )  # fmt: skip
    assert (requests.histogram.count, requests.histogram.low, requests.histogram.high) == (2, 0.25, 0.5)
    assert found["span_duration_seconds"].labels == (*SHOP, ("span", "load"))


def test_a_program_that_sends_request_durations_as_metrics_is_not_counted_twice() -> None:
    result = durations(spans(http("/a", 0.5)), Known(Limits()), Limits(), {SHOP}, NOW)
    assert [each.metric.name for each in result.measurements] == ["span_duration_seconds"]


def test_a_resource_that_sends_request_durations_is_noted() -> None:
    assert decoded(explicit("http.server.request.duration", [1, 0], [1.0], at=0)).metered == {SHOP}


def test_a_span_that_ends_before_it_starts_is_rejected() -> None:
    result = durations(spans({"name": "x", "seconds": -1.0}), Known(Limits()), Limits(), set(), NOW)
    assert result.rejected == {"a span that ends before it starts": 1}
