"""``GET /api/v1/exemplars``: the slowest single calls of a metric."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf.api.params import Params
from perf.api.problem import ApiError, guarded
from perf.model import Exemplar
from perf.runtime import Runtime
from perf.views.exemplars import slowest

_MOST = 1_000


def routes(runtime: Runtime) -> list[Route]:
    """The route of this file, below ``/api/v1``."""

    async def exemplars(request: Request) -> Response:
        params = Params(request, single=("query", "from", "to", "limit"))
        body = msgspec.json.encode(await run_in_threadpool(_exemplars, runtime, params))
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return [Route("/exemplars", guarded(exemplars))]


def _exemplars(runtime: Runtime, params: Params) -> dict[str, object]:
    text = params.text("query")
    if not text:
        raise ApiError(400, "parameter 'query' is missing: query=function_duration_seconds{function=\"load\"}")
    window = params.window(runtime.clock)
    found = slowest(runtime.store, text, window, params.number("limit", 50, low=1, high=_MOST))
    return {"from": window.start, "to": window.end, "exemplars": [_described(call) for call in found]}


def _described(call: Exemplar) -> dict[str, object]:
    return {**msgspec.structs.asdict(call), "metric": call.metric.name, "labels": dict(call.labels)}
