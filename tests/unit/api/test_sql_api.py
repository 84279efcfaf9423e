"""``POST /api/v1/sql``: for holders of the token, and for reading only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.runtime import Runtime
from tests.unit.api.conftest import Api, opened, quiet


def test_rows_come_with_their_columns_and_types(filled: Api) -> None:
    question = (
        "SELECT ts, metric, labels['queue'] AS queue, value FROM perf.metrics WHERE metric = 'queue_depth' ORDER BY ts"
    )
    answer = filled.sql({"sql": question, "max_rows": 2})
    body = answer.json()
    assert answer.status_code == 200
    assert body.pop("seconds") >= 0
    assert body == {
        "columns": ["ts", "metric", "queue", "value"],
        "types": ["TIMESTAMP", "VARCHAR", "VARCHAR", "DOUBLE"],
        "rows": [
            ["2023-11-14T22:12:40", "queue_depth", "mail", 1.0],
            ["2023-11-14T22:12:50", "queue_depth", "mail", 2.0],
        ],
        "truncated": True,
    }
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-store", "application/json")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'nan'::DOUBLE", None),
        ("1.50::DECIMAL(9, 2)", "1.50"),
        ("2::HUGEINT * 9223372036854775807 * 2", 36893488147419103228),
        ("DATE '2020-01-31'", "2020-01-31"),
        ("TIMESTAMPTZ '2020-01-31 12:00:00+02'", "2020-01-31T10:00:00"),
        ("MAP {DATE '2020-01-31': 1}", {"2020-01-31": 1}),
        ("NULL", None),
    ],
)
def test_any_type_has_a_form_in_json(api: Api, value: str, shown: object) -> None:
    assert api.sql({"sql": f"SELECT {value} AS x"}).json()["rows"] == [[shown]]


@pytest.mark.parametrize("token", ["", "wrong", "Bearer", "\u00e9"])
def test_without_the_token_nothing_is_answered(filled: Api, token: str) -> None:
    answer = filled.sql({"sql": "SELECT 1"}, token)
    assert (answer.status_code, answer.json()["title"]) == (401, "A token is needed")


def test_a_request_without_authorisation_is_refused(filled: Api) -> None:
    assert filled.client.post("/api/v1/sql", json={"sql": "SELECT 1"}).status_code == 401


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "DELETE FROM hot",
        "DROP TABLE hot",
        "WITH gone AS (DELETE FROM hot RETURNING *) SELECT * FROM gone",
        "COPY hot TO '/tmp/hot.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET memory_limit = '64GB'",
        "PRAGMA database_list",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT content FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('HOME')",
        "EXPLAIN ANALYZE DELETE FROM hot",
        "EXPLAIN ANALYZE INSERT INTO hot VALUES (now(), 1, 1)",
        "PREPARE x AS SELECT 1",
        "CHECKPOINT",
    ],
)
def test_a_hostile_statement_is_refused_and_changes_nothing(filled: Api, statement: str) -> None:
    answer = filled.sql({"sql": statement})
    assert (answer.status_code, answer.json()["query"]) == (400, statement)
    assert "Traceback" not in answer.text
    assert filled.sql({"sql": "SELECT count(*) FROM perf.metrics"}).json()["rows"] == [[8]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"SELECT 1",
        b'"SELECT 1"',
        b"{}",
        b'{"sql": 1}',
        b'{"sql": "SELECT 1", "rows": 1}',
        b'{"sql": "SELECT 1", "max_rows": 0}',
        b'{"sql": "SELECT 1", "max_rows": 100001}',
        b'{"sql": "\xff"}',
        b'{"sql": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_statement_is_refused(api: Api, body: bytes) -> None:
    headers = {"authorization": f"Bearer {api.runtime.token}"}
    answer = api.client.post("/api/v1/sql", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("the body is not a statement: ")


def test_a_request_that_is_too_large_is_refused(api: Api) -> None:
    answer = api.sql({"sql": "SELECT 1 -- " + "x" * 100_000})
    assert (answer.status_code, answer.json()["detail"]) == (413, "a request has at most 100,000 bytes")


@pytest.fixture
def forgetful(clock: ManualClock) -> Iterator[Api]:
    """An interface over a store without SQL."""
    yield from opened(Runtime(quiet(Path("unused"), backend="memory"), clock))


def test_a_store_without_sql_says_so(forgetful: Api) -> None:
    answer = forgetful.sql({"sql": "SELECT 1"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "the memory store does not speak SQL")
