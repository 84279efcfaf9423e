"""Distributions over HTTP: questions, listings, and where they are left out."""

from __future__ import annotations

import pytest

from perf.model import Histogram, HistogramSample, Kind, Metric
from tests.unit.api.conftest import NOW, Api

WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s", "How long it took.")


@pytest.fixture
def waited(filled: Api) -> Api:
    """Two routes: a hundred quick requests and one slow."""
    for route, observed in (("/a", [0.125] * 99), ("/b", [8.0])):
        filled.runtime.store.append([HistogramSample(NOW - 60, WAIT, (("http_route", route),), Histogram.of(observed))])
    return filled


@pytest.mark.parametrize(
    ("text", "expected", "unit"),
    [
        ("p95(wait_seconds)", [({}, 0.125)], "s"),
        ("p99_over_time(wait_seconds)", [({"http_route": "/a"}, 0.125), ({"http_route": "/b"}, 8.0)], "s"),
        ("p99 by (http_route) (wait_seconds)", [({"http_route": "/a"}, 0.125), ({"http_route": "/b"}, 8.0)], "s"),
        ("sum(count_over_time(wait_seconds))", [({}, 100)], "1"),
        ("sum(rate(wait_seconds))", [({}, 5)], "1/s"),
        ("sum(sum_over_time(wait_seconds))", [({}, 20.375)], "s"),
        ("avg(wait_seconds)", [({}, 0.20375)], "s"),
        ("max(max_over_time(wait_seconds))", [({}, 8)], "s"),
    ],
)
def test_distributions_are_asked_like_anything(waited: Api, text: str, expected: object, unit: str) -> None:
    body = waited.get("/api/v1/query", f"query={text}&from=now-80s&to=now-40s&step=20s").json()
    found = [(entry["labels"], next(value for value in entry["v"] if value is not None)) for entry in body["series"]]
    assert [(labels, pytest.approx(value, rel=0.022)) for labels, value in found] == expected
    assert {entry["unit"] for entry in body["series"]} == {unit}


def test_the_aggregate_parameter_knows_percentiles(waited: Api) -> None:
    body = waited.get("/api/v1/query", "query=wait_seconds&aggregate=p50&from=now-80s&step=20s").json()
    assert [entry["aggregate"] for entry in body["series"]] == ["p50", "p50"]


@pytest.mark.parametrize(
    ("question", "detail"),
    [
        ("query=avg(p95_over_time(wait_seconds))", "percentiles can't be combined by avg"),
        ("query=avg(wait_seconds)&aggregate=p95", "percentiles can't be combined by avg"),
        ("query=p95(queue_depth)", "a gauge has no percentiles"),
        ("query=last_over_time(wait_seconds)", "has no last value"),
        ("query=sum(wait_seconds)", "a sum of averages says nothing"),
    ],
)
def test_what_percentiles_cannot_say_is_a_problem(waited: Api, question: str, detail: str) -> None:
    answer = waited.get("/api/v1/query", question)
    assert answer.status_code == 400
    assert detail in answer.json()["detail"]


def test_distributions_are_listed_without_a_value(waited: Api) -> None:
    (first, _) = waited.get("/api/v1/series", "metric=wait_seconds&since=now-2m").json()["series"]
    assert (first["kind"], first["unit"], first["last"], first["points"]) == ("histogram", "s", [NOW - 60, None], [])


def test_scrapes_leave_distributions_out(waited: Api) -> None:
    assert "wait_seconds" not in waited.get("/metrics").text
    assert "queue_depth" in waited.get("/metrics").text


def test_percentiles_are_exported_in_steps(waited: Api) -> None:
    text = waited.get("/api/v1/export", "query=p95_over_time(wait_seconds)&from=now-80s&step=20s").text
    assert text.splitlines()[1].endswith("wait_seconds,http_route=/a,0.125,s")
