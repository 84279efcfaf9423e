"""Generators, plain and asynchronous: timed while their own body runs, without whoever consumes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import wraps
from time import perf_counter_ns
from typing import Any

from perf.record.watch import Watch


def generator(function: Callable[..., Any], watch: Watch) -> Callable[..., Any]:  # any signature
    """The generator function *function*, which records each of its generators when it ends or is closed."""

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:  # any signature
        body = function(*args, **kwargs)
        resume, given, spent = body.send, None, 0
        try:
            while True:
                began = perf_counter_ns()
                try:
                    item = resume(given)
                finally:
                    spent += perf_counter_ns() - began
                try:
                    resume, given = body.send, (yield item)
                except GeneratorExit:
                    body.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - as PEP 380: the body decides
                    resume, given = body.throw, thrown
        except StopIteration as end:
            _ended(watch, spent, None, args, kwargs)
            return end.value
        except BaseException as error:
            _ended(watch, spent, error, args, kwargs)
            raise

    return timed


def async_generator(function: Callable[..., Any], watch: Watch) -> Callable[..., Any]:  # any signature
    """As `generator`, of an asynchronous one; waiting inside its body is its own time."""

    @wraps(function)
    async def timed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:  # any signature
        body = function(*args, **kwargs)
        resume, given, spent = body.asend, None, 0
        try:
            while True:
                began = perf_counter_ns()
                try:
                    item = await resume(given)
                finally:
                    spent += perf_counter_ns() - began
                try:
                    resume, given = body.asend, (yield item)
                except GeneratorExit:
                    await body.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - as PEP 380: the body decides
                    resume, given = body.athrow, thrown
        except StopAsyncIteration:
            _ended(watch, spent, None, args, kwargs)
        except BaseException as error:
            _ended(watch, spent, error, args, kwargs)
            raise

    return timed


def _ended(
    watch: Watch, spent: int, error: BaseException | None, args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """A generator came to its end, or was closed, which is no error."""
    if error is not None and not isinstance(error, GeneratorExit):
        watch.failed(spent, None, error, args, kwargs)
        return
    watch.series.record_ns(spent)
    if spent > watch.series.slow:
        watch.note(spent, None, args, kwargs)
