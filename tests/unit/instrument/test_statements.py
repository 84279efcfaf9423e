"""Summaries of statements: what they say, and what they never say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.instrument.statements import MAX_SUMMARY, MAX_TEXT, OTHER, Statement, statement


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("SELECT 1", "SELECT"),
        ("select * from orders where id = 5", "SELECT orders"),
        ("  -- who\n /* why */ SELECT * FROM orders", "SELECT orders"),
        ('SELECT * FROM public.orders o, "My Table" AS m JOIN x.y ON a = b', "SELECT public.orders My Table x.y"),
        ('SELECT * FROM "sch"."a""b"', 'SELECT sch.a"b'),
        ("SELECT * FROM `db`.`t`", "SELECT db.t"),
        ("SELECT * FROM [dbo].[t]", "SELECT dbo.t"),
        ("INSERT INTO orders (a, b) VALUES ('x', 1)", "INSERT orders"),
        ("INSERT INTO a SELECT * FROM b", "INSERT a b"),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", "INSERT t"),
        ("INSERT OR REPLACE INTO t VALUES (1)", "INSERT t"),
        ("REPLACE INTO t VALUES (1)", "REPLACE t"),
        ("UPDATE ONLY orders SET a = 'FROM secret'", "UPDATE orders"),
        ("DELETE FROM a USING b WHERE a.x = b.x", "DELETE a b"),
        ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET x = 1", "MERGE t s"),
        ("WITH a AS (SELECT * FROM t1), b (c) AS (SELECT 1 FROM t2) SELECT * FROM a, b, t3", "SELECT t1 t2 t3"),
        ("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) DELETE FROM q", "DELETE q"),
        ("SELECT * FROM (WITH x AS (SELECT * FROM t) SELECT * FROM x) y", "SELECT t"),
        ("SELECT * FROM (SELECT * FROM inner_t) x, other", "SELECT inner_t other"),
        ("SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b)", "SELECT a b"),
        ("(SELECT * FROM a) UNION (SELECT * FROM b)", "SELECT a b"),
        ("SELECT extract(year FROM day), trim(both FROM x) FROM t", "SELECT t"),
        ("SELECT a IS DISTINCT FROM b FROM c", "SELECT c"),
        ("SELECT * FROM t FOR UPDATE OF t", "SELECT t"),
        ("SELECT * FROM a, a, a", "SELECT a"),
        ("SELECT * FROM a, b, c, d, e, f", "SELECT a b c d"),
        ("FROM t SELECT a", "SELECT t"),
        ("SELECT * FROM read_parquet('secret.parquet')", "SELECT read_parquet"),
        ("SELECT * FROM 'secret.parquet'", "SELECT"),
        ("SELECT data #>> '{a}' FROM t", "SELECT t"),
        ("BEGIN", "BEGIN"),
        ("BEGIN; UPDATE t SET a = 1; COMMIT", "BEGIN; UPDATE t; COMMIT"),
        ("UPDATE t SET a = 1; UPDATE t SET a = 2", "UPDATE t"),
        (";;; SELECT 1 ;", "SELECT"),
        ("SAVEPOINT sa_savepoint_17", "SAVEPOINT"),
        ("CREATE TABLE IF NOT EXISTS foo (id int, type text)", "CREATE TABLE foo"),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM a", "CREATE VIEW v a"),
        ("DROP INDEX CONCURRENTLY i", "DROP INDEX i"),
        ("TRUNCATE TABLE ONLY t", "TRUNCATE t"),
        ("COPY t FROM STDIN", "COPY t"),
        ("EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN t"),
        ("PRAGMA table_info(x)", "PRAGMA table_info"),
        ("hunter2 is a password", OTHER),
        ("'SELECT'", OTHER),
        ("", OTHER),
    ],
)  # fmt: skip
def test_what_a_statement_does(text: str, summary: str) -> None:
    assert statement(text).summary == summary


def test_operation_and_first_table_come_from_the_same_reading() -> None:
    assert statement("select * from a join b") == Statement(operation="SELECT", collection="a", summary="SELECT a b")


@pytest.mark.parametrize(
    "text",
    [
        r"SELECT 'it\'s FROM secret' FROM t",  # MySQL: one text; the standard: a text, then names
        r"SELECT E'it\'s FROM secret' FROM t",
        "SELECT $$ FROM secret $$ FROM t",
        "SELECT $a$ it's $$ FROM secret $a$ FROM t",
        "/* outer /* inner */ FROM secret */ SELECT 1",
        "SELECT 1 # isn't\n FROM secret",
        'SELECT "FROM secret',
        "SELECT 'FROM secret",
        "SELECT * FROM t WHERE a = 'x'';DELETE FROM secret;'",
        "SELECT -- FROM secret\n 1",
        "SELECT :secret, @secret, %(secret)s FROM :secret",
    ],
)
def test_what_may_be_a_literal_is_never_read_as_a_name(text: str) -> None:
    assert "secret" not in statement(text).summary


def test_only_the_beginning_of_a_huge_text_is_read() -> None:
    text = "SELECT * FROM a WHERE id IN (" + "1, " * 1_000_000 + "1) OR x IN (SELECT x FROM b)"
    assert statement(text).summary == "SELECT a"
    assert statement("SELECT * FROM " + "x" * 10 * MAX_TEXT).summary == "SELECT " + "x" * 60


@given(st.text(max_size=200))
def test_any_text_has_a_short_summary_that_can_be_shown(text: str) -> None:
    found = statement(text)
    assert found.summary
    assert len(found.summary) <= MAX_SUMMARY
    assert found.summary.isprintable()
    assert statement(text) == found


WORDS = st.sampled_from(
    [
        "SELECT", "FROM", "WHERE", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "JOIN", "ON", "WITH",
        "AS", "(", ")", ",", ".", ";", "=", "a", "b", "t1", "x.y", '"q"', "USING", "TABLE", "CREATE", "COPY",
        "TO", "EXISTS", "NOT", "IF", "DISTINCT", "CALL", "ONLY", "[",
    ]
)  # fmt: skip
SECRET = "zq93"
LITERALS = st.builds(
    lambda text, form: form.format(text),
    st.lists(
        st.sampled_from([SECRET, "''", " ", " FROM ", ",", "(", "--", "/*", ".", "$"]), min_size=1, max_size=5
    ).map("".join),
    st.sampled_from(["'{}'", "N'{}'", "'{}'::text", "DATE '{}'"]),
) | st.sampled_from([f"9{SECRET}", f"0x{SECRET}", f"$x$'{SECRET} FROM {SECRET}$x$", f":{SECRET}", f"%({SECRET})s"])


@given(st.lists(WORDS | LITERALS, max_size=30))
def test_no_literal_value_is_ever_told(parts: list[str]) -> None:
    found = statement(" ".join(parts))
    assert SECRET not in found.summary
    assert SECRET not in found.collection
