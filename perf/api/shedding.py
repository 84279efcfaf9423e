"""Refuses what costs most while perf takes more than it may: reads of stored samples, never health, samples or alerts."""

from __future__ import annotations

import math

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from perf.api import problem
from perf.runtime.limits import OwnLimits

_SAMPLES = ("query", "series", "samples", "export", "exemplars", "sql")
_CALLS = ("calls", "distributions", "heatmap", "cache/worth")
_STORE = ("store/read", "store/rows", "store/distributions", "store/exemplars", "store/sql")
_PAST = ("alerts/preview", "uptime", "profiles")
EXPENSIVE = ("/mcp", *(f"/api/v1/{name}" for name in (*_SAMPLES, *_CALLS, *_STORE, *_PAST)))


class Shedding:
    """Answers 503 with ``Retry-After`` to what is expensive while *limits* are exceeded."""

    def __init__(self, app: ASGIApp, limits: OwnLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        over = self._limits.over() if scope["type"] == "http" and _expensive(scope["path"]) else []
        if not over:
            await self._app(scope, receive, send)
            return
        self._limits.shed()
        answer = problem.response(Request(scope), 503, f"{'; '.join(over)}; try again later")
        answer.headers["retry-after"] = str(math.ceil(self._limits.retry_after))
        await answer(scope, receive, send)


def _expensive(path: str) -> bool:
    return any(path == start or path.startswith(f"{start}/") for start in EXPENSIVE)
