"""Gives every request its id, and a line in the access log. An id that a proxy has given is kept."""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perf import requestid
from perf.api.problem import DEBUG

_log = logging.getLogger("perf.access")


class RequestIds:
    """Sets `requestid.current` and the answer's ``X-Request-ID``, and logs what was answered at *level*."""

    def __init__(self, app: ASGIApp, level: int = logging.DEBUG, *, debug: bool = False) -> None:
        self._app, self._level, self._debug = app, level, debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == requestid.HEADER), b"")
        found = requestid.accepted(given.decode("latin-1"))
        scope = {**scope, DEBUG: True} if self._debug else scope
        token = requestid.current.set(found)
        began = perf_counter()
        status = 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (requestid.HEADER, found.encode("ascii"))]
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        finally:
            if scope["type"] == "http" and _log.isEnabledFor(self._level):
                # Not the query: it may hold what nobody should read in a log.
                what = (scope["method"], scope["path"].encode("unicode_escape").decode("ascii"), status)
                _log.log(self._level, "%s %s %d %.1f ms", *what, 1000 * (perf_counter() - began))
            requestid.current.reset(token)
