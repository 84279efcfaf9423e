"""DuckDB: the connection itself becomes one of a subclass, so whatever takes a connection takes it still."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import duckdb

from perf.instrument.drivers.duckdbframes import _perf_connection_class
from perf.instrument.queries import Queries, like

SYSTEM = "duckdb"

# A query may name a variable of its caller (`FROM frame`). DuckDB looks in the calling frame, which now is one of ours.
_ALL_FRAMES = "SET python_scan_all_frames = true"
_ONE_FRAME = "RESET python_scan_all_frames"


def instrument(connection: Any, queries: Queries) -> Any:  # a class of C's, without types
    """*connection*, which records from now on; so do its cursors."""
    _configure(connection, _ALL_FRAMES)
    base: Any = type(connection)
    connection.__class__ = _connection_class(base, queries)
    return connection


def instrumented(connection: object) -> bool:
    """Whether *connection* records already."""
    return getattr(connection, "perf_recorded", False) is True


def uninstrument(connection: Any) -> Any:  # as above
    """*connection*, as it was."""
    if instrumented(connection):
        connection.__class__ = type(connection).__base__
        _configure(connection, _ONE_FRAME)
    return connection


@lru_cache(maxsize=100)
def _connection_class(base: Any, queries: Queries) -> Any:  # as above
    """*base* with its statements recorded."""
    return like(_perf_connection_class(base, queries.of, instrument, queries), base)


def _configure(connection: Any, setting: str) -> None:
    try:
        connection.execute(setting)
    except duckdb.Error:  # Locked by lock_configuration: only queries that name variables would notice.
        return
