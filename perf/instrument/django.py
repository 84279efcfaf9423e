"""Django middleware, synchronous and asynchronous: duration, route and status of every request.

MIDDLEWARE = ["perf.instrument.django.PerformanceMiddleware", ...]      # first, so that it sees the whole answer
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from perf.errors import PerfError
from perf.instrument.served import UNMATCHED, Body, Requests, outcome
from perf.record.spans import pause, resume

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
except ModuleNotFoundError as error:
    raise PerfError("perf.instrument.django needs Django: pip install django") from error

if TYPE_CHECKING:
    from perf.record import Recorder
    from perf.record.late import Call

# Django brings no annotations.
HttpRequest: TypeAlias = Any
HttpResponse: TypeAlias = Any

_ERROR = "_perf_error"


class PerformanceMiddleware:
    """What Django makes of the line in ``MIDDLEWARE``."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any], recorder: Recorder | None = None) -> None:
        """*recorder* defaults to the process's own."""
        self._get_response = get_response
        self._requests = Requests(recorder)
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer *request*; a coroutine in an asynchronous chain."""
        if self._asynchronous:
            return self._answered(request)
        visit = _Visit(self._requests, request)
        try:
            response = self._get_response(request)
        except BaseException as error:
            visit.end(error)
            raise
        visit.follow(response)
        return response

    async def _answered(self, request: HttpRequest) -> HttpResponse:
        visit = _Visit(self._requests, request)
        try:
            response = await self._get_response(request)
        except BaseException as error:
            visit.end(error)
            raise
        visit.follow(response)
        return response

    def process_exception(self, request: HttpRequest, exception: BaseException) -> None:
        """Remember what a view failed with: here only Django's answer to it arrives."""
        setattr(request, _ERROR, type(exception).__name__)


class _Visit:
    """One request on its way."""

    __slots__ = ("_began", "_request", "_requests", "_span", "_status")

    def __init__(self, requests: Requests, request: HttpRequest) -> None:
        self._requests = requests
        self._request = request
        self._status = 0
        self._span = requests.begin()
        self._began = perf_counter_ns()

    def follow(self, response: HttpResponse) -> None:
        """Wait for the end of *response*, if it streams. A file may go to the client by another way than its stream."""
        self._status = response.status_code
        if not response.streaming or getattr(response, "file_to_stream", None) is not None:
            self.end(None)
            return
        if self._span is not None:
            pause(self._span)
        kind = _AsyncBody if response.is_async else Body
        response.streaming_content = kind(response.streaming_content, self._span, self.end)

    def end(self, failure: BaseException | None) -> None:
        """The answer is complete, or won't be."""
        took = perf_counter_ns() - self._began
        query = self._request.META.get("QUERY_STRING", "")
        self._requests.end(self._span, took, lambda: self._call(failure), query)

    def _call(self, failure: BaseException | None) -> Call:
        status, error = outcome(self._status, failure)
        if isinstance(failure, asyncio.CancelledError):
            status, error = outcome(status, GeneratorExit())
        elif status >= 500:
            error = error or getattr(self._request, _ERROR, "")
        match = self._request.resolver_match
        route = UNMATCHED if match is None else f"/{match.route}"
        return self._requests.call(self._request.method, route, status, error)


class _AsyncBody(AsyncIterator[bytes]):
    """As `Body`, of an asynchronous stream."""

    def __init__(self, parts: AsyncIterable[bytes], *rest: Any) -> None:
        self._parts = aiter(parts)
        self._ending = Body((), *rest)
        self._span = rest[0]

    async def __anext__(self) -> bytes:
        if self._span is not None:
            resume(self._span)
        try:
            return await anext(self._parts)
        except StopAsyncIteration:
            self._ending.finish(None)
            raise
        except BaseException as error:
            self._ending.finish(error)
            raise
        finally:
            if self._span is not None:
                pause(self._span)

    def close(self) -> None:
        """The server is through with it."""
        self._ending.close()
