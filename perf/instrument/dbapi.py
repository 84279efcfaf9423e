"""Database connections that record their statements: sqlite3, DuckDB 2 and psycopg 3 (synchronous and asynchronous).

connection = instrument(sqlite3.connect("shop.db"))

Timed is ``execute`` until it returns, not the fetching of rows. Everything else is the driver's own and works as before.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from perf.errors import PerfError
from perf.instrument.queries import Queries
from perf.record import Recorder, current

_Connection = TypeVar("_Connection")

_DRIVERS = {
    "sqlite3": ("sqlite", ("Connection",)),
    "duckdb": ("duckdb", ("DuckDBPyConnection",)),
    "psycopg": ("psycopg", ("Connection", "AsyncConnection")),
}
"""The driver's module -> ours, and its classes of connections."""


class DriverError(PerfError):
    """A connection's driver isn't one of those that can be recorded."""


def instrument(connection: _Connection, recorder: Recorder | None = None) -> _Connection:
    """*connection*, recording from now on: use what comes back. sqlite3's is a stand-in, the others are the connection itself.

    Again, it changes nothing. *recorder* defaults to the process's own. Raises: DriverError; RecordError.
    """
    driver = _driver(connection)
    if driver.instrumented(connection):
        return connection
    wrapped: _Connection = driver.instrument(connection, queries(recorder or current(), driver.SYSTEM))
    return wrapped


def uninstrument(connection: _Connection) -> _Connection:
    """The connection as it was before `instrument`. Raises: DriverError."""
    plain: _Connection = _driver(connection).uninstrument(connection)
    return plain


@lru_cache(maxsize=100)
def queries(recorder: Recorder, system: str) -> Queries:
    """What all connections of one database system share."""
    return Queries(recorder, system)


def _driver(connection: object) -> ModuleType:
    for module, (name, classes) in _DRIVERS.items():
        loaded = sys.modules.get(module)  # Whoever has a connection has imported its driver.
        if loaded is not None and isinstance(connection, tuple(getattr(loaded, each) for each in classes)):
            return import_module(f"perf.instrument.drivers.{name}")
    raise DriverError(f"no recording for connections of {type(connection).__module__}; known: {', '.join(_DRIVERS)}")
