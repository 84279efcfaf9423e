"""Flask: duration, route and status of every request: ``perf.instrument.flask.instrument(app)``, any time before it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf.errors import PerfError
from perf.instrument.wsgi import ERROR, ROUTE, PerformanceMiddleware

try:
    from flask import Flask, got_request_exception, request, request_started
except ModuleNotFoundError as error:
    raise PerfError("perf.instrument.flask needs Flask: pip install flask") from error

if TYPE_CHECKING:
    from perf.record import Recorder


def instrument(app: Flask, *, recorder: Recorder | None = None) -> None:
    """Record the requests that *app* answers; blueprints included. A second time does nothing.

    *recorder* defaults to the process's own.
    """
    if isinstance(app.wsgi_app, PerformanceMiddleware):
        return
    app.wsgi_app = PerformanceMiddleware(app.wsgi_app, recorder)  # type: ignore[method-assign]  # as Flask documents
    # Signals come whatever other functions run before a request, and even if these answer it.
    request_started.connect(_matched, app)
    got_request_exception.connect(_failed, app)


def uninstrument(app: Flask) -> None:
    """Undo `instrument`, unless other middleware was put around it since."""
    if isinstance(app.wsgi_app, PerformanceMiddleware):
        app.wsgi_app = app.wsgi_app.app  # type: ignore[assignment, method-assign]  # as above
        request_started.disconnect(_matched, app)
        got_request_exception.disconnect(_failed, app)


def _matched(_: Flask, **__: Any) -> None:  # what a signal brings
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule


def _failed(_: Flask, *, exception: BaseException, **__: Any) -> None:  # what a signal brings
    request.environ[ERROR] = type(exception).__name__
