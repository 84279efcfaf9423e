"""What times functions and blocks: decorators for every kind of function, and a context manager."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from perf.clock import SystemClock
from perf.model import Kind, Metric
from perf.record.generators import async_generator, generator
from perf.record.recorder import Recorder
from perf.record.series import SKIP
from perf.record.spans import Span
from perf.record.watch import SKIPPED, Watch

FUNCTION = Metric("function_duration_seconds", Kind.HISTOGRAM, "s", "Time that calls of a function or a block took.")
PAGE = Metric("page_load_seconds", Kind.HISTOGRAM, "s", "Time that a page took to load.")
OPERATION = Metric(
    "db_client_operation_duration_seconds", Kind.HISTOGRAM, "s", "Time that calls of databases and caches took."
)
_ROUNDS = 7
_CALLS = 1_000

_Function = TypeVar("_Function", bound=Callable[..., Any])  # any signature


def recorded(
    function: _Function, recorder: Recorder, *, name: str = "", category: str = "", metric: Metric = FUNCTION
) -> _Function:
    """*function*, which records how long each call takes: a function, coroutine function, generator function, asynchronous
    generator function, or a class or static method of one. *name* defaults to the qualified name.

    A generator's time is that of its own body, without that of whoever consumes it; it is recorded when it ends.
    """
    if isinstance(function, (classmethod, staticmethod)):
        inner = recorded(function.__func__, recorder, name=name, category=category, metric=metric)
        return cast(_Function, type(function)(inner))
    shown = name or getattr(function, "__qualname__", type(function).__qualname__)
    watch = Watch(recorder, metric, {"category": category, "function": shown})
    if inspect.isasyncgenfunction(function):
        wrapper: Callable[..., Any] = async_generator(function, watch)  # the signature is that of *function*
    elif inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        wrapper = _coroutine(function, watch)
    elif inspect.isgeneratorfunction(function):
        wrapper = generator(function, watch)
    else:
        wrapper = _plain(function, watch)
    return cast(_Function, wrapper)


# 1.4 times the price of two clocks and a wrapper. A call into a shared helper would double it, so the body stands here twice;
# every name it takes from outside costs each call 2 ns, so only those that all calls need are bound.


def _plain(
    function: Callable[..., Any], watch: Watch, clock: Callable[[], int] = perf_counter_ns
) -> Callable[..., Any]:
    series, live = watch.series, watch.recorder.spans.live
    tick, put = series.tick, series.put_ns

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:  # any signature
        if series.mode or live:
            if live or series.mode != SKIP:
                return _traced(function, watch, clock, args, kwargs)
            if (number := series.skip()) < series.turn:
                try:
                    return function(*args, **kwargs)
                except BaseException as error:
                    watch.failed(0, SKIPPED, error, args, kwargs)
                    raise
            series.turned(number)
        began = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            watch.failed(clock() - began, None, error, args, kwargs)
            raise
        took = clock() - began
        tick()
        put(took)
        if took > series.slow:
            watch.note(took, None, args, kwargs)
        return result

    return timed


def _coroutine(
    function: Callable[..., Any], watch: Watch, clock: Callable[[], int] = perf_counter_ns
) -> Callable[..., Any]:
    series, live = watch.series, watch.recorder.spans.live
    tick, put = series.tick, series.put_ns

    @wraps(function)
    async def timed(*args: Any, **kwargs: Any) -> Any:  # any signature
        if series.mode or live:
            if live or series.mode != SKIP:
                return await _traced_coroutine(function, watch, clock, args, kwargs)
            if (number := series.skip()) < series.turn:
                try:
                    return await function(*args, **kwargs)
                except BaseException as error:
                    watch.failed(0, SKIPPED, error, args, kwargs)
                    raise
            series.turned(number)
        began = clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            watch.failed(clock() - began, None, error, args, kwargs)
            raise
        took = clock() - began
        tick()
        put(took)
        if took > series.slow:
            watch.note(took, None, args, kwargs)
        return result

    return timed


def _traced(
    function: Callable[..., Any], watch: Watch, clock: Callable[[], int], args: Any, kwargs: Any
) -> Any:  # any signature
    """One call while a trace is open, or that opens one."""
    span = watch.enter()
    began = clock()
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        watch.failed(clock() - began, span, error, args, kwargs)
        raise
    took = clock() - began
    if span is not SKIPPED:
        watch.measured(took, span, args, kwargs)
    return result


async def _traced_coroutine(
    function: Callable[..., Any], watch: Watch, clock: Callable[[], int], args: Any, kwargs: Any
) -> Any:  # any signature
    """One call while a trace is open, or that opens one."""
    span = watch.enter()
    began = clock()
    try:
        result = await function(*args, **kwargs)
    except BaseException as error:
        watch.failed(clock() - began, span, error, args, kwargs)
        raise
    took = clock() - began
    if span is not SKIPPED:
        watch.measured(took, span, args, kwargs)
    return result


class Timer:
    """Times a block: ``with Timer(watch) as timer: ...``, then `seconds`. One at a time; make one for each block."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._span: Span | None = None
        self._began = 0
        self.nanoseconds = 0

    @property
    def seconds(self) -> float:
        """How long the block took; 0 before its end."""
        return self.nanoseconds / 1e9

    def __enter__(self) -> Self:
        watch = self._watch
        self._span = watch.enter() if watch.series.mode or watch.recorder.spans.live else None
        self._began = perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = self.nanoseconds = perf_counter_ns() - self._began
        watch, span = self._watch, self._span
        if error is not None:
            watch.failed(took, span, error, (), {})
        elif span is not SKIPPED:  # As `Watch.measured`, which would cost one more call.
            watch.series.tick()
            watch.series.put_ns(took)
            if took > watch.series.slow or span is not None:
                watch.note(took, span, (), {})


def call_seconds() -> float:
    """What recording adds to one call on this machine, in seconds. Takes about 10 ms."""

    def nothing() -> None:
        pass

    measured = recorded(nothing, Recorder(SystemClock(), capacity=_CALLS))
    best = [float("inf"), float("inf")]
    for _ in range(_ROUNDS):
        for which, function in enumerate((nothing, measured)):
            began = perf_counter_ns()
            for _ in range(_CALLS):
                function()
            best[which] = min(best[which], (perf_counter_ns() - began) / _CALLS)
    return max(0.0, best[1] - best[0]) / 1e9
