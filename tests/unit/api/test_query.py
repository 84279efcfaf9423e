"""``/api/v1/query``: ranges in steps, and what is new since a time."""

from __future__ import annotations

import pytest

from tests.unit.api.conftest import DEPTH, MAIL, NOW, Api

T = int(NOW)


def test_a_gauge_is_averaged_step_by_step(filled: Api) -> None:
    answer = filled.get("/api/v1/query", "query=queue_depth&from=now-40s&step=20s")
    assert answer.json() == {
        "from": NOW - 40,
        "to": NOW,
        "step": 20.0,
        "series": [
            {
                "query": 0,
                "metric": "queue_depth",
                "labels": {"queue": "mail"},
                "unit": "1",
                "aggregate": "avg",
                "level": "raw",
                "step": 20.0,
                "t": [T - 40, T - 20],
                "v": [1.5, 3.5],
            }
        ],
    }


def test_a_counter_is_a_rate_per_second(filled: Api) -> None:
    series = filled.get("/api/v1/query", "query=jobs_total&from=now-40s&step=20s").json()["series"]
    assert [(s["aggregate"], s["unit"], s["t"], s["v"]) for s in series] == [
        ("rate", "1/s", [T - 40, T - 20], [1.0, 3.0])
    ]


@pytest.mark.parametrize(
    ("aggregate", "values"),
    [("min", [1.0, 3.0]), ("max", [2.0, 4.0]), ("sum", [3.0, 7.0]), ("last", [2.0, 4.0]), ("count", [2.0, 2.0])],
)
def test_the_aggregate_can_be_chosen(filled: Api, aggregate: str, values: list[float]) -> None:
    series = filled.get("/api/v1/query", f"query=queue_depth&from=now-40s&step=20&aggregate={aggregate}").json()
    assert series["series"][0]["v"] == values


def test_a_function_in_the_query_wins_over_the_parameter(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=max_over_time(queue_depth)&from=now-40s&step=40&aggregate=min").json()
    assert found["series"][0]["v"] == [4.0]


def test_series_are_summed_over_labels(filled: Api) -> None:
    filled.keep(DEPTH, (("queue", "print"),), {-40: 10.0, -30: 20.0})
    found = filled.get("/api/v1/query", "query=sum(queue_depth)&from=now-40s&step=20").json()["series"]
    assert [(s["labels"], s["v"]) for s in found] == [({}, [16.5, 3.5])]


def test_answers_are_numbered_by_their_query(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=none_such&query=jobs_total&query=queue_depth&from=now-40s").json()
    assert [(s["query"], s["metric"]) for s in found["series"]] == [(1, "jobs_total"), (2, "queue_depth")]


def test_the_window_is_half_open(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=queue_depth&from=now-30s&to=now-10s&step=10").json()
    assert (found["series"][0]["t"], found["series"][0]["v"]) == ([T - 30, T - 20], [2.0, 3.0])


def test_the_first_step_is_whole(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=queue_depth&from=now-25s&step=20").json()
    assert (found["from"], found["series"][0]["t"], found["series"][0]["v"]) == (NOW - 40, [T - 40, T - 20], [1.5, 3.5])


def test_a_gap_is_a_null(api: Api) -> None:
    api.keep(DEPTH, MAIL, {-100: 1.0, -90: 2.0, -80: 3.0, -20: 4.0, -10: 5.0})
    found = api.get("/api/v1/query", "query=queue_depth&from=now-100s&step=10&envelope=1").json()["series"][0]
    assert found["t"] == [T - 100, T - 90, T - 80, T - 70, T - 20, T - 10]
    assert found["v"] == found["low"] == found["high"] == [1.0, 2.0, 3.0, None, 4.0, 5.0]


def test_the_envelope_holds_the_extremes_of_each_step(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=queue_depth&from=now-40s&step=20&envelope=true").json()["series"][0]
    assert (found["low"], found["high"]) == ([1.0, 3.0], [2.0, 4.0])


def test_computed_values_have_six_digits(api: Api) -> None:
    api.keep(DEPTH, MAIL, {-30: 0.0, -29: 0.0, -28: 1.0})
    text = api.get("/api/v1/query", "query=queue_depth&from=now-30s&step=10").text
    assert '"v":[0.333333]' in text


def test_without_a_step_there_are_at_most_the_wanted_points(filled: Api) -> None:
    found = filled.get("/api/v1/query", "query=queue_depth&from=now-40s&max_points=2").json()
    assert (found["step"], found["series"][0]["v"]) == (30.0, [1.5, 3.5])


def test_what_nobody_measured_is_empty(api: Api) -> None:
    assert api.get("/api/v1/query", "query=queue_depth").json() == {
        "from": NOW - 3600,
        "to": NOW,
        "step": 10.0,
        "series": [],
    }


def test_a_delta_has_no_metadata_and_revises_the_last_step(filled: Api) -> None:
    asked = f"query=queue_depth&query=sum(queue_depth)&since={T - 20}&step=20"
    assert filled.get("/api/v1/query", asked).json() == {
        "to": NOW,
        "step": 20.0,
        "series": [
            {"query": 0, "t": [T - 20], "v": [3.5], "labels": {"queue": "mail"}},
            {"query": 1, "t": [T - 20], "v": [3.5]},
        ],
    }
    filled.keep(DEPTH, MAIL, {-5: 8.0})
    assert filled.get("/api/v1/query", asked).json()["series"][1] == {"query": 1, "t": [T - 20], "v": [5.0]}


def test_a_delta_begins_at_the_start_of_its_step(filled: Api) -> None:
    found = filled.get("/api/v1/query", f"query=queue_depth&since={T - 21}&step=20").json()
    assert found["series"][0]["t"] == [T - 40, T - 20]


@pytest.mark.parametrize("since", ["now", "now-1s", f"{T + 1000}"])
def test_a_delta_without_news_is_empty(filled: Api, since: str) -> None:
    assert filled.get("/api/v1/query", f"query=queue_depth&since={since}&step=1").json()["series"] == []


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ("", "parameter 'query' is missing: A question: `cpu_usage_percent`, `sum(rate(network_receive_bytes_total))`"),
        (
            "query=x&quary=y",
            "unknown parameter 'quary'; known: aggregate, envelope, from, max_points, query, since, step, to",
        ),
        ("query=x&step=1&step=2", "parameter 'step' may come only once"),
        ("query=x&max_points=0", "parameter 'max_points' is a whole number from 1 to 10000, not '0'"),
        ("query=x&max_points=1.5", "parameter 'max_points' is a whole number from 1 to 10000, not '1.5'"),
        ("query=x&max_points=10001", "parameter 'max_points' is a whole number from 1 to 10000, not '10001'"),
        ("query=x&max_points=%C2%B2", "parameter 'max_points' is a whole number from 1 to 10000, not '²'"),
        ("query=x&from=yesterday", "not a time: 'yesterday' (now-3h, 2026-01-31T12:00:00Z, or Unix seconds)"),
        ("query=x&from=2023-11-14T22:00:00", "a time needs its zone: '2023-11-14T22:00:00' (add Z or +02:00)"),
        ("query=x&from=now&to=now", "from must be before to: 'now' is not before 'now'"),
        ("query=x&from=now&to=now-1h", "from must be before to: 'now' is not before 'now-1h'"),
        ("query=x&from=now-7d&step=1", "604,800 points a series are too many: use a step of 60 s or more"),
        ("query=x&step=0", "a duration must be above zero: '0'"),
        ("query=x&step=-5s", "not a number of seconds: '-5s' (units: ms, s, m, h, d, w, y)"),
        (
            "query=x&aggregate=p90",
            "parameter 'aggregate' is one of avg, min, max, sum, last, count, rate, p50, p95, p99, not 'p90'",
        ),
        ("query=x&envelope=yes", "parameter 'envelope' is one of 0, 1, true, false, not 'yes'"),
        ("query=x&since=now-10s&from=now-1h", "since goes with step, and without from, to and max_points"),
        ("&".join(["query=x"] * 51), "parameter 'query' may come 50 times"),
    ],
)
def test_what_can_not_be_understood_is_refused(api: Api, asked: str, detail: str) -> None:
    answer = api.get("/api/v1/query", asked)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json() | {"query": "", "position": 0} == {
        "request_id": answer.headers["x-request-id"],
        "type": "about:blank",
        "title": "The request can't be understood",
        "status": 400,
        "detail": detail,
        "instance": "/api/v1/query",
        "query": "",
        "position": 0,
    }


def test_a_bad_expression_says_where(api: Api) -> None:
    problem = api.get("/api/v1/query", "query=rate(queue_depth").json()
    assert (problem["status"], problem["query"], problem["position"]) == (400, "rate(queue_depth", 16)
    assert problem["detail"] == "expected ')', found the end at column 17"


FAR = "9" * 400
"""More than a float can hold."""


@pytest.mark.parametrize(
    "asked",
    [
        f"query=x&from=-{FAR}",
        f"query=x&to={FAR}",
        f"query=x&from=now-{FAR}y",
        f"query=x&step={FAR}",
        f"query=x&since={FAR}",
        f"query=x&since=now-1s&step={FAR}",
        "query=x&since=now-1s&step=0." + 320 * "0" + "1",
        "query=x&max_points=" + "1" * 5_000,
    ],
)
def test_numbers_beyond_all_measure_are_refused(filled: Api, asked: str) -> None:
    assert filled.get("/api/v1/query", asked).status_code == 400
