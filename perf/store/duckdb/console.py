"""One read-only statement of a person: checked, boxed in a read-only transaction, capped in time and rows."""

from __future__ import annotations

import re
from time import perf_counter

import duckdb
import msgspec

from perf.errors import QueryError
from perf.model import SqlResult
from perf.sqlfiles import quoted
from perf.store.duckdb.connection import Cursor, Database, Row, run

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ZONED = "TIMESTAMP WITH TIME ZONE"
_EXPLAIN = re.compile(r"(?:\s|--[^\n]*\n)*EXPLAIN\s+(ANALYZE\s+)?(\([^()]*\)\s*)?", re.IGNORECASE)
_HARMLESS = re.compile(
    r"range|generate_series|unnest|repeat|repeat_row|summary|json_each|json_tree|duckdb_\w+|pragma_\w+"
)
_NAME = re.compile(r"\w*")
LARGEST = 64 * 2**20
"""Bytes of an answer, about; without a bound a statement could take all memory there is."""
_PIECE = 100
"""Rows that are fetched before their bytes are counted."""


def execute(database: Database, text: str, *, max_rows: int = 10_000, seconds: float = 10.0) -> SqlResult:
    """Run *text*; times come back as naive UTC.

    The kind of the statement says little (a WITH may delete), so the transaction refuses writing as well, the instance
    refuses the network and changed settings, and the parsed statement is searched for what opens files.

    Raises: QueryError when it isn't one statement that reads, or fails; StoreClosed.
    """
    started = perf_counter()
    with database.reading(seconds) as cursor:
        try:
            statement, select = _checked(cursor, text)
            run(cursor, "BEGIN TRANSACTION READ ONLY")
            cursor.execute(statement)
            if any(str(column[1]) == _ZONED for column in cursor.description):
                cursor.abort()
                cursor.execute(_in_utc(cursor, select))
            names, types = _described(cursor)
            rows = _fetched(cursor, max_rows + 1, text)
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


def _checked(cursor: Cursor, text: str) -> tuple[duckdb.Statement, str]:
    """The one statement in *text*, and its SELECT without comments."""
    statements = cursor.extract_statements(text)
    if len(statements) != 1:
        raise QueryError(f"one statement at a time, not {len(statements)}", text=text)
    statement = statements[0]
    if statement.type not in _READING:
        raise QueryError(f"only statements that read: SELECT or EXPLAIN, not {statement.type.name}", text=text)
    select = text if statement.type is duckdb.StatementType.SELECT else _EXPLAIN.sub("", text, count=1)
    tree = run(cursor, "SELECT json_serialize_sql($text::VARCHAR)", {"text": select})[0][0]
    try:
        _check_tree(msgspec.json.decode(tree), text)
    except RecursionError as error:
        raise QueryError("too deeply nested", text=text) from error
    return statement, run(cursor, "SELECT json_deserialize_sql($tree::JSON)", {"tree": tree})[0][0]


def _check_tree(tree: object, text: str) -> None:
    """Refuse what could open a file. DuckDB lets its own database file be read, and closing that drops the lock on it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            if node.get("error"):
                raise QueryError(f"only statements that read: {node.get('error_message')}", text=text)
            function = (
                str(node.get("function", {}).get("function_name")) if node.get("type") == "TABLE_FUNCTION" else ""
            )
            if function and not _HARMLESS.fullmatch(function):
                raise QueryError(f"the table function {function} is not available here", text=text)
            if node.get("type") == "BASE_TABLE" and not _NAME.fullmatch(str(node.get("table_name"))):
                raise QueryError(f"no table {node.get('table_name')!r}; files can't be read here", text=text)


def _in_utc(cursor: Cursor, select: str) -> str:
    """*select* with its zoned times cast: the client can't fetch those without another package."""
    names = [f"c{number}" for number in range(len(cursor.description))]
    shown = [
        f"{name}{'::TIMESTAMP' if str(column[1]) == _ZONED else ''} AS {quoted(str(column[0]))}"
        for name, column in zip(names, cursor.description, strict=True)
    ]
    # The question has been checked and runs in the same box.
    return f"SELECT {', '.join(shown)} FROM ({select}) AS question({', '.join(names)})"  # noqa: S608


def _fetched(cursor: Cursor, most: int, text: str) -> list[Row]:
    """The first rows, *most* at most. Raises: QueryError when they are too large."""
    rows: list[Row] = []
    size = 0
    while len(rows) < most and (piece := cursor.fetchmany(min(_PIECE, most - len(rows)))):
        rows += piece
        size += _bytes(piece)
        if size > LARGEST:
            raise QueryError(f"the answer has more than {LARGEST // 2**20} MiB; ask for less", text=text)
    return rows


def _bytes(cell: object) -> int:
    """About how much memory *cell* takes, and all that is in it."""
    if isinstance(cell, (list, tuple)):
        return 8 * len(cell) + sum(map(_bytes, cell))
    if isinstance(cell, dict):
        return sum(_bytes(pair) for pair in cell.items())
    return len(cell) if isinstance(cell, (str, bytes)) else 8


def _described(cursor: Cursor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(str(column[0]) for column in cursor.description), tuple(
        str(column[1]) for column in cursor.description
    )


def _readable(error: duckdb.Error) -> str:
    """The error without the echo of the statement that follows it."""
    if "pytz" in str(error):
        return "times with a zone inside lists, structs and maps can't be shown; cast them: ts::TIMESTAMP"
    return str(error).split("\n\nLINE ")[0].strip()
