"""Slow calls on the wire: ours there and back, and those of OpenTelemetry's own SDK."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from perf.model import Exemplar, Histogram, HistogramSample, Kind, Measurement, Metric
from perf.transport.decode import Decoder, Known, Limits
from perf.transport.encode import requests
from perf.transport.streams import Streams
from tests.unit.transport.wire import CUMULATIVE, NOW, explicit, nanos, request

WORK = Metric("function_duration_seconds", Kind.HISTOGRAM, "s")
F, G = (("function", "f"),), (("function", "g"),)
CALL = Exemplar(
    ts=NOW - 30.5,
    metric=WORK,
    labels=F,
    seconds=1.25,
    arguments=("str(3)", "n=int", "and 2 more"),
    parents=("outer", "main"),
    trace="0af7651916cd43dd8448eb211c80319c",
    release="1.1",
    error="ValueError",
)
BARE = Exemplar(ts=NOW, metric=WORK, labels=G, seconds=0.5)


def received(*sent: ExportMetricsServiceRequest, now: float = NOW + 1) -> list[Measurement]:
    made = Decoder(Streams(NOW - 60), Known(Limits()), Limits())
    return [each for one in sent for each in made.metrics(one, now).measurements]


def test_a_call_comes_back_as_it_went_with_or_without_its_histogram() -> None:
    sent: list[Measurement] = [CALL, BARE, HistogramSample(NOW, WORK, F, Histogram.of([1.25]))]
    (request,) = requests(sent, {}, NOW - 1)
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    assert [(p.count, len(p.exemplars)) for p in metric.exponential_histogram.data_points] == [(1, 1), (0, 1)]
    back = received(ExportMetricsServiceRequest.FromString(request.SerializeToString()))
    assert [each for each in back if isinstance(each, Exemplar)] == [CALL, BARE]
    # The point that only holds a call counts for nothing.
    assert [each.histogram.count for each in back if isinstance(each, HistogramSample)] == [1]


def test_the_release_of_the_resource_holds_for_calls_that_say_none() -> None:
    (request,) = requests([BARE], {"service.version": "2.0", "service.name": "shop"}, NOW - 1)
    (back,) = received(request)
    assert isinstance(back, Exemplar)
    assert (back.release, dict(back.labels)) == ("2.0", {"function": "g", "service": "shop"})


def stock(*, at: float, seen: list[float], count: int, unit: str = "s") -> Any:
    """A running histogram with an exemplar at each of the times in *seen*, in milliseconds of *unit* ms."""
    made = explicit("work.duration", [count], [], at=at, temporality=CUMULATIVE)
    made.unit = unit
    for when in seen:
        wire = made.histogram.data_points[0].exemplars.add(time_unix_nano=nanos(NOW + when), as_double=250.0)
        wire.trace_id = bytes(range(16))
        wire.filtered_attributes.add(key="user").value.string_value = "anna"
    return made


def test_exemplars_of_a_stock_program_come_once_although_they_are_sent_again() -> None:
    back = received(
        request(stock(at=0.5, seen=[0.2], count=1, unit="ms")),
        request(stock(at=0.9, seen=[0.2, 0.7], count=2, unit="ms")),
        request(stock(at=0.9, seen=[0.2, 0.7], count=2, unit="ms")),
    )
    calls = [each for each in back if isinstance(each, Exemplar)]
    assert [call.ts - NOW for call in calls] == pytest.approx([0.2, 0.7])
    assert {(call.seconds, call.arguments, call.trace) for call in calls} == {
        (0.25, ("user=anna",), bytes(range(16)).hex())
    }


@pytest.mark.parametrize(
    ("when", "value", "unit"),
    [(0.2, math.nan, "s"), (0.2, -1.0, "s"), (0.2, 1.0, "By"), (-1e7, 1.0, "s"), (1e6, 1.0, "s")],
)
def test_what_is_no_call_is_skipped(when: float, value: float, unit: str) -> None:
    made = stock(at=0.5, seen=[when], count=1, unit=unit)
    made.histogram.data_points[0].exemplars[0].as_double = value
    assert [type(each) for each in received(request(made))] == [HistogramSample]


def test_long_texts_are_cut() -> None:
    made = stock(at=0.5, seen=[0.2], count=1)
    pairs = made.histogram.data_points[0].exemplars[0].filtered_attributes
    for number in range(50):
        pairs.add(key=f"k{number}").value.string_value = "x" * 10_000
    (call,) = (each for each in received(request(made)) if isinstance(each, Exemplar))
    assert len(call.arguments) < 20
    assert max(map(len, call.arguments)) < 300
