"""Cursors: pages neither repeat nor skip rows while new ones arrive."""

from __future__ import annotations

import base64
import io

import pyarrow as pa
import pytest

from perf.model import Labels, Metric, Sample
from tests.unit.api.conftest import DEPTH, NOW, Api

PATH = "/api/v1/samples"


def filled(api: Api) -> list[tuple[float, str, float]]:
    """Five ticks of three series, two of which have equal times and names; the newest first, as pages have them."""
    rows = [
        Sample(NOW - back, metric, labels, float(back))
        for back in (50, 40, 30, 20, 10)
        for metric, labels in ((DEPTH, (("queue", "a"),)), (DEPTH, (("queue", "b"),)), (Metric("other"), ()))
    ]
    api.runtime.store.append(rows)
    ordered = sorted(rows, key=lambda one: (one.ts, one.metric.name, one.labels), reverse=True)
    return [_row(one.ts, one.metric.name, one.labels) for one in ordered]


def _row(ts: float, metric: str, labels: Labels | dict[str, str]) -> tuple[float, str, float]:
    return ts, metric + dict(labels).get("queue", ""), 0.0


@pytest.mark.parametrize("limit", [1, 2, 4, 15])
def test_pages_together_are_everything_once_while_rows_arrive(api: Api, limit: int) -> None:
    wanted, found, cursor = filled(api), [], ""
    for arrived in range(20):
        answer = api.get(
            PATH, f"from={NOW - 60}&to={NOW + 100}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        )
        body = answer.json()
        found += [_row(one["ts"], one["metric"], one["labels"]) for one in body["samples"]]
        cursor = body["next"]
        if cursor is None:
            break
        assert len(body["samples"]) == limit
        api.keep(DEPTH, (("queue", "a"),), {float(arrived + 1): 1.0})
    assert found == wanted


def test_two_samples_of_one_moment_and_series_are_both_told(api: Api) -> None:
    api.runtime.store.append([Sample(NOW - 10, DEPTH, (), value) for value in (1.0, 2.0)])
    first = api.get(PATH, "limit=1").json()
    second = api.get(PATH, f"limit=1&cursor={first['next']}").json()
    assert sorted(page["samples"][0]["value"] for page in (first, second)) == [1.0, 2.0]
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["x", "!!!", base64.urlsafe_b64encode(b'["a", 1]').decode(), "W10", "\u00e9"])
def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    answer = api.get(PATH, f"cursor={cursor}")
    assert (answer.status_code, answer.json()["detail"][:25]) == (400, "the cursor is none of our")


def test_a_cursor_belongs_to_its_question(api: Api) -> None:
    filled(api)
    cursor = api.get(PATH, "limit=1").json()["next"]
    answer = api.get(PATH, f"limit=1&search=other&cursor={cursor}")
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "the cursor belongs to another question; begin without one",
    )
    assert api.get("/api/v1/alerts/deliveries", f"cursor={cursor}").status_code == 400


def test_a_table_comes_in_pages_too(api: Api) -> None:
    wanted = filled(api)
    answer = api.get(PATH, "limit=4", accept="application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert [value.timestamp() for value in table["ts"].to_pylist()] == [row[0] for row in wanted[:4]]
    link, _, relation = answer.headers["link"].partition(">")
    assert relation == '; rel="next"'
    more = api.client.get(link.removeprefix("<"), headers={"accept": "text/csv"})
    assert len(more.text.splitlines()) == 5


def test_samples_without_any_are_an_empty_page(api: Api) -> None:
    assert api.get(PATH, "metric=unknown_metric").json()["samples"] == []
