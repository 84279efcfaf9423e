"""``/api/performance/...``: paths and shapes that older clients know."""

from __future__ import annotations

import pytest

from perf.model import Histogram, HistogramSample, Kind, Metric, Sample
from tests.unit.api.conftest import NOW, Api

BASE = "/api/performance"
REQUESTS = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s")
CACHED = Metric("cache_requests_total", Kind.COUNTER)
SERVED = (("memory", 11.0), ("load", 9.0))
"""Requests a second, by the tier that answered."""


@pytest.fixture
def writing(api: Api) -> Api:
    api.runtime.start()
    api.writes = True
    return api


def record(api: Api, body: str) -> tuple[int, dict[str, object]]:
    answer = api.client.post(f"{BASE}/metrics/record", content=body, headers={"content-type": "application/json"})
    return answer.status_code, answer.json()


def test_a_number_is_stored_and_rated(writing: Api) -> None:
    status, body = record(writing, '{"metric_type": "response_time", "value": 0.7, "tags": {"route": "home"}}')
    assert (status, body["recorded"], body["status"]) == (201, True, "degraded")
    found = writing.get("/api/v1/series", "metric=custom_metric").json()["series"]
    assert [(one["labels"], one["last"]) for one in found] == [
        ({"category": "performance", "name": "response_time", "route": "home"}, [NOW, 0.7])
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"value": 1}', "metric_type"),
        ('{"metric_type": "response_time"}', "value"),
        ('{"metric_type": "colour", "value": 1}', "metric_type"),
        ('{"metric_type": "response_time", "value": "1"}', "value"),
        ('{"metric_type": "response_time", "value": 1, "tags": {"a": 1}}', "tags[...]"),
        ('{"metric_type": "response_time", "value": 1, "colour": 1}', "colour"),
    ],
)
def test_what_is_wrong_is_named(writing: Api, body: str, field: str) -> None:
    status, problem = record(writing, body)
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert (status, errors[0]["field"]) == (422, field)
    assert field in str(problem["detail"])


def test_what_is_no_json_is_not_understood(writing: Api) -> None:
    assert record(writing, "{")[0] == 400


def test_what_nobody_measured_is_none_and_not_zero(api: Api) -> None:
    found = api.get(f"{BASE}/health").json()
    assert (found["performance_score"], found["status"], found["recommendations_count"]) == (None, "unknown", None)
    assert api.get(f"{BASE}/metrics").json()["last_minute"]["api_avg_duration_ms"] is None


def test_the_last_minute_is_summed_up(api: Api) -> None:
    labels = (("http_request_method", "GET"), ("http_route", "/items"))
    api.runtime.store.append(
        [
            HistogramSample(NOW - 30, REQUESTS, labels, Histogram.of([0.1, 0.3])),
            HistogramSample(NOW - 90, REQUESTS, labels, Histogram.of([9.0])),
        ]
    )
    found = api.get(f"{BASE}/metrics").json()["last_minute"]
    assert (found["api_requests"], found["api_avg_duration_ms"]) == (2, pytest.approx(200.0))
    assert found["database_operations"] == 0


def test_the_score_is_that_of_the_page_health(api: Api) -> None:
    labels = (("http_request_method", "GET"), ("http_response_status_code", "500"), ("http_route", "/items"))
    api.runtime.store.append(
        [
            HistogramSample(NOW - 30, REQUESTS, labels, Histogram.of([0.1, 0.3])),
            *(
                Sample(NOW - age, CACHED, (("tier", tier),), count * (30 - age))
                for tier, count in SERVED
                for age in (30, 5)
            ),
        ]
    )
    found = api.get(f"{BASE}/health").json()
    page = api.get("/api/v1/score").json()
    # 25 points of the 65 measured ones for errors, which are all lost at 10 %, and 6 of 10 for a cache that hits in 55 %.
    assert found["performance_score"] == pytest.approx(100 * (1 - (25 + 6) / 65))
    assert (found["performance_score"], found["status"]) == (page["value"], "fair")
    assert api.get(f"{BASE}/metrics").json()["system_health"]["performance_score"] == page["value"]
    summed = api.get(f"{BASE}/summary", "hours=1").json()
    assert (summed["system_health_score"], summed["cache_hit_rate_percent"]) == (page["value"], pytest.approx(55.0))


def test_a_summary_looks_as_far_back_as_asked(api: Api) -> None:
    assert api.get(f"{BASE}/summary", "hours=2").json()["hours"] == 2.0
    assert api.get(f"{BASE}/summary", "hours=0").status_code == 400


def test_status_and_alerts_have_their_shapes(api: Api) -> None:
    assert api.get(f"{BASE}/status").json()["monitoring_active"] is False
    assert api.get(f"{BASE}/alerts").json() == {"alerts": [], "total": 0}


def test_what_is_not_there_yet_is_absent(api: Api) -> None:
    assert {api.get(f"{BASE}/{name}").status_code for name in ("report", "trends", "bottlenecks")} == {404}


def test_performance_opens_the_dashboard(api: Api) -> None:
    answer = api.get("/performance")
    assert (answer.status_code, answer.headers["location"]) == (307, "./")
