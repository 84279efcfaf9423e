"""What keeps the event loop prompt: few requests begin in one of its turns, and no thread keeps the interpreter from it for long.

A page comes as a hundred messages, each of which takes a turn or two: when a turn answers a hundred health checks first, the page takes
half a minute, although the process has time for both.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque

from starlette.types import ASGIApp, Receive, Scope, Send

AT_ONCE = 4
"""Requests that begin in one turn; the others begin in the next ones, in their order."""

SWITCH_SECONDS = 0.0003
"""After which a thread hands on the interpreter that another wants; Python's own is fifteen times as long."""


def prompt() -> None:
    """Let the event loop of this process wait less for threads that compute, such as the scripts of pages."""
    sys.setswitchinterval(SWITCH_SECONDS)


class Turns:
    """Passes requests on, *at_once* in a turn of the event loop. Websockets pass untouched."""

    def __init__(self, app: ASGIApp, *, at_once: int = AT_ONCE) -> None:
        self._app, self._most = app, at_once
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, now or in one of the next turns."""
        if scope["type"] == "http":
            if self._begun < self._most and not self._waiting:
                self._begin()
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter
        await self._app(scope, receive, send)

    def _begin(self) -> None:
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next)
        self._begun += 1

    def _next(self) -> None:
        """A turn is over: those that have waited longest begin."""
        self._begun = 0
        while self._waiting and self._begun < self._most:
            waiter = self._waiting.popleft()
            if not waiter.done():  # The client has left.
                self._begin()
                waiter.set_result(None)
