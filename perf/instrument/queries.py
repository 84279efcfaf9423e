"""What database calls of every driver have in common: a watch for each kind of statement, and how one call is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from time import perf_counter_ns
from typing import Any, TypeVar

from perf.instrument.statements import KEPT, MAX_TEXT, OTHER, Statement, statement
from perf.model import Kind, Metric
from perf.record import Counter, Recorder
from perf.record.spans import Span
from perf.record.timers import OPERATION
from perf.record.watch import SKIPPED, Watch

ERRORS = Metric(
    "db_client_errors_total", Kind.COUNTER, "1", "Calls of databases and caches that failed, by SQLSTATE or the like."
)
ROWS = Metric(
    "db_client_rows_total", Kind.COUNTER, "1", "Rows that statements changed or returned, where the driver says so."
)

_Result = TypeVar("_Result")


class Query(Watch):
    """The watch of one kind of statement; its failures count as the database's."""

    __slots__ = ("_rows", "system")

    def __init__(self, recorder: Recorder, system: str, what: Statement, kind: str) -> None:
        labels = {
            "db_collection": what.collection,
            "db_operation": what.operation,
            "db_query_summary": what.summary,
            "db_system": system,
        }
        super().__init__(recorder, OPERATION, labels, kind=kind, name=what.summary)
        self.system = system
        self._rows: Counter | None = None

    def touched(self, rows: object) -> None:
        """Add a driver's ``rowcount``, where it knows one."""
        if isinstance(rows, int) and rows > 0:
            counter = self._rows
            if counter is None:
                try:
                    counter = self._rows = self.recorder.counter(ROWS, self.labels)
                except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
                    self.recorder.failed("counting rows")
                    return
            counter.add(rows)

    def failed(self, took_ns: int, span: Span | None, error: BaseException, args: Sequence[object],
               kwargs: Mapping[str, object]) -> None:  # fmt: skip
        """After a call that ended with *error*."""
        name = error_type(error)
        try:
            self.recorder.counter(ERRORS, {"db_system": self.system, "error_type": name}).add()
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("counting an error")
        if span is not SKIPPED:
            self.series.tick()
            self.series.put_ns(took_ns)
            self.note(took_ns, span, args, kwargs, name)


class Queries:
    """The watches of one database system. Few: statements that do the same share one."""

    def __init__(self, recorder: Recorder, system: str, kind: str = "database") -> None:
        """Raises: RecordError when the recorder knows one of the metrics as another kind."""
        self.recorder = recorder
        self._system = system
        self._kind = kind
        self._watches: dict[Statement, Query] = {}
        self._unknown = Query(recorder, system, Statement(operation=OTHER, collection="", summary=OTHER), kind)
        self._kept = lru_cache(maxsize=KEPT)(self._of_text)

    def of(self, query: object) -> Query:
        """The watch of *query*: a text, bytes, or a driver's object that holds one."""
        if type(query) is str:
            return self._kept(query if len(query) <= MAX_TEXT else query[:MAX_TEXT])
        return self._kept(_text(query)[:MAX_TEXT])

    def known(self, what: Statement) -> Query:
        """The watch of what is told already."""
        found = self._watches.get(what)
        if found is None:
            try:
                found = Query(self.recorder, self._system, what, self._kind)
            except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
                self.recorder.failed("naming a statement")
                return self._unknown
            if len(self._watches) >= KEPT:
                self._watches.clear()
            self._watches[what] = found
        return found

    def _of_text(self, text: str) -> Query:
        return self.known(statement(text))


def called(
    query: Query, function: Callable[..., _Result], owner: object, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> _Result:  # any signature
    """``function(owner, *args, **kwargs)``, recorded."""
    span = query.enter() if query.series.mode or query.recorder.spans.live else None
    began = perf_counter_ns()
    try:
        result = function(owner, *args, **kwargs)
    except BaseException as error:
        query.failed(perf_counter_ns() - began, span, error, args, kwargs)
        raise
    took = perf_counter_ns() - began
    if span is not SKIPPED:
        query.measured(took, span, args, kwargs)
    return result


async def awaited(
    query: Query,
    function: Callable[..., Awaitable[_Result]],
    owner: object,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> _Result:  # any signature
    """``await function(owner, *args, **kwargs)``, recorded."""
    span = query.enter() if query.series.mode or query.recorder.spans.live else None
    began = perf_counter_ns()
    try:
        result = await function(owner, *args, **kwargs)
    except BaseException as error:
        query.failed(perf_counter_ns() - began, span, error, args, kwargs)
        raise
    took = perf_counter_ns() - began
    if span is not SKIPPED:
        query.measured(took, span, args, kwargs)
    return result


def like(made: Any, base: Any) -> Any:  # classes of drivers
    """*made*, a subclass of *base* that shows itself under its name: libraries look at the names of classes."""
    made.__name__, made.__qualname__, made.__module__ = base.__name__, base.__qualname__, base.__module__
    return made


def error_type(error: BaseException) -> str:
    """SQLSTATE (PostgreSQL), SQLite's name of the error, else the exception's type."""
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return code if isinstance(code, str) else type(error).__name__


def _text(query: Any) -> str:  # whatever a program hands to a driver
    """The SQL in *query*; empty when it can't be told. Never raises."""
    try:
        if isinstance(query, bytes | bytearray):
            return query[:MAX_TEXT].decode("utf-8", "replace")
        if hasattr(query, "as_string"):  # psycopg's sql.SQL, sql.Composed
            return str(query.as_string(None))
        if hasattr(query, "strings"):  # a template string, from Python 3.14
            return "?".join(query.strings)
        return str(getattr(query, "query", query if isinstance(query, str) else ""))  # DuckDB's statements
    except Exception:  # noqa: BLE001 - the edge where perf must not break its host; the driver will say what is wrong.
        return ""
