"""Forms of an answer by ``Accept``."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from tests.unit.api.conftest import Api

QUERY = ("/api/v1/query", "query=queue_depth&from=now-40s&step=10")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("application/vnd.apache.arrow.stream, */*;q=0.5", "application/vnd.apache.arrow.stream"),
        ("*/*, application/json;q=0", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
def test_the_preferred_form_is_answered(filled: Api, accept: str, media: str) -> None:
    answer = filled.get(*QUERY, accept=accept)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media)
    assert "accept" in answer.headers["vary"].lower()


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "text/csv;q=x", "application/json;q=-1"])
def test_a_form_that_there_is_not_is_refused(filled: Api, accept: str) -> None:
    answer = filled.get(*QUERY, accept=accept)
    assert (answer.status_code, answer.json()["title"]) == (406, "Not in that form")


def test_a_table_holds_the_values_of_the_json(filled: Api) -> None:
    values = filled.get(*QUERY).json()["series"][0]["v"]
    rows = list(csv.DictReader(io.StringIO(filled.get(*QUERY, accept="text/csv").text)))
    assert [float(row["value"]) for row in rows] == values
    arrow = filled.get(*QUERY, accept="application/vnd.apache.arrow.stream").content
    assert pa.ipc.open_stream(io.BytesIO(arrow)).read_all()["value"].to_pylist() == values


def test_newest_values_come_as_a_table(filled: Api) -> None:
    rows = list(csv.DictReader(io.StringIO(filled.get("/api/v1/series", accept="text/csv").text)))
    assert {(row["metric"], row["value"]) for row in rows} == {("queue_depth", "4.0"), ("jobs_total", "70.0")}


def test_an_export_follows_accept_unless_the_format_is_named(filled: Api) -> None:
    asked = "query=queue_depth&from=now-40s&raw=1"
    by_accept = filled.get("/api/v1/export", asked, accept="application/vnd.apache.parquet")
    assert by_accept.content[:4] == b"PAR1"
    named = filled.get("/api/v1/export", f"{asked}&format=json", accept="application/vnd.apache.parquet")
    assert named.headers["content-type"].startswith("application/jsonl")
