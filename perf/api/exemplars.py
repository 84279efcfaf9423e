"""``GET /api/v1/exemplars``: the slowest single calls of a metric."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.bodies import answered
from perf.api.endpoint import Endpoint
from perf.api.params import Params
from perf.model import Exemplar
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views.exemplars import slowest

_MOST = 1_000


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A single call: when it ended, how long it took, and what is known around it; callers with the nearest first."""

    ts: float
    metric: str
    labels: dict[str, str]
    seconds: float
    arguments: tuple[str, ...]
    parents: tuple[str, ...]
    trace: str
    release: str
    error: str


class Slowest(msgspec.Struct, frozen=True, kw_only=True):
    """The slowest calls of a range, the slowest first."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    exemplars: list[Call]


async def _exemplars(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window = params.window(runtime.clock)
    limit = params.number("limit", 50, low=1, high=_MOST)
    found = await run_in_threadpool(slowest, runtime.store, params.text("query"), window, limit)
    return answered(Slowest(start=window.start, end=window.end, exemplars=[described(call) for call in found]))


def described(call: Exemplar) -> Call:
    """*call* as it is answered."""
    return Call(
        ts=call.ts,
        metric=call.metric.name,
        labels=dict(call.labels),
        seconds=call.seconds,
        arguments=call.arguments,
        parents=call.parents,
        trace=call.trace,
        release=call.release,
        error=call.error,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/exemplars",
        answer=_exemplars,
        needs=Scope.READ,
        summary="The slowest single calls of a metric",
        query=(
            params.text("query", "A metric and the labels it must have, without functions", required=True),
            *params.RANGE,
            params.limit(_MOST, 50),
        ),
        answers=Slowest,
        example="?query=function_duration_seconds&limit=1",
    ),
)
