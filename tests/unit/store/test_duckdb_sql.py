"""The documented SQL interface, the console that guards it, and every statement on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Aggregate, Histogram, HistogramSample, Kind, Level, Metric, RowOrder, Sample
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store.duckdb import DuckDBStore, append, read, rows, schema
from perf.store.duckdb.connection import run

T0 = 1_700_006_400.0
PACKAGE = "perf.store.duckdb"
ZEROS = Histogram.of([0.0, 0.0])
BATCH = {"batch_add", "late_1m", "late_1h", "hist_add", "hist_late_1m", "hist_late_1h", "exemplars_add"}
MERGE = "producers_add"
COMPOSED = {"steps", "lasts", "rates", "newest", "hist_steps", "hist_merged"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBStore]:
    store = DuckDBStore(StoreSettings(path=str(tmp_path_factory.mktemp("sql") / "perf.duckdb")), ManualClock(T0))
    store.append([Sample(T0 + n, Metric("m", unit="By"), (("a", "x"),), float(n)) for n in range(3)])
    yield store
    store.close()


def _names() -> list[str]:
    return sorted(file.name.removesuffix(".sql") for file in files(PACKAGE).joinpath("sql").iterdir())


@pytest.mark.parametrize(
    "name", [name for name in _names() if name not in COMPOSED | BATCH | {MERGE, *schema.MIGRATIONS}]
)
def test_every_statement_prepares(store: DuckDBStore, name: str) -> None:
    with store._database.reading() as cursor:
        run(cursor, f"PREPARE question AS {sql(PACKAGE, name)}")


def test_the_merge_of_senders_keeps_the_highest_number(store: DuckDBStore) -> None:
    """DuckDB prepares no MERGE, so this one runs."""
    with store._database.transaction() as writer:
        for seqs, seen in (([5, 1], 10), ([3, 2], 20)):
            run(writer, sql(PACKAGE, MERGE), {"producers": ["a", "b"], "seqs": seqs, "seen": seen})
        assert run(writer, sql(PACKAGE, "producers")) == [("a", 5, 20), ("b", 2, 20)]
        run(writer, "DELETE FROM producer_seq")


@pytest.mark.parametrize("name", sorted(BATCH))
def test_statements_on_a_batch_prepare(store: DuckDBStore, name: str) -> None:
    with store._database.reading() as cursor:
        run(cursor, "CREATE TEMP TABLE batch (ts TIMESTAMP, sid INTEGER, value DOUBLE)")
        run(cursor, "CREATE TEMP TABLE batch_hist AS FROM hot_hist")
        run(cursor, "CREATE TEMP TABLE batch_slow AS FROM exemplars")
        run(cursor, f"PREPARE question AS {sql(PACKAGE, name)}")


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("aggregate", [a for a in Aggregate if not a.quantile])
@pytest.mark.parametrize("all_between", [True, False])
def test_composed_questions_prepare(store: DuckDBStore, level: Level, aggregate: Aggregate, all_between: bool) -> None:
    with store._database.reading() as cursor:
        run(cursor, f"PREPARE question AS {read.statement(level, aggregate, all_between=all_between)}")


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("shape", [True, False])
@pytest.mark.parametrize("all_between", [True, False])
def test_questions_about_distributions_prepare(
    store: DuckDBStore, level: Level, shape: bool, all_between: bool
) -> None:
    with store._database.reading() as cursor:
        run(cursor, f"PREPARE question AS {read.wide_statement(level, shape=shape, all_between=all_between)}")


@pytest.mark.parametrize("level", ["1m", "1h"])
@pytest.mark.parametrize("points", ["hist_roll", "hist_late"])
def test_merging_statements_prepare(store: DuckDBStore, level: str, points: str) -> None:
    with store._database.reading() as cursor:
        run(cursor, "CREATE TEMP TABLE batch_hist AS FROM hot_hist")
        run(cursor, "CREATE TEMP TABLE batch_slow AS FROM exemplars")
        run(cursor, f"PREPARE question AS {append.merging(f'roll_{level}_hist', f'{points}_{level}')}")


@pytest.mark.parametrize("order", list(RowOrder))
def test_pages_prepare(store: DuckDBStore, order: RowOrder) -> None:
    with store._database.reading() as cursor:
        run(cursor, f"PREPARE question AS {rows.statement(order, descending=True)}")


def test_every_statement_says_its_question() -> None:
    for name in _names():
        text = files(PACKAGE).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
        assert text.startswith("-- Question: "), name
        assert "-- Minimum version: " in text, name


def test_views_are_the_documented_interface(store: DuckDBStore) -> None:
    rolled = ["ts", "metric", "labels", "n", "sum", "min", "max", "last", "unit"]
    views = (
        ("metrics", ["ts", "metric", "labels", "value", "unit"]),
        ("metrics_1m", rolled),
        ("metrics_1h", rolled),
        ("distributions", ["ts", "metric", "labels", "n", "sum", "min", "max", "p50", "p95", "p99", "unit"]),
        ("exemplars", ["ts", "metric", "labels", "seconds", "arguments", "parents", "trace", "release", "error"]),
        ("deploys", ["ts", "service", "release", "text"]),
        ("probe_results", ["ts", "probe", "status", "message", "seconds"]),
        (
            "alerts",
            ["ts", "resolved_at", "rule", "labels", "state", "severity", "value", "summary", "acknowledged_by"],
        ),
        (
            "performance_metrics",
            [
                "timestamp",
                "query_execution_time_ms",
                "cache_hit_rate_percent",
                "system_health_score",
                "cpu_usage_percent",
                "memory_usage_mb",
                "error_rate_percent",
            ],
        ),
        ("query_performance", ["timestamp", "query_name", "execution_time_ms", "cache_hit"]),
        ("performance_alerts", ["timestamp", "alert_type", "severity", "message"]),
    )
    found = store.sql("SELECT view_name FROM duckdb_views() WHERE schema_name = 'perf'").rows
    assert sorted(name for (name,) in found) == sorted(view for view, _ in views)
    guide = (Path(__file__).resolve().parents[3] / "docs/guides/sql.md").read_text(encoding="utf-8")
    for view, columns in views:
        assert f"| `perf.{view}` | " in guide
        assert list(store.sql(f"FROM perf.{view}").columns) == columns
        comments = store.sql(
            f"SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = 'perf' AND table_name = '{view}'"
        ).rows
        assert [name for name, comment in comments if comment] == columns


def test_views_answer_with_names_and_units(store: DuckDBStore) -> None:
    assert store.sql("FROM perf.metrics ORDER BY ts LIMIT 1").rows == [
        (datetime(2023, 11, 15), "m", {"a": "x"}, 0.0, "By")  # noqa: DTZ001 - naive UTC is what the views promise
    ]
    assert store.sql("SELECT n, sum, min, max, last FROM perf.metrics_1m").rows == [(3, 3.0, 0.0, 2.0, 2.0)]
    assert store.sql("SELECT n, sum, min, max, last FROM perf.metrics_1h").rows == [(3, 3.0, 0.0, 2.0, 2.0)]


def test_the_view_of_distributions_answers_like_the_histogram(tmp_path: Path) -> None:
    store = DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb")), ManualClock(T0))
    waited = Metric("wait_seconds", Kind.HISTOGRAM, "s")
    parts = [[0.5] * 30, [0.0] * 3 + [0.1, 7.0], [3.0 + n / 10 for n in range(70)]]
    store.append([HistogramSample(T0 + n, waited, (), Histogram.of(part)) for n, part in enumerate(parts)])
    store.append(
        [HistogramSample(T0 + 61, waited, (), Histogram.of([0.3])), HistogramSample(T0 + 130, waited, (), ZEROS)]
    )
    for now in (T0 + 5, T0 + 200):  # from raw rows, then from minutes
        store.maintain(now)
        rows = store.sql("SELECT n, sum, min, max, p50, p95, p99 FROM perf.distributions ORDER BY ts").rows
        expected = [Histogram.of([value for part in parts for value in part]), Histogram.of([0.3]), ZEROS]
        assert rows == [
            pytest.approx((h.count, h.total, h.low, h.high, *(h.quantile(q) for q in (0.5, 0.95, 0.99))), rel=1e-12)
            for h in expected
        ]
    store.close()


HOSTILE = """
;
-- nothing
SELECT 1; SELECT 2
COMMIT; DELETE FROM hot
WITH x AS (DELETE FROM hot RETURNING *) SELECT * FROM x
EXPLAIN ANALYZE DELETE FROM hot
EXPLAIN DELETE FROM hot
EXPLAIN ANALYZE WITH x AS (DELETE FROM hot RETURNING *) SELECT * FROM x
INSERT INTO hot FROM hot
UPDATE hot SET value = 1
DELETE FROM hot
TRUNCATE hot
MERGE INTO hot USING hot AS o ON false WHEN NOT MATCHED THEN INSERT
CREATE TABLE mine (a INTEGER)
CREATE TEMP TABLE mine (a INTEGER)
CREATE MACRO f() AS 1
DROP TABLE hot
ALTER TABLE hot ADD COLUMN b INTEGER
COMMENT ON TABLE hot IS 'mine'
BEGIN
COMMIT
ROLLBACK
ATTACH ':memory:' AS mine
ATTACH '{path}' AS mine
DETACH store
USE memory
SET threads = 1
SET max_execution_time = 0
SET SESSION max_execution_time = 0
RESET max_execution_time
PRAGMA threads = 1
PRAGMA database_list
INSTALL httpfs
LOAD httpfs
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
CALL pragma_database_size()
PREPARE mine AS DELETE FROM hot
EXECUTE mine
COPY hot TO '/tmp/hot.csv'
COPY (SELECT 1) TO '{folder}/exports/hot.csv'
EXPORT DATABASE '{folder}/exports'
IMPORT DATABASE '{folder}/exports'
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('{path}')
SELECT * FROM read_blob('{path}.wal')
SELECT (SELECT max(content) FROM read_text('{path}'))
EXPLAIN SELECT * FROM read_text('{path}')
SUMMARIZE SELECT * FROM read_text('{path}')
DESCRIBE SELECT * FROM read_text('{path}')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM parquet_scan('/etc/passwd')
SELECT * FROM '/etc/passwd'
SELECT * FROM '{path}'
FROM glob('/etc/*')
SELECT * FROM query('SELECT * FROM read_text(''{path}'')')
SELECT * FROM query_table('hot')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM force_checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM no_such_table
SELECT
""".strip("\n").splitlines()


@pytest.mark.parametrize("text", ["", *HOSTILE])
def test_console_refuses_what_does_not_only_read(store: DuckDBStore, text: str) -> None:
    path = store._path
    with pytest.raises(QueryError):
        store.sql(text.replace("{path}", str(path)).replace("{folder}", str(path.parent)))
    assert store.sql("SELECT count(*), count(DISTINCT value) FROM hot").rows == [(3, 3)]
    assert {entry.name for entry in path.parent.iterdir()} <= {"perf.duckdb", "perf.duckdb.wal"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VALUES (1, 'a')", [(1, "a")]),
        ("SELECT 1 -- one", [(1,)]),
        ("-- one\nSELECT 1;", [(1,)]),
        ("WITH x AS (SELECT 2 AS a) SELECT a FROM x", [(2,)]),
        ("SELECT max(range) FROM range(5)", [(4,)]),
        ("SELECT timezone('UTC', TIMESTAMP '2023-11-15') AS a; -- zoned", [(datetime(2023, 11, 15),)]),  # noqa: DTZ001
        ("SELECT typeof(now()), current_setting('TimeZone')", [("TIMESTAMP WITH TIME ZONE", "UTC")]),
    ],
)
def test_console_answers_what_reads(store: DuckDBStore, text: str, expected: list[tuple[object, ...]]) -> None:
    assert store.sql(text).rows == expected


@pytest.mark.parametrize(
    "text", ["EXPLAIN SELECT 1", "-- why\nexplain (analyze) FROM hot", "DESCRIBE hot", "SHOW TABLES"]
)
def test_console_explains_and_describes(store: DuckDBStore, text: str) -> None:
    assert store.sql(text).rows


def test_console_caps_rows_and_says_so(store: DuckDBStore) -> None:
    result = store.sql("SELECT range FROM range(1000000)", max_rows=2)
    assert (result.rows, result.truncated, result.types) == ([(0,), (1,)], True, ("BIGINT",))
    assert not store.sql("SELECT range FROM range(2)", max_rows=2).truncated


def test_console_caps_time(store: DuckDBStore) -> None:
    with pytest.raises(QueryError, match=r"stopped after 0\.1 s"):
        store.sql("SELECT count(*) FROM range(1000000000000)", seconds=0.1)


@pytest.mark.parametrize("value", ["repeat('x', 1000000)", "[repeat('x', 1000), repeat('y', 1000000)]", "range(20000)"])
def test_console_caps_bytes(store: DuckDBStore, value: str) -> None:
    with pytest.raises(QueryError, match="more than 64 MiB"):
        store.sql(f"SELECT {value} AS x FROM range(1000)")
    assert len(store.sql(f"SELECT {value} AS x FROM range(10)").rows) == 10


def test_capped_result_does_not_block_a_checkpoint(store: DuckDBStore) -> None:
    store.sql("SELECT range FROM range(1000000)", max_rows=1)
    store._database.checkpoint()
    assert store.usage().wal_bytes == 0
