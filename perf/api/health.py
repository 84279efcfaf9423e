"""``/health``, ``/health/ready``, ``/health/live`` and ``/metrics``: what load balancers and scrapers ask."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from perf import __version__
from perf.api import exposition
from perf.api.endpoint import Endpoint, principal
from perf.api.parts import parts
from perf.health import Health, endpoints, healthjson
from perf.model.access import Scope
from perf.runtime import Runtime

_NO_STORE = {"cache-control": "no-store"}


async def _health(runtime: Runtime, request: Request) -> Response:
    found = runtime.health.at_once()
    return _verdict(request, await run_in_threadpool(runtime.health.check) if found is None else found)


async def _ready(runtime: Runtime, request: Request) -> Response:
    return _answer(request, runtime.health.get_readiness_check())


async def _live(runtime: Runtime, request: Request) -> Response:
    return _answer(request, runtime.health.get_liveness_check())


async def _metrics(runtime: Runtime, request: Request) -> Response:
    media_type, render = exposition.negotiate(request.headers.get("accept", ""))
    body = await run_in_threadpool(lambda: render(runtime.store.series(), now=runtime.clock.now()))
    return Response(body, headers={"content-type": media_type, **_NO_STORE})


def _verdict(request: Request, found: Health) -> Response:
    """The format that is asked for, with the details that who asks may see; written once for each verdict."""
    standard, reads = healthjson.wanted(request.headers.get("accept", "")), _may_read(request)
    body = parts(request).verdicts.written(
        found, (standard, reads), lambda: _written(found, standard=standard, reads=reads)
    )
    media_type = healthjson.MEDIA_TYPE if standard else "application/json"
    return Response(body, endpoints.verdict_code(found), media_type=media_type, headers=_NO_STORE)


def _written(found: Health, *, standard: bool, reads: bool) -> bytes:
    if standard:
        return msgspec.json.encode(healthjson.body(found, __version__) if reads else healthjson.bare(found))
    body = endpoints.health(found)
    return msgspec.json.encode(body if reads else endpoints.bare(body))


def _answer(request: Request, body: dict[str, object]) -> Response:
    code = endpoints.http_code(body)
    return JSONResponse(body if _may_read(request) else endpoints.bare(body), code, headers=_NO_STORE)


def _may_read(request: Request) -> bool:
    return principal(request).may(Scope.READ)


_GATE = {
    "type": "object",
    "required": ["reasons", "timestamp"],
    "properties": {
        "ready": {"type": "boolean"},
        "alive": {"type": "boolean"},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "timestamp": {"type": "string", "format": "date-time"},
    },
}
_HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"type": "string"},
        "message": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "checks": {"type": "object"},
    },
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="//health",
        answer=_health,
        needs=Scope.PUBLIC,
        summary="The verdict of all probes: 200 healthy or degraded, 503 unhealthy",
        answers=_HEALTH,
        media=("application/json", healthjson.MEDIA_TYPE),
        also=(503,),
        limited=False,
        strict=False,
        packed=False,
    ),
    Endpoint(
        method="GET",
        path="//health/ready",
        answer=_ready,
        needs=Scope.PUBLIC,
        summary="Whether requests make sense now",
        answers=_GATE,
        also=(503,),
        limited=False,
        strict=False,
        packed=False,
    ),
    Endpoint(
        method="GET",
        path="//health/live",
        answer=_live,
        needs=Scope.PUBLIC,
        summary="Whether only a restart would help",
        answers=_GATE,
        also=(503,),
        limited=False,
        strict=False,
        packed=False,
    ),
    Endpoint(
        method="GET",
        path="//metrics",
        answer=_metrics,
        needs=Scope.READ,
        summary="Newest values as Prometheus text, or OpenMetrics by Accept",
        media=("text/plain", "application/openmetrics-text"),
        strict=False,
        packed=False,
    ),
)
