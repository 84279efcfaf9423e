"""Connections of sqlite3 and DuckDB that record: they work as before, and tell what ran."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from perf.clock import SystemClock
from perf.instrument.dbapi import DriverError, instrument, uninstrument
from perf.record import Recorder
from perf.record.timers import recorded
from tests.unit.instrument.recorded import Recorded


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


@pytest.fixture
def lite(recorder: Recorder) -> Iterator[sqlite3.Connection]:
    connection = instrument(sqlite3.connect(":memory:"), recorder)
    connection.execute("CREATE TABLE t (a)")
    yield connection
    connection.close()


@pytest.fixture
def duck(recorder: Recorder) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = instrument(duckdb.connect(), recorder)
    connection.execute("CREATE TABLE t (a INTEGER)")
    yield connection
    connection.close()


def test_sqlite_works_as_before(lite: sqlite3.Connection) -> None:
    assert isinstance(lite, sqlite3.Connection)
    lite.row_factory = sqlite3.Row
    cursor = lite.cursor()
    assert isinstance(cursor, sqlite3.Cursor)
    assert cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)]) is cursor
    assert [row["a"] for row in lite.execute("SELECT a FROM t WHERE a > :low", {"low": 1})] == [2]
    assert lite.total_changes == 2
    assert pd.read_sql("SELECT a FROM t", lite)["a"].tolist() == [1, 2]


def test_sqlite_statements_are_told(lite: sqlite3.Connection, recorder: Recorder) -> None:
    with lite:
        lite.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (3,)])
    lite.execute("UPDATE t SET a = 7 WHERE a > 1")
    lite.rollback()
    lite.executescript("DELETE FROM t; VACUUM;")
    found = Recorded(recorder)
    assert found.calls() == {
        "CREATE TABLE t": 1, "INSERT t": 1, "COMMIT": 1, "UPDATE t": 1, "ROLLBACK": 1, "DELETE t; VACUUM": 1,
    }  # fmt: skip
    assert found.counted("db_client_rows_total", "db_operation") == {"INSERT": 3, "UPDATE": 2}
    assert {"db_system": "sqlite", "db_operation": "INSERT", "db_collection": "t", "db_query_summary": "INSERT t"} in (
        found.labels()
    )


def test_a_block_that_fails_is_rolled_back(lite: sqlite3.Connection, recorder: Recorder) -> None:
    def half() -> None:
        with lite:
            lite.execute("INSERT INTO t VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert lite.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert Recorded(recorder).calls()["ROLLBACK"] == 1


def test_failures_pass_through_and_are_counted(lite: sqlite3.Connection, recorder: Recorder) -> None:
    lite.execute("CREATE UNIQUE INDEX i ON t (a)")
    lite.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError):
        lite.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(TypeError):
        lite.execute(None)  # type: ignore[call-overload]  # what sqlite3 says about it
    found = Recorded(recorder).counted("db_client_errors_total", "error_type")
    assert found == {"SQLITE_CONSTRAINT_UNIQUE": 1, "TypeError": 1}


def test_own_cursors_and_backups_work(lite: sqlite3.Connection, recorder: Recorder, tmp_path: Path) -> None:
    class Own(sqlite3.Cursor):
        def first(self) -> Any:
            return self.fetchone()[0]

    assert lite.cursor(Own).execute("SELECT 5").first() == 5
    with_backup = instrument(sqlite3.connect(tmp_path / "copy.db"), recorder)
    lite.backup(with_backup)
    assert with_backup.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert isinstance(uninstrument(with_backup), sqlite3.Connection)
    with_backup.close()


def test_twice_is_once(lite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, recorder: Recorder) -> None:
    assert instrument(lite, recorder) is lite
    assert instrument(duck, recorder) is duck
    duck.execute("SELECT 1")
    assert Recorded(recorder).calls()["SELECT"] == 1


def test_duckdb_works_as_before(duck: duckdb.DuckDBPyConnection, recorder: Recorder) -> None:
    assert isinstance(duck, duckdb.DuckDBPyConnection)
    assert type(duck).__module__ == type(uninstrument(duckdb.connect())).__module__
    duck.executemany("INSERT INTO t VALUES (?)", [[1], [2]])
    assert duck.execute("SELECT a FROM t WHERE a > $low", {"low": 1}).fetchall() == [(2,)]
    assert duck.execute("SELECT a FROM t ORDER BY a").df()["a"].tolist() == [1, 2]
    assert duck.sql("SELECT sum(a) FROM t").fetchall() == [(3,)]
    relation = duckdb.sql("SELECT 5", connection=duck)
    assert relation.fetchall() == [(5,)]
    with duck.cursor() as cursor:
        cursor.execute("SELECT a FROM t")
    found = Recorded(recorder).calls()
    assert found == {"CREATE TABLE t": 1, "INSERT t": 1, "SELECT t": 3}


@pytest.mark.parametrize("name", ["frame", "self", "query", "args", "instrument", "annotations", "queries"])
def test_duckdb_still_finds_variables_of_the_caller(duck: duckdb.DuckDBPyConnection, name: str) -> None:
    scope: dict[str, Any] = {"duck": duck, name: pd.DataFrame({"a": [1, 2]})}
    exec(f"def ask():\n    {name} = globals()['{name}']\n    return duck.execute('SELECT sum(a) FROM {name}')", scope)
    assert scope["ask"]().fetchone() == (3,)


def test_duckdb_failures_and_ends_are_told(duck: duckdb.DuckDBPyConnection, recorder: Recorder) -> None:
    duck.begin()
    with pytest.raises(duckdb.CatalogException):
        duck.execute("SELECT * FROM absent")
    duck.rollback()
    found = Recorded(recorder)
    assert found.counted("db_client_errors_total", "error_type") == {"CatalogException": 1}
    assert found.calls() == {"CREATE TABLE t": 1, "BEGIN": 1, "SELECT absent": 1, "ROLLBACK": 1}


def test_uninstrumented_connections_tell_nothing(lite: sqlite3.Connection, duck: Any, recorder: Recorder) -> None:
    Recorded(recorder)
    uninstrument(lite).execute("SELECT 1")
    assert uninstrument(duck).execute("SELECT 1").fetchone() == (1,)
    assert type(duck) is type(duckdb.connect())
    assert Recorded(recorder).calls() == {}


def test_statements_nest_in_what_is_recorded_around_them(lite: sqlite3.Connection, recorder: Recorder) -> None:
    recorded(lambda: lite.execute("SELECT 1"), recorder, name="load")()
    assert ("load", "SELECT", "database") in Recorded(recorder).edges()


def test_an_unknown_driver_is_named() -> None:
    with pytest.raises(DriverError, match="no recording for connections of builtins; known: sqlite3, duckdb, psycopg"):
        instrument(object())
