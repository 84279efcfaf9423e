"""WSGI middleware: duration, route and status of every request, and how many are being answered. No dependency.

app = PerformanceMiddleware(app)
app.wsgi_app = PerformanceMiddleware(app.wsgi_app)   # where *app* must stay what it is

WSGI knows no routes. A framework, or the program, names the template in ``environ["perf.route"]``; perf.instrument.flask
does so for Flask, and Django has middleware of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from perf.instrument.served import RECORDED, UNMATCHED, Body, Requests, outcome
from perf.record.spans import pause

if TYPE_CHECKING:
    from perf.record import Recorder
    from perf.record.late import Call
    from perf.record.spans import Span

# Whoever starts the answer may hand on exc_info, as sys.exc_info gives it.
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]
App: TypeAlias = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

ROUTE = "perf.route"
ERROR = "perf.error"
"""Where a framework that answers with 500 by itself leaves the name of the exception's type."""


class PerformanceMiddleware:
    """Wraps a WSGI application. What goes wrong in the application passes through untouched."""

    def __init__(self, app: App, recorder: Recorder | None = None) -> None:
        """*recorder* defaults to the process's own."""
        self.app = app
        self._requests = Requests(recorder)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Pass on, and record when the body has been sent."""
        if RECORDED in environ:
            return self.app(environ, start_response)
        environ[RECORDED] = True
        request = _Request(self._requests, environ)

        def started(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            request.status = _number(status)
            return start_response(status, headers, *exc_info)

        try:
            parts = self.app(environ, started)
        except BaseException as error:
            request.end(error)
            raise
        # A list is whole, and a server may want its length; a file goes to the client without passing through here.
        if isinstance(parts, (list, tuple, *_kinds(environ.get("wsgi.file_wrapper")))):
            request.end(None)
            return parts
        if request.span is not None:
            pause(request.span)
        return Body(parts, request.span, request.end)


class _Request:
    """One request on its way."""

    __slots__ = ("_began", "_environ", "_requests", "span", "status")

    def __init__(self, requests: Requests, environ: dict[str, Any]) -> None:
        self._requests = requests
        self._environ = environ
        self.status = 0
        self.span: Span | None = requests.begin()
        self._began = perf_counter_ns()

    def end(self, failure: BaseException | None) -> None:
        """The answer is complete, or won't be."""
        took = perf_counter_ns() - self._began
        self._requests.end(self.span, took, lambda: self._call(failure), self._environ.get("QUERY_STRING", ""))

    def _call(self, failure: BaseException | None) -> Call:
        environ = self._environ
        status, error = outcome(self.status, failure)
        if status >= 500:
            error = error or environ.get(ERROR, "")
        return self._requests.call(environ["REQUEST_METHOD"], environ.get(ROUTE, UNMATCHED), status, error)


def _number(status: str) -> int:
    try:
        return int(status[:3])
    except ValueError:
        return 0


def _kinds(wrapper: object) -> tuple[type, ...]:
    return (wrapper,) if isinstance(wrapper, type) else ()
