"""``/api/v1/export``: whole answers as files."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import msgspec
import pyarrow.parquet as pq
import pytest

from perf.model import Metric
from tests.unit.api.conftest import DEPTH, MAIL, NOW, Api

HEADER = "time (UTC),unix_seconds,metric,labels,value,unit\r\n"
RAW = "query=queue_depth&raw=1&from=now-30s&to=now-10s"


def test_steps_as_csv(filled: Api) -> None:
    answer = filled.get("/api/v1/export", "query=queue_depth&from=now-40s&step=20")
    assert answer.text == (
        f"{HEADER}"
        "2023-11-14T22:12:40.000+00:00,1699999960.000,queue_depth,queue=mail,1.5,1\r\n"
        "2023-11-14T22:13:00.000+00:00,1699999980.000,queue_depth,queue=mail,3.5,1\r\n"
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="perf-2023-11-14T221320Z.csv"'
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_samples_as_csv_end_before_the_window_does(filled: Api) -> None:
    assert filled.get("/api/v1/export", RAW).text == (
        f"{HEADER}"
        "2023-11-14T22:12:50.000+00:00,1699999970.000,queue_depth,queue=mail,2.0,1\r\n"
        "2023-11-14T22:13:00.000+00:00,1699999980.000,queue_depth,queue=mail,3.0,1\r\n"
    )


def test_times_are_in_the_asked_zone(filled: Api) -> None:
    lines = filled.get("/api/v1/export", f"{RAW}&zone=Europe/Berlin").text.splitlines()
    assert lines[0].startswith("time (Europe/Berlin),")
    assert lines[1].startswith("2023-11-14T23:12:50.000+01:00,1699999970.000,")


def test_samples_as_json_lines(filled: Api) -> None:
    answer = filled.get("/api/v1/export", f"{RAW}&format=json")
    assert answer.headers["content-type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('Z.jsonl"')
    assert [msgspec.json.decode(line) for line in answer.text.splitlines()] == [
        {"ts": ts, "metric": "queue_depth", "labels": {"queue": "mail"}, "value": value, "unit": "1"}
        for ts, value in (("2023-11-14T22:12:50Z", 2.0), ("2023-11-14T22:13:00Z", 3.0))
    ]


def test_samples_as_parquet(filled: Api) -> None:
    answer = filled.get("/api/v1/export", f"{RAW}&format=parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert pq.read_table(io.BytesIO(answer.content)).to_pylist() == [
        {
            "ts": datetime.fromtimestamp(NOW + at, UTC),
            "metric": "queue_depth",
            "labels": [("queue", "mail")],
            "value": value,
            "unit": "1",
        }
        for at, value in ((-30, 2.0), (-20, 3.0))
    ]


def test_without_a_query_samples_of_all_series_come_in_the_order_of_time(filled: Api) -> None:
    rows = list(csv.DictReader(io.StringIO(filled.get("/api/v1/export", "raw=1&from=now-30s&to=now-10s").text)))
    assert [(row["unix_seconds"][-7:-4], row["metric"]) for row in rows] == [
        ("970", "jobs_total"),
        ("970", "queue_depth"),
        ("980", "jobs_total"),
        ("980", "queue_depth"),
    ]


def test_samples_can_be_searched(filled: Api) -> None:
    found = filled.get("/api/v1/export", "raw=1&search=DEPTH&from=now-30s&to=now-10s")
    assert found.text == filled.get("/api/v1/export", RAW).text


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("asked", ["query=none_such&raw=1", "query=none_such", "raw=1&from=now-2s&to=now-1s"])
def test_an_export_of_nothing_is_a_whole_file(filled: Api, asked: str, form: str) -> None:
    answer = filled.get("/api/v1/export", f"{asked}&format={form}")
    assert answer.status_code == 200
    if form == "parquet":
        assert pq.read_table(io.BytesIO(answer.content)).num_rows == 0
    else:
        assert answer.text == (HEADER if form == "csv" else "")


@pytest.mark.parametrize("bad", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_spreadsheet_runs_no_formula_of_ours(api: Api, bad: str) -> None:
    api.keep(Metric(bad, unit=bad), ((bad, "x"),), {-1: -1.0})
    text = api.get("/api/v1/export", "raw=1").text
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1][2:] == [f"'{bad}", f"'{bad}=x", "-1.0", f"'{bad}"]


def test_a_label_may_hold_anything(api: Api) -> None:
    api.keep(DEPTH, (("name", 'a,"b"\nc'),), {-1: 1.0})
    rows = list(csv.reader(io.StringIO(api.get("/api/v1/export", "raw=1").text, newline="")))
    assert rows[1][3] == 'name=a,"b"\nc'


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ("", "name at least one query, or ask for raw=1"),
        ("query=x&format=xlsx", "parameter 'format' is one of csv, parquet, json, arrow, not 'xlsx'"),
        ("query=x&zone=Mars", "no time zone 'Mars'"),
        ("query=x&zone=../../etc/passwd", "no time zone '../../etc/passwd'"),
        ("query=rate(x)&raw=1", "a series is selected by name and labels, without functions: 'rate(x)'"),
        ("query=x&raw=1&step=10", "step does not go with raw=1"),
        ("query=x&raw=1&aggregate=max", "aggregate does not go with raw=1"),
        ("query=x&search=y", "search goes with raw=1 only"),
        ("raw=1&from=now&to=now-1h", "from must be before to: 'now' is not before 'now-1h'"),
        (
            "raw=1&since=now",
            "unknown parameter 'since'; known: aggregate, format, from, max_points, query, raw, search, step, to, zone",
        ),
    ],
)
def test_what_can_not_be_understood_is_refused(api: Api, asked: str, detail: str) -> None:
    answer = api.get("/api/v1/export", asked)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"] == detail


def test_a_store_that_can_not_answer_is_a_problem_and_no_broken_file(filled: Api) -> None:
    filled.runtime.store.close()
    answer = filled.get("/api/v1/export", "raw=1")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "content-disposition" not in answer.headers


def test_more_samples_than_fit_a_piece_are_exported_once_each(api: Api) -> None:
    for start in range(-120_000, 0, 20_000):
        api.keep(DEPTH, MAIL, {float(at): float(at) for at in range(start, start + 20_000)})
    lines = api.get("/api/v1/export", "raw=1&from=now-2d&to=now").text.splitlines()[1:]
    assert [float(line.split(",")[4]) for line in lines] == [float(at) for at in range(-120_000, 0)]
