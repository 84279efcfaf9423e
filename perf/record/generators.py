"""Generators, plain and asynchronous: timed while their own body runs, without whoever consumes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import partial, wraps
from time import perf_counter_ns
from typing import Any

from perf.record.spans import Span, pause, resume
from perf.record.watch import SKIPPED, Watch


def generator(function: Callable[..., Any], watch: Watch) -> Callable[..., Any]:  # any signature
    """The generator function *function*, which records each of its generators when it ends or is closed."""

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:  # any signature
        body = function(*args, **kwargs)
        span = _entered(watch)
        send, throw = _steps(span, _within, body.send, body.throw)
        step, given, spent = send, None, 0
        try:
            while True:
                began = perf_counter_ns()
                try:
                    item = step(given)
                finally:
                    spent += perf_counter_ns() - began
                try:
                    step, given = send, (yield item)
                except GeneratorExit:
                    body.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - as PEP 380: the body decides
                    step, given = throw, thrown
        except StopIteration as end:
            _ended(watch, span, spent, None, args, kwargs)
            return end.value
        except BaseException as error:
            _ended(watch, span, spent, error, args, kwargs)
            raise

    return timed


def async_generator(function: Callable[..., Any], watch: Watch) -> Callable[..., Any]:  # any signature
    """As `generator`, of an asynchronous one; waiting inside its body is its own time."""

    @wraps(function)
    async def timed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:  # any signature
        body = function(*args, **kwargs)
        span = _entered(watch)
        send, throw = _steps(span, _within_async, body.asend, body.athrow)
        step, given, spent = send, None, 0
        try:
            while True:
                began = perf_counter_ns()
                try:
                    item = await step(given)
                finally:
                    spent += perf_counter_ns() - began
                try:
                    step, given = send, (yield item)
                except GeneratorExit:
                    await body.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - as PEP 380: the body decides
                    step, given = throw, thrown
        except StopAsyncIteration:
            _ended(watch, span, spent, None, args, kwargs)
        except BaseException as error:
            _ended(watch, span, spent, error, args, kwargs)
            raise

    return timed


def _entered(watch: Watch) -> Span | None:
    """What `Watch.enter` says of a generator that begins. Its span is active while the body runs, and not before."""
    span = watch.enter() if watch.series.mode or watch.recorder.spans.live else None
    if span is not None:
        pause(span)
    return span


def _steps(span: Span | None, within: Callable[..., Any], *calls: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """*calls*, each *within* the *span* if there is one."""
    return calls if span is None or span is SKIPPED else tuple(partial(within, span, call) for call in calls)


def _within(span: Span, call: Callable[..., Any], given: Any) -> Any:  # whatever a generator takes and yields
    resume(span)
    try:
        return call(given)
    finally:
        pause(span)


async def _within_async(span: Span, call: Callable[..., Any], given: Any) -> Any:  # as above
    resume(span)
    try:
        return await call(given)
    finally:
        pause(span)


def _ended(
    watch: Watch,
    span: Span | None,
    spent: int,
    error: BaseException | None,
    args: Sequence[object],
    kwargs: Mapping[str, object],
) -> None:
    """A generator came to its end, or was closed, which is no error."""
    if error is not None and not isinstance(error, GeneratorExit):
        watch.failed(spent, span, error, args, kwargs)
    elif span is not SKIPPED:
        watch.measured(spent, span, args, kwargs)
