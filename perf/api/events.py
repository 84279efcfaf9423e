"""``GET /api/v1/events``: live metrics and the turns of alerts, as server-sent events."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from perf.api import params
from perf.api.asked import fresh
from perf.api.endpoint import Endpoint, Param
from perf.api.guard import HOLDS, LOOK_AGAIN
from perf.api.params import Params
from perf.api.parts import parts
from perf.api.problem import ApiError
from perf.api.streams import Client
from perf.errors import PerfError
from perf.model import Transition
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.selectors import parse
from perf.timerange import duration

TURN = 0.5
"""Seconds between looks at what happened."""
BACK = 300.0
"""Seconds of metrics that a client gets at most when it comes again."""
_SHORTEST, _LONGEST = 1.0, 60.0
_ID = re.compile(r"(?P<start>[0-9a-f]{1,16})-(?P<number>[0-9]{1,15})-(?P<since>[0-9]{1,12})")


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """An incident changed; *before* and *after* are equal when only a flag did, and *reason* says which."""

    ts: float
    incident: str
    rule: str
    labels: dict[str, str]
    before: str
    after: str
    value: float | None
    reason: str


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    queries: list[str]
    step: float
    interval: float
    alerts: bool


class _Follower:
    """What one client has been told. Its ids say where to go on: start of the process, number of the alert, second of the metrics."""

    def __init__(self, runtime: Runtime, asked: _Asked, last: str, holds: Callable[[], bool]) -> None:
        self._runtime, self._asked, self._holds = runtime, asked, holds
        self._start = f"{int((runtime.started or 0.0) * 1e3):x}"
        now = math.floor(runtime.clock.now())
        self._since = now - math.ceil(asked.step)
        self._number = runtime.transitions.since(0).newest
        self._anew = True
        if (found := _ID.fullmatch(last)) is not None:
            self._since = min(max(int(found["since"]), now - int(BACK)), now)
            if found["start"] == self._start:
                self._number, self._anew = int(found["number"]), False

    async def run(self, client: Client) -> None:
        """Tell until nobody listens, or whoever does may no longer."""
        due, look = 0.0, self._runtime.clock.monotonic() + LOOK_AGAIN
        while client.listens:
            if self._runtime.clock.monotonic() >= look:
                look = self._runtime.clock.monotonic() + LOOK_AGAIN
                if not await run_in_threadpool(self._holds):
                    client.end("end", "the session or key is over")
                    return
            if self._asked.alerts:
                await self._alerts(client)
            monotonic = self._runtime.clock.monotonic()
            if self._asked.queries and monotonic >= due:
                due = monotonic + self._asked.interval
                await self._metrics(client)
            await asyncio.sleep(TURN)

    async def _alerts(self, client: Client) -> None:
        heard = self._runtime.transitions.since(self._number)
        if not (self._anew or heard.missed or heard.transitions):
            return
        names = {rule.id: rule.name for rule in await run_in_threadpool(self._runtime.alerts.rules.all)}
        if self._anew or heard.missed:
            self._number, self._anew = heard.newest, False
            found = await run_in_threadpool(self._runtime.alerts.open)
            shown = [
                {"rule": names.get(one.rule_id, one.rule_id), **msgspec.to_builtins(one), "labels": dict(one.labels)}
                for one in found
            ]
            client.tell("incidents", {"incidents": shown}, id=self._id())
            return
        for number, one in heard.transitions:
            self._number = number
            client.tell("alert", _turned(one, names), id=self._id())

    async def _metrics(self, client: Client) -> None:
        asked, now = self._asked, self._runtime.clock.now()
        if now <= self._since:
            return
        try:
            found = await run_in_threadpool(partial(fresh, self._runtime, asked.queries, self._since, asked.step))
        except PerfError as error:
            client.end("error", str(error))
            return
        # The newest step is still filling: it is told again until it is over.
        self._since = max(self._since, math.floor(math.floor(now / asked.step) * asked.step))
        client.tell("metrics", msgspec.Raw(found), id=self._id())

    def _id(self) -> str:
        return f"{self._start}-{self._number}-{self._since}"


async def _events(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    step, interval = duration(params.text("step", "1s")), duration(params.text("interval", "2s"))
    if not _SHORTEST <= interval <= _LONGEST or not _SHORTEST <= step <= BACK:
        raise ApiError(400, f"interval is from {_SHORTEST:g} s to {_LONGEST:g} s, step to {BACK:g} s")
    queries = params.many("query")
    for text in queries:
        parse(text)
    alerts = params.choice("alerts", {"": True, "1": True, "true": True, "0": False, "false": False})
    if not queries and not alerts:
        raise ApiError(400, "nothing is asked for: name a query, or leave alerts on")
    listeners = parts(request).listeners
    if listeners.count >= runtime.settings.api.streams:
        raise ApiError(503, f"{listeners.count} clients follow already", headers={"retry-after": "10"})
    asked = _Asked(queries=queries, step=step, interval=interval, alerts=alerts)
    follower = _Follower(runtime, asked, request.headers.get("last-event-id", ""), request.scope[HOLDS])
    return _Events(runtime, follower, listeners.changed)


class _Events(StreamingResponse):
    """The answer of one client, counted while it lasts."""

    def __init__(self, runtime: Runtime, follower: _Follower, changed: Callable[[int], None]) -> None:
        self._runtime, self._follower, self._changed = runtime, follower, changed
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._body(), media_type="text/event-stream", headers=headers)

    async def _body(self) -> AsyncIterator[bytes]:
        self._changed(1)
        try:
            async for event in Client().stream(self._produce):
                yield event
        finally:
            self._changed(-1)

    async def _produce(self, client: Client) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._runtime.streams.begin(task)
        try:
            await self._follower.run(client)
        except PerfError as error:
            client.end("error", str(error))
        finally:
            self._runtime.streams.over(task)


def _turned(one: Transition, names: dict[str, str]) -> Turned:
    return Turned(
        ts=one.ts,
        incident=one.incident_id,
        rule=names.get(one.rule_id, one.rule_id),
        labels=dict(one.labels),
        before=one.before.value,
        after=one.after.value,
        value=one.value,
        reason=one.reason,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/events",
        answer=_events,
        needs=Scope.READ,
        summary="Live metrics (`metrics`) and the turns of alerts (`incidents`, then `alert`), as server-sent events",
        query=(
            params.text("query", "A question whose newest steps are told", many=True),
            params.text("step", "Width of a step (default: 1s)", longest=20),
            params.text("interval", "Time between two events of metrics (default: 2s)", longest=20),
            params.flag("alerts", "0: no alerts"),
        ),
        headers=(
            Param(
                name="Last-Event-ID",
                schema={"type": "string"},
                help="Goes on behind it; browsers send it by themselves",
            ),
        ),
        media=("text/event-stream",),
        example="?query=cpu_usage_percent",
        packed=False,
    ),
)
