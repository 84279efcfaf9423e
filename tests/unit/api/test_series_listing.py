"""``/api/v1/series``: what is known, page by page, and the newest samples."""

from __future__ import annotations

import pytest

from perf.model import Metric
from tests.unit.api.conftest import DEPTH, MAIL, NOW, Api


def test_a_series_is_described(filled: Api) -> None:
    assert filled.get("/api/v1/series", "metric=queue_depth").json() == {
        "series": [
            {
                "id": 1,
                "metric": "queue_depth",
                "labels": {"queue": "mail"},
                "kind": "gauge",
                "unit": "1",
                "help": "Jobs that wait.",
                "first_seen": "2023-11-14T22:12:40Z",
                "last": [NOW - 10, 4.0],
            }
        ],
        "next_after": None,
    }


def test_pages_are_whole_and_do_not_overlap(api: Api) -> None:
    for number in range(5):
        api.keep(DEPTH, (("queue", str(number)),), {-1: 0.0})
    pages = [api.get("/api/v1/series", f"limit=2&after={after}").json() for after in (0, 2, 4)]
    assert [[row["id"] for row in page["series"]] for page in pages] == [[1, 2], [3, 4], [5]]
    assert [page["next_after"] for page in pages] == [2, 4, None]


def test_a_full_last_page_is_the_last(filled: Api) -> None:
    assert filled.get("/api/v1/series", "limit=2").json()["next_after"] is None


def test_series_are_found_by_selector_and_by_part_of_a_word(filled: Api) -> None:
    def found(asked: str) -> list[str]:
        return [row["metric"] for row in filled.get("/api/v1/series", asked).json()["series"]]

    assert found('metric=queue_depth{queue="mail"}') == ["queue_depth"]
    assert found('metric=queue_depth{queue="print"}') == []
    assert found("search=DEPTH") == ["queue_depth"]
    assert found("search=mai") == ["queue_depth", "jobs_total"]
    assert found("metric=jobs_total&metric=queue_depth&limit=1") == ["queue_depth"]


def test_news_begin_at_the_asked_time(filled: Api) -> None:
    rows = filled.get("/api/v1/series", "since=now-25s&metric=queue_depth").json()["series"]
    assert rows[0]["points"] == [[NOW - 20, 3.0], [NOW - 10, 4.0]]


def test_news_before_the_asked_moment_are_left_out(api: Api) -> None:
    api.keep(DEPTH, MAIL, {-2.75: 1.0, -2.25: 2.0, -1.0: 3.0})
    rows = api.get("/api/v1/series", "since=now-2.5s").json()["series"]
    assert rows[0]["points"] == [[NOW - 2.25, 2.0], [NOW - 1, 3.0]]


@pytest.mark.parametrize(
    "labels", [(("path", "C:\\new\nline"),), (("name", 'say "hi"\u2028'),), (("long", "x" * 600),)]
)
def test_news_of_a_series_with_any_label(api: Api, labels: tuple[tuple[str, str], ...]) -> None:
    api.keep(DEPTH, labels, {-1: 1.0})
    rows = api.get("/api/v1/series", "since=now-5s").json()["series"]
    assert (rows[0]["labels"], rows[0]["points"]) == (dict(labels), [[NOW - 1, 1.0]])


def test_news_of_a_metric_whose_name_is_no_word_of_the_language(api: Api) -> None:
    api.keep(Metric("jvm.memory"), (), {-1: 1.0})
    assert api.get("/api/v1/series", "since=now-5s").json()["series"][0]["points"] == [[NOW - 1, 1.0]]


def test_a_silent_series_has_no_news(filled: Api) -> None:
    rows = filled.get("/api/v1/series", "since=now-5s").json()["series"]
    assert [row["points"] for row in rows] == [[], []]


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ("limit=0", "parameter 'limit' is a whole number from 1 to 1000, not '0'"),
        ("after=-1", "parameter 'after' is a whole number from 0 to 2147483648, not '-1'"),
        ("since=now-2h", "since reaches back at most 3600 s; ask /api/v1/query for more"),
        ("metric=rate(x)", "a series is selected by name and labels, without functions: 'rate(x)'"),
        ("query=x", "unknown parameter 'query'; known: after, limit, metric, search, since"),
    ],
)
def test_what_can_not_be_understood_is_refused(filled: Api, asked: str, detail: str) -> None:
    answer = filled.get("/api/v1/series", asked)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_an_empty_store_knows_no_series(api: Api) -> None:
    assert api.get("/api/v1/series").json() == {"series": [], "next_after": None}
