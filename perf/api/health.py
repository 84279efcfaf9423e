"""``/health``, ``/health/ready``, ``/health/live`` and ``/metrics``: what load balancers and scrapers ask."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perf.api import exposition
from perf.api.problem import guarded
from perf.health import endpoints
from perf.runtime import Runtime

_NO_STORE = {"cache-control": "no-store"}


def routes(runtime: Runtime) -> list[Route]:
    """The routes of this file, at the root."""

    async def health(_: Request) -> Response:
        return _answer(await run_in_threadpool(runtime.health.get_health_endpoint_response))

    async def ready(_: Request) -> Response:
        return _answer(runtime.health.get_readiness_check())

    async def live(_: Request) -> Response:
        return _answer(runtime.health.get_liveness_check())

    async def metrics(request: Request) -> Response:
        media_type, render = exposition.negotiate(request.headers.get("accept", ""))
        body = await run_in_threadpool(lambda: render(runtime.store.series(), now=runtime.clock.now()))
        return Response(body, headers={"content-type": media_type, **_NO_STORE})

    return [
        Route("/health", guarded(health)),
        Route("/health/ready", guarded(ready)),
        Route("/health/live", guarded(live)),
        Route("/metrics", guarded(metrics)),
    ]


def _answer(body: dict[str, object]) -> Response:
    return JSONResponse(body, endpoints.http_code(body), headers=_NO_STORE)
