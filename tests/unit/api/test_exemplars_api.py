"""``GET /api/v1/exemplars``: slow calls by selector and window."""

from __future__ import annotations

import pytest

from perf.model import Exemplar, Kind, Metric
from tests.unit.api.conftest import NOW, Api

PATH = "/api/v1/exemplars"
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")


@pytest.fixture
def slow(api: Api) -> Api:
    whole = Exemplar(
        ts=NOW - 10,
        metric=WAIT,
        labels=(("route", "/a"),),
        seconds=2.5,
        arguments=("str(3)",),
        parents=("shop.main",),
        trace="4bf92f3577b34da6a3ce929d0e0e4736",
        release="v7",
        error="KeyError",
    )
    other = Exemplar(ts=NOW - 20, metric=WAIT, labels=(("route", "/b"),), seconds=0.5)
    old = Exemplar(ts=NOW - 4000, metric=WAIT, labels=(("route", "/b"),), seconds=9.0)
    api.runtime.store.append([other, whole, old])
    return api


def test_the_slowest_come_first_with_all_that_is_known(slow: Api) -> None:
    answer = slow.get(PATH, 'query=wait_seconds{route="/a"}')
    assert answer.json() == {
        "from": NOW - 3600,
        "to": NOW,
        "exemplars": [
            {
                "ts": NOW - 10,
                "metric": "wait_seconds",
                "labels": {"route": "/a"},
                "seconds": 2.5,
                "arguments": ["str(3)"],
                "parents": ["shop.main"],
                "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
                "release": "v7",
                "error": "KeyError",
            }
        ],
    }
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")


def test_window_and_limit_hold(slow: Api) -> None:
    def seconds(query: str) -> list[float]:
        return [call["seconds"] for call in slow.get(PATH, "query=wait_seconds&" + query).json()["exemplars"]]

    assert seconds("") == [2.5, 0.5]
    assert seconds("limit=1") == [2.5]
    assert seconds("from=now-2h") == [9.0, 2.5, 0.5]
    assert seconds("from=now-2h&to=now-1h") == [9.0]
    assert slow.get(PATH, "query=unknown_seconds").json()["exemplars"] == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "parameter 'query' is missing"),
        ("query=p95(wait_seconds)", "without functions"),
        ("query=wait_seconds{", "expected"),
        ("query=wait_seconds&limit=0", "from 1 to 1000"),
        ("query=wait_seconds&limit=1001", "from 1 to 1000"),
        ("query=wait_seconds&from=now&to=now-1h", "from must be before to"),
        ("query=wait_seconds&step=5", "unknown parameter 'step'"),
    ],
)
def test_what_can_not_be_understood_is_refused(slow: Api, query: str, detail: str) -> None:
    answer = slow.get(PATH, query)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert detail in answer.json()["detail"]
