"""sqlite3: a stand-in for the connection, whose cursors are real ones of a subclass."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from perf.instrument.queries import Queries, called, like

SYSTEM = "sqlite"


class Connection:
    """Everything that a `sqlite3.Connection` does, with its statements recorded.

    A connection takes neither attributes nor another class, so this one stands in for it; `isinstance` says it is one. C code
    that wants a real one gets it from `perf.instrument.dbapi.uninstrument`.
    """

    __slots__ = ("__weakref__", "perf_connection", "perf_queries")

    perf_connection: sqlite3.Connection
    perf_queries: Queries

    def __init__(self, connection: sqlite3.Connection, queries: Queries) -> None:
        object.__setattr__(self, "perf_connection", connection)
        object.__setattr__(self, "perf_queries", queries)

    @property  # type: ignore[misc]  # object's is a plain attribute
    def __class__(self) -> type:
        return type(self.perf_connection)

    def __getattr__(self, name: str) -> Any:  # whatever the connection has
        return getattr(self.perf_connection, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.perf_connection, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.perf_connection, name)

    def __repr__(self) -> str:
        return repr(self.perf_connection)

    def __dir__(self) -> list[str]:
        return dir(self.perf_connection)

    def __call__(self, *args: Any) -> Any:  # as the connection
        """Prepare a statement."""
        return self.perf_connection(*args)

    def __enter__(self) -> Self:
        self.perf_connection.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object:
        if not self.perf_connection.in_transaction:
            return self.perf_connection.__exit__(kind, error, trace)
        return self._called("COMMIT" if kind is None else "ROLLBACK", sqlite3.Connection.__exit__, kind, error, trace)

    def cursor(self, factory: Callable[..., Any] = sqlite3.Cursor) -> Any:  # of the caller's type
        """A cursor that records; *factory* is a subclass of `sqlite3.Cursor`, or anything that makes one, which isn't recorded."""
        if isinstance(factory, type) and issubclass(factory, sqlite3.Cursor):
            factory = cursor_class(factory, self.perf_queries)
        return self.perf_connection.cursor(factory)

    def execute(self, *args: Any) -> Any:  # as the connection
        """A new cursor that has executed a statement."""
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> Any:  # as the connection
        """A new cursor that has executed a statement for every item."""
        return self.cursor().executemany(*args)

    def executescript(self, *args: Any) -> Any:  # as the connection
        """A new cursor that has executed several statements."""
        return self.cursor().executescript(*args)

    def commit(self) -> None:
        """End the transaction."""
        self._called("COMMIT", sqlite3.Connection.commit)

    def rollback(self) -> None:
        """Undo the transaction."""
        self._called("ROLLBACK", sqlite3.Connection.rollback)

    def backup(self, target: sqlite3.Connection, **kwargs: Any) -> None:  # as the connection
        """Copy the database; *target* may be recorded too."""
        self.perf_connection.backup(uninstrument(target), **kwargs)

    def _called(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        return called(self.perf_queries.of(what), function, self.perf_connection, args, {})


@lru_cache(maxsize=100)
def cursor_class(base: type[sqlite3.Cursor], queries: Queries) -> type[sqlite3.Cursor]:
    """*base* with its statements recorded."""
    execute, executemany, executescript = base.execute, base.executemany, base.executescript
    of = queries.of

    class Cursor(base):  # type: ignore[valid-type, misc]  # made for each base
        __slots__ = ()
        perf_recorded = True

        def execute(self, sql: str, *args: Any) -> Any:  # as the cursor
            query = of(sql)
            result = called(query, execute, self, (sql, *args), {})
            if self.rowcount > 0:  # A call less for every SELECT.
                query.touched(self.rowcount)
            return result

        def executemany(self, sql: str, *args: Any) -> Any:  # as the cursor
            query = of(sql)
            result = called(query, executemany, self, (sql, *args), {})
            query.touched(self.rowcount)
            return result

        def executescript(self, script: str) -> Any:  # as the cursor
            return called(of(script), executescript, self, (script,), {})

    made: type[sqlite3.Cursor] = like(Cursor, base)
    return made


def instrument(connection: Any, queries: Queries) -> Any:  # a connection, or what stands in for it
    """What to use in place of *connection*."""
    return Connection(connection, queries)


def instrumented(connection: object) -> bool:
    """Whether *connection* records already."""
    return type(connection) is Connection


def uninstrument(connection: Any) -> Any:  # a connection, or what stands in for it
    """The real connection."""
    return connection.perf_connection if type(connection) is Connection else connection
