"""One read-only statement of a person: checked, boxed in a read-only transaction, capped in time and rows."""

from __future__ import annotations

from time import perf_counter

import duckdb

from perf.errors import QueryError
from perf.model import SqlResult
from perf.sqlfiles import quoted
from perf.store.duckdb.connection import Cursor, Database, run

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ZONED = "TIMESTAMP WITH TIME ZONE"


def execute(database: Database, text: str, *, max_rows: int = 10_000, seconds: float = 10.0) -> SqlResult:
    """Run *text*; times come back as naive UTC.

    The kind of the statement says little (a WITH may delete), so the transaction refuses writing as well; the instance
    refuses files, the network and changed settings.

    Raises: QueryError when it isn't one statement that reads, or fails; StoreClosed.
    """
    started = perf_counter()
    with database.reading(seconds) as cursor:
        try:
            statement = _checked(cursor, text)
            run(cursor, "BEGIN TRANSACTION READ ONLY")
            cursor.execute(statement)
            if any(str(column[1]) == _ZONED for column in cursor.description):
                cursor.abort()
                cursor.execute(_in_utc(cursor, statement.query))
            names, types = _described(cursor)
            rows = cursor.fetchmany(max_rows + 1)
            cursor.abort()
            run(cursor, "ROLLBACK")
        except duckdb.FatalException:
            raise
        except duckdb.InterruptException as error:
            raise QueryError(f"stopped after {seconds:g} s; ask for less", text=text) from error
        except duckdb.Error as error:
            raise QueryError(_readable(error), text=text) from error
    return SqlResult(
        columns=names,
        types=types,
        rows=rows[:max_rows],
        truncated=len(rows) > max_rows,
        seconds=perf_counter() - started,
    )


def _checked(cursor: Cursor, text: str) -> duckdb.Statement:
    statements = cursor.extract_statements(text)
    if len(statements) != 1:
        raise QueryError(f"one statement at a time, not {len(statements)}", text=text)
    statement = statements[0]
    if statement.type not in _READING:
        raise QueryError(f"only statements that read: SELECT or EXPLAIN, not {statement.type.name}", text=text)
    return statement


def _in_utc(cursor: Cursor, query: str) -> str:
    """*query* with its zoned times cast: the client can't fetch those without another package."""
    body = query.rstrip().rstrip(";")
    names = [f"c{number}" for number in range(len(cursor.description))]
    shown = [
        f"{name}{'::TIMESTAMP' if str(column[1]) == _ZONED else ''} AS {quoted(str(column[0]))}"
        for name, column in zip(names, cursor.description, strict=True)
    ]
    # The query has been checked and runs in the same box.
    return f"SELECT {', '.join(shown)} FROM (\n{body}\n) AS question({', '.join(names)})"  # noqa: S608


def _described(cursor: Cursor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(str(column[0]) for column in cursor.description), tuple(
        str(column[1]) for column in cursor.description
    )


def _readable(error: duckdb.Error) -> str:
    """The error without the echo of the statement that follows it."""
    return str(error).split("\n\nLINE ")[0].strip()
