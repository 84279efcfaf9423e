"""Answers what is perf's own before somebody else's application looks at it: Streamlit's layers keep sessions, compress and look for
files, which a health check has no use for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from perf.api.problem import http_error


class Direct:
    """Serves *routes*, and everything else that begins as they do with 404; passes on the rest."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._first = firsts(routes)
        # A redirect would repeat the host name of the request, which is wrong behind a proxy.
        router = Router(routes, redirect_slashes=False)
        self._ours = ExceptionMiddleware(router, handlers={HTTPException: http_error})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        ours = scope["type"] == "http" and scope["path"].lstrip("/").partition("/")[0] in self._first
        await (self._ours if ours else self._app)(scope, receive, send)


def firsts(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """What the paths of *routes* begin with: ``api``, ``health``, ``assets`` and so on."""
    paths = (str(getattr(route, "path", "")) for route in routes)
    return frozenset(path.split("/")[1] for path in paths if path.strip("/"))
