"""The methods that stand between a program and DuckDB. It looks for the variables that a query names in their frames and module,
too, before those of the program: so every name here is one that no table has.
"""
# ruff: noqa: N805

import typing as _perf_typing

from perf.record.timers import Timer as _PerfTimer


def _perf_connection_class(
    _perf_base: _perf_typing.Any, _perf_of: _perf_typing.Any, _perf_instrument: _perf_typing.Any, _perf_queries: object
) -> _perf_typing.Any:  # classes of C's, without types
    class _PerfConnection(_perf_base):  # type: ignore[misc]  # made for each base
        __slots__ = ()
        perf_recorded = True

        def execute(_perf_self, _perf_query: _perf_typing.Any, *_perf_args: object, **_perf_more: object) -> object:
            with _PerfTimer(_perf_of(_perf_query)):
                return _perf_base.execute(_perf_self, _perf_query, *_perf_args, **_perf_more)

        def executemany(_perf_self, _perf_query: _perf_typing.Any, *_perf_args: object, **_perf_more: object) -> object:
            with _PerfTimer(_perf_of(_perf_query)):
                return _perf_base.executemany(_perf_self, _perf_query, *_perf_args, **_perf_more)

        def begin(_perf_self) -> object:
            with _PerfTimer(_perf_of("BEGIN")):
                return _perf_base.begin(_perf_self)

        def commit(_perf_self) -> object:
            with _PerfTimer(_perf_of("COMMIT")):
                return _perf_base.commit(_perf_self)

        def rollback(_perf_self) -> object:
            with _PerfTimer(_perf_of("ROLLBACK")):
                return _perf_base.rollback(_perf_self)

        def cursor(_perf_self) -> object:
            return _perf_instrument(_perf_base.cursor(_perf_self), _perf_queries)

        duplicate = cursor

    return _PerfConnection
