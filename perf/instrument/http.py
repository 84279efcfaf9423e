"""Outgoing HTTP: duration, host and status of what httpx and requests send. Never the URL: it may hold anything.

perf.instrument.http.instrument()            # every client of whichever is installed
perf.instrument.http.instrument(client)      # one httpx.Client, httpx.AsyncClient or requests.Session
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from perf.errors import PerfError
from perf.instrument.methods import known_method
from perf.model import Kind, Metric
from perf.record.late import Call, Late

if TYPE_CHECKING:
    from perf.record import Recorder

DURATION = Metric("http_client_request_duration_seconds", Kind.HISTOGRAM, "s", "Duration of outgoing HTTP requests.")

_CLIENTS = {"httpx": ("Client", "AsyncClient"), "requests": ("Session",)}
_ORIGINAL = "_perf_original"
_MAX_KNOWN = 10_000

# Clients call themselves to follow a redirect: that is one call of whoever asked.
_sending: ContextVar[object] = ContextVar("perf_http_sending", default=None)


def instrument(client: Any = None, *, recorder: Recorder | None = None) -> None:
    """Record what *client* sends, or all clients of httpx and requests, made before or after. A second time does nothing.

    A call lasts as for its caller: redirects and the body included, unless it is streamed. *recorder* defaults to the
    process's own.

    Raises: PerfError when neither library is installed.
    """
    if recorder is None:
        from perf.record import current

        recorder = current()
    for target in _targets(client):
        if not hasattr(target.send, _ORIGINAL):
            target.send = _recorded(target.send, _Sent(recorder))


def uninstrument(client: Any = None) -> None:
    """Undo `instrument` of the same."""
    for target in _targets(client):
        original = getattr(target.send, _ORIGINAL, None)
        if original is None:
            continue
        if isinstance(target, type):
            target.send = original  # type: ignore[attr-defined]  # clients send
        else:
            vars(target).pop("send", None)


def _targets(client: Any) -> list[Any]:  # clients, or their classes
    if client is not None:
        return [client]
    found = []
    for module, names in _CLIENTS.items():
        try:
            library = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        found += [getattr(library, name) for name in names]
    if not found:
        raise PerfError("neither httpx nor requests is installed: pip install httpx")
    return found


def _recorded(send: Callable[..., Any], sent: _Sent) -> Callable[..., Any]:
    """*send*, a method or what a client has in its place, which records each call."""
    bound = getattr(send, "__self__", None)

    def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[object, Any]:
        """The client, and the request."""
        client, given = (bound, args) if bound is not None else (args[0], args[1:])
        return client, given[0] if given else kwargs.get("request")

    @wraps(send)
    def timed(*args: Any, **kwargs: Any) -> Any:  # the arguments of any version of the library
        client, request = asked(args, kwargs)
        if _sending.get() is client:
            return send(*args, **kwargs)
        with _Sending(sent, client, request) as call:
            call.response = send(*args, **kwargs)
        return call.response

    @wraps(send)
    async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:  # as above
        client, request = asked(args, kwargs)
        if _sending.get() is client:
            return await send(*args, **kwargs)
        with _Sending(sent, client, request) as call:
            call.response = await send(*args, **kwargs)
        return call.response

    wrapper = timed_coroutine if inspect.iscoroutinefunction(send) else timed
    setattr(wrapper, _ORIGINAL, send)
    return wrapper


class _Sent:
    """What one line of instrumentation records."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        # Who wants traces of outgoing calls wants them inside what made them.
        self.late = Late(recorder, "http", opens=False)
        self._calls: dict[tuple[str, str, str, str], Call] = {}

    def call(self, request: Any, response: Any, failure: BaseException | None) -> Call:  # of either library
        """What a call turned out to be: *response* is None where there is none."""
        method = str(request.method).upper()
        host = urlsplit(str(request.url)).hostname or ""
        status = "" if response is None else str(response.status_code)
        error = type(failure).__name__ if failure is not None else status if status >= "400" else ""
        key = (known_method(method), host, status, error)
        found = self._calls.get(key)
        if found is None:
            found = self._made(*key)
            if len(self._calls) >= _MAX_KNOWN:
                self._calls.clear()
            self._calls[key] = found
        return found

    def _made(self, method: str, host: str, status: str, error: str) -> Call:
        labels = {"error_type": error} if error else {}
        labels["http_request_method"] = method
        if status:
            labels["http_response_status_code"] = status
        labels["server_address"] = host
        return Call(self._recorder.distribution(DURATION, labels), f"{method} {host}", error)


class _Sending:
    """One call under way."""

    def __init__(self, sent: _Sent, client: object, request: Any) -> None:
        self._sent = sent
        self._client = client
        self._request = request
        self.response: Any = None  # of either library

    def __enter__(self) -> Self:
        self._token = _sending.set(self._client)
        self._span = self._sent.late.enter()
        self._began = perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = perf_counter_ns() - self._began
        _sending.reset(self._token)
        self._sent.late.ended(self._span, took, lambda: self._sent.call(self._request, self.response, error))
