"""ASGI middleware: duration, route and status of every request, and how many are being answered. Pure ASGI, no dependency.

app.add_middleware(PerformanceMiddleware)        # FastAPI, Starlette
app = PerformanceMiddleware(app)                 # any ASGI application
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from perf.instrument.served import CACHED, CLIENT_CLOSED, RECORDED, UNMATCHED, Requests
from perf.model import Kind, Metric

if TYPE_CHECKING:
    from perf.record import Recorder
    from perf.record.late import Call

# ASGI's own types are open dicts.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

CONNECTION = Metric("websocket_connection_duration_seconds", Kind.HISTOGRAM, "s", "How long websockets were open.")


class PerformanceMiddleware:
    """Wraps an ASGI application. What goes wrong in the application passes through untouched."""

    def __init__(self, app: App, recorder: Recorder | None = None) -> None:
        """*recorder* defaults to the process's own."""
        self._app = app
        self._requests = Requests(recorder)
        self._handles: dict[tuple[object, ...], tuple[object, Call]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and record when the answer is complete."""
        if scope["type"] != "http" or RECORDED in scope:
            await self._other(scope, receive, send)
            return
        scope[RECORDED] = True
        status = ended = 0

        # Not a coroutine of its own: handing on the awaitable of the server's saves one a message.
        def observed(message: Message) -> Awaitable[None]:
            nonlocal status, ended
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif kind == "http.response.pathsend" or (kind == "http.response.body" and not message.get("more_body")):
                ended = perf_counter_ns()
            return send(message)

        span = self._requests.begin()
        failure: BaseException | None = None
        started = perf_counter_ns()
        try:
            await self._app(scope, receive, observed)
        except BaseException as error:
            failure = error
            raise
        finally:
            if not ended:
                # What fails after a complete answer is a background task, and not the request's failure.
                ended, status = perf_counter_ns(), _unfinished(status, failure)
            kind = type(failure).__name__ if failure is not None and status >= 500 else ""
            query = scope.get("query_string", b"")
            self._requests.end(span, ended - started, lambda: self._call(scope, status, kind), query)

    def _call(self, scope: Scope, status: int, error: str) -> Call:
        route = _selected(scope)
        # Routes have no hash; the object stands in the value, so its id can't be another's.
        key = (scope["method"], id(route), scope.get("root_path"), status, error)
        found = self._handles.get(key)
        if found is None:
            found = (route, self._requests.call(scope["method"], template(scope), status, error))
            if len(self._handles) >= CACHED:  # Mounts with parameters: their prefix is as varied as the requests.
                self._handles.clear()
            self._handles[key] = found
        return found[1]

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, _telling_the_end(send) if scope["type"] == "lifespan" else send)
            return
        started = perf_counter_ns()
        try:
            await self._app(scope, receive, send)
        finally:
            self._connected(scope, perf_counter_ns() - started)

    def _connected(self, scope: Scope, nanoseconds: int) -> None:
        recorder = self._requests.recorder
        try:
            recorder.distribution(CONNECTION, {"http_route": template(scope)}).record_ns(nanoseconds)
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            recorder.failed("recording a websocket")


def _telling_the_end(send: Send) -> Send:
    """*send*, which has what was recorded kept first: a server may end by the signal that it got, without `atexit`."""

    async def observed(message: Message) -> None:
        if message["type"] == "lifespan.shutdown.complete":
            from perf.record.ending import ending  # as late as the recorder itself

            ending()
        await send(message)

    return observed


def template(scope: Scope) -> str:
    """The path of the route that answered as the program wrote it (``/items/{id}``), mounts included; never the raw path."""
    route = _selected(scope)
    path = getattr(route, "path", None)
    if not isinstance(path, str) or getattr(route, "routes", None):
        return UNMATCHED  # A mount whose own routes didn't match either is no route.
    base = scope.get("app_root_path")  # Starlette's mounts leave it there; before them it is the root_path.
    if base is None:
        return path or "/"
    prefix = scope["root_path"].removeprefix(base)
    if not hasattr(route, "endpoint"):
        path = ""  # The mount itself answered, files for instance: its path is in the prefix.
    mounts = _mounts(getattr(scope.get("router"), "routes", ()), scope["path"].removeprefix(base), prefix)
    return UNMATCHED if mounts is None else mounts + path or "/"


def _selected(scope: Scope) -> Any:  # a route of any framework
    """The route that answered. FastAPI's own says nothing of the prefix of the router that it was included with."""
    route = scope.get("route")
    inner = scope.get("fastapi")
    if inner is not None:
        context = inner.get("effective_route_context")
        if context is not None and getattr(context, "original_route", None) is route:
            return context
    return route


def _mounts(routes: Any, path: str, prefix: str) -> str | None:  # routes of any framework
    """The paths of the mounts, as written, that took *prefix* off *path*; None when they aren't among *routes*."""
    if not prefix:
        return ""
    for route in routes:
        regex = getattr(route, "path_regex", None)
        matched = regex.match(path) if regex is not None and hasattr(route, "app") else None
        if matched is None or "path" not in matched.groupdict():
            continue
        rest = "/" + matched["path"]
        taken = path[: -len(rest)]
        if prefix.startswith(taken):
            inner = _mounts(getattr(route, "routes", ()), rest, prefix[len(taken) :])
            if inner is not None:
                return f"{route.path}{inner}"
    return None


def _unfinished(status: int, failure: BaseException | None) -> int:
    """The status of a request whose answer has no end: the program failed, or the client had gone."""
    if failure is None:
        return CLIENT_CLOSED if status else 500
    gone = isinstance(failure, asyncio.CancelledError) or type(failure).__name__ == "ClientDisconnect"
    return CLIENT_CLOSED if gone else 500
