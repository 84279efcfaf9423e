"""SQLAlchemy engines, synchronous and asynchronous, that record their statements through the engine's events.

instrument(engine)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf.instrument.dbapi import queries
from perf.instrument.queries import Queries
from perf.record import Recorder, current
from perf.record.timers import Timer

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine, ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

_CALL = "perf_call"
"""Where an execution context keeps the timer of its statement."""
_EVENTS = "perf_events"
"""Where an engine keeps what listens to it."""


def instrument(engine: Engine | AsyncEngine, recorder: Recorder | None = None) -> None:
    """Record every statement of *engine* from now on, those of connections that are open already included.

    Again, it changes nothing. Where `perf.instrument.dbapi` records the connection below, it is left to that.
    *recorder* defaults to the process's own. Raises: RecordError.
    """
    from sqlalchemy import event  # whoever has an engine has it

    inner = _sync(engine)
    if hasattr(inner, _EVENTS):
        return
    listener = _Listener(queries(recorder or current(), inner.dialect.name))
    for name in _Listener.NAMES:
        event.listen(inner, name, getattr(listener, name))
    setattr(inner, _EVENTS, listener)


def uninstrument(engine: Engine | AsyncEngine) -> None:
    """Undo `instrument`."""
    from sqlalchemy import event

    inner = _sync(engine)
    listener = getattr(inner, _EVENTS, None)
    if listener is not None:
        for name in _Listener.NAMES:
            event.remove(inner, name, getattr(listener, name))
        delattr(inner, _EVENTS)


class _Listener:
    """Opens a timer before a statement and closes it after; there is one statement at a time in a context."""

    NAMES = ("before_cursor_execute", "after_cursor_execute", "handle_error")

    def __init__(self, found: Queries) -> None:
        self._queries = found

    # Any: cursors are the drivers', the context takes attributes of anyone.
    def before_cursor_execute(
        self, _c: Connection, cursor: Any, text: str, _p: object, context: Any, _m: object
    ) -> None:
        if context is None or _recorded(cursor):
            return
        query = self._queries.of(text)
        context.perf_call = (query, Timer(query).__enter__())

    def after_cursor_execute(self, _c: Connection, cursor: Any, _t: str, _p: object, context: Any, _m: object) -> None:
        call = context.__dict__.pop(_CALL, None) if context is not None else None
        if call is not None:
            query, timer = call
            timer.__exit__(None, None, None)
            query.touched(getattr(cursor, "rowcount", None))

    def handle_error(self, failure: ExceptionContext) -> None:
        context: Any = failure.execution_context  # as above
        call = context.__dict__.pop(_CALL, None) if context is not None else None
        if call is not None:
            error = failure.original_exception
            call[1].__exit__(type(error), error, error.__traceback__)


def _recorded(cursor: Any) -> bool:
    """Whether the connection below records; asynchronous drivers' cursors stand behind an adapter's."""
    return hasattr(cursor, "perf_recorded") or hasattr(getattr(cursor, "_cursor", None), "perf_recorded")


def _sync(engine: Engine | AsyncEngine) -> Any:
    inner: Any = getattr(engine, "sync_engine", None)  # the asynchronous one has it
    return inner or engine
