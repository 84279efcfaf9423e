"""``POST /mcp``: the same questions for assistants, by the Model Context Protocol over streamable HTTP. Nothing here changes anything."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Connection

from perf import __version__
from perf.api import calls
from perf.api.asked import asked
from perf.api.bodies import content, is_json
from perf.api.endpoint import Endpoint, allow
from perf.api.sql import authorise, encoded, executed
from perf.errors import PerfError
from perf.health import endpoints as health
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.timerange import window
from perf.views.series import known

ROWS = 500
"""Rows that an assistant gets at most: it reads every one of them."""
LARGEST = 1_000_000
"""Bytes of a request: the SDK would read one of any size into memory."""
_INSTRUCTIONS = (
    "What a machine and its programs do, measured by perf. Times are Unix seconds, UTC; ranges are texts such as now-3h. "
    "Begin with health and list_metrics; query takes a small part of PromQL; slowest tells where time goes."
)
"""What an assistant is told first."""
_Answer = dict[str, Any]  # Any: JSON
_asking: ContextVar[Request] = ContextVar("asking")
"""The request that a tool answers."""
_servers: WeakKeyDictionary[Runtime, Any] = WeakKeyDictionary()  # Any: the SDK is imported when it is asked for


class Tools:
    """The tools over *runtime*; their docstrings are what an assistant reads."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def list_metrics(self, search: str = "") -> _Answer:
        """Names, units, kinds and meanings of metrics whose name or label values contain *search*, with their number of series."""
        return await self._run(partial(self._metrics, search))

    async def query(self, queries: list[str], start: str = "now-1h", end: str = "now", max_points: int = 60) -> _Answer:
        """Series over a range in steps: cpu_usage_percent, sum(rate(x_total)), p95 by (http_route) (http_server_request_duration_seconds)."""
        points = min(max(max_points, 1), ROWS)
        return await self._run(partial(asked, self._runtime, queries, (start, end), points))

    async def health(self) -> _Answer:
        """The verdict of every health check, with its evidence."""
        return await self._run(lambda: health.health(self._runtime.health.check()))

    async def alerts(self) -> _Answer:
        """What fires now, the worst first."""
        return await self._run(self._firing)

    async def slowest(self, kind: str = "endpoints", start: str = "now-1h", limit: int = 10) -> _Answer:
        """Where time goes: endpoints, functions, pages, queries, jobs or outgoing requests by their total time."""
        return await self._run(partial(self._slowest, kind, start, limit))

    async def sql(self, statement: str) -> _Answer:
        """One read-only DuckDB statement over the views of schema perf, such as perf.metrics(ts, metric, labels, value)."""
        return await self._run(partial(self._sql, _asking.get(), statement))

    async def _run(self, act: Any) -> _Answer:  # Any: a function of nothing
        from mcp.server.mcpserver.exceptions import ToolError

        try:
            found: _Answer = await run_in_threadpool(act)
        except PerfError as error:
            raise ToolError(str(error)) from error
        return found

    def _metrics(self, search: str) -> _Answer:
        found: dict[str, _Answer] = {}
        for info in known(self._runtime.store, search=search):
            metric = info.metric
            entry = found.setdefault(
                metric.name,
                {"name": metric.name, "kind": metric.kind.value, "unit": metric.unit, "help": metric.help, "series": 0},
            )
            entry["series"] += 1
        return {"metrics": list(found.values())[:ROWS], "total": len(found)}

    def _sql(self, request: Request, statement: str) -> _Answer:
        """Who may not ask ``/api/v1/sql`` may not ask here."""
        allow(request, Scope.ADMIN)
        authorise(request, self._runtime.token)
        found: _Answer = msgspec.json.decode(encoded(executed(self._runtime, statement, ROWS)))
        return found

    def _firing(self) -> _Answer:
        names = {rule.id: rule.name for rule in self._runtime.alerts.rules.all()}
        shown = [
            {"rule": names.get(one.rule_id, one.rule_id), **msgspec.to_builtins(one), "labels": dict(one.labels)}
            for one in self._runtime.alerts.open()[:ROWS]
        ]
        return {"alerts": shown}

    def _slowest(self, kind: str, start: str, limit: int) -> _Answer:
        if kind not in calls.KINDS:
            raise PerfError(f"no kind {kind!r}; known: {', '.join(calls.KINDS)}")
        span = window(start, "now", self._runtime.clock.now())
        found: _Answer = msgspec.to_builtins(
            calls.totals(self._runtime, calls.KINDS[kind], span, min(max(limit, 1), 50))
        )
        return found


class _Handed(Response):
    """A request that the SDK answers by itself; its *body* has been read."""

    def __init__(self, server: Any, body: bytes) -> None:  # Any: as above
        super().__init__()
        self._server, self._asked = server, body

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Without sessions: each request stands alone, so nothing has to be started, kept or ended."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        read: list[Message] = [{"type": "http.request", "body": self._asked, "more_body": False}]

        async def coming() -> Message:
            return read.pop() if read else await receive()

        manager = StreamableHTTPSessionManager(app=self._server, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, coming, send)


def _server(runtime: Runtime) -> Any:  # Any: as above
    found = _servers.get(runtime)
    if found is None:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations

        tools = Tools(runtime)
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        server = MCPServer("perf", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING")
        # The SDK sets up the logs of the whole process as if it were its own.
        root.handlers[:] = handlers
        root.setLevel(level)
        for tool in (tools.list_metrics, tools.query, tools.health, tools.alerts, tools.slowest, tools.sql):
            server.add_tool(tool, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
        _servers[runtime] = found = server._lowlevel_server  # noqa: SLF001  # The SDK has no other name for what its manager takes.
    return found


async def _mcp(runtime: Runtime, request: Request) -> Response:
    is_json(request)
    body = await content(request, LARGEST)
    _asking.set(request)
    # Importing the SDK takes a second; whoever never asks never pays.
    return _Handed(await run_in_threadpool(_server, runtime), body)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="//mcp",
        answer=_mcp,
        needs=Scope.READ,
        summary="Tools for assistants, by the Model Context Protocol: list_metrics, query, health, alerts, slowest, sql",
        example='{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}',
        takes=("application/json",),
        strict=False,
        packed=False,
    ),
)
