"""psycopg 3, synchronous and asynchronous: the connection and the cursors that it makes become ones of subclasses."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from perf.instrument.queries import Queries, awaited, called, like

SYSTEM = "postgresql"

_FACTORIES = ("cursor_factory", "server_cursor_factory")


def instrument(connection: Any, queries: Queries) -> Any:  # any of psycopg's connections
    """*connection*, which records from now on; cursors that are open don't."""
    for name in _FACTORIES:
        setattr(connection, name, _cursor_class(getattr(connection, name), queries))
    base: Any = type(connection)
    connection.__class__ = _connection_class(base, queries)
    return connection


def instrumented(connection: object) -> bool:
    """Whether *connection* records already."""
    return hasattr(connection, "perf_recorded")


def uninstrument(connection: Any) -> Any:  # as above
    """*connection*, as it was; cursors that are open go on recording."""
    if instrumented(connection):
        for name in _FACTORIES:
            factory = getattr(connection, name)
            setattr(connection, name, factory.__base__ if hasattr(factory, "perf_recorded") else factory)
        connection.__class__ = type(connection).__base__
    return connection


@lru_cache(maxsize=100)
def _connection_class(base: Any, queries: Queries) -> Any:  # as above
    """*base* with the ends of its transactions recorded."""
    of = queries.of

    class Connection(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        def commit(self) -> None:
            called(of("COMMIT"), base.commit, self, (), {})

        def rollback(self) -> None:
            called(of("ROLLBACK"), base.rollback, self, (), {})

    class AsyncConnection(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        async def commit(self) -> None:
            await awaited(of("COMMIT"), base.commit, self, (), {})

        async def rollback(self) -> None:
            await awaited(of("ROLLBACK"), base.rollback, self, (), {})

    return like(AsyncConnection if inspect.iscoroutinefunction(base.commit) else Connection, base)


@lru_cache(maxsize=100)
def _cursor_class(base: Any, queries: Queries) -> Any:  # any of psycopg's cursors
    """*base* with its statements recorded."""
    of = queries.of

    class Cursor(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # as the cursor
            watch = of(query)
            result = called(watch, base.execute, self, (query, *args), kwargs)
            watch.touched(self.rowcount)
            return result

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # as the cursor
            watch = of(query)
            result = called(watch, base.executemany, self, (query, *args), kwargs)
            watch.touched(self.rowcount)
            return result

    class AsyncCursor(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # as the cursor
            watch = of(query)
            result = await awaited(watch, base.execute, self, (query, *args), kwargs)
            watch.touched(self.rowcount)
            return result

        async def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # as the cursor
            watch = of(query)
            result = await awaited(watch, base.executemany, self, (query, *args), kwargs)
            watch.touched(self.rowcount)
            return result

    return like(AsyncCursor if inspect.iscoroutinefunction(base.execute) else Cursor, base)
