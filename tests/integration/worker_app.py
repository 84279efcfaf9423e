"""A program under several workers: every request records `EVENTS` calls and as many items. Recording starts with the import."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from perf.instrument.asgi import PerformanceMiddleware
from perf.monitoring import log_processing_step, start_performance_monitoring, track_performance
from tests.integration.worker_load import EVENTS


@track_performance("event")
def event() -> None:
    """One event."""


async def work(_: Request) -> PlainTextResponse:
    """Record."""
    for _n in range(EVENTS):
        event()
    log_processing_step("work", duration_ms=1.0, items_processed=EVENTS)
    return PlainTextResponse("done")


async def up(_: Request) -> PlainTextResponse:
    """Record nothing but the request."""
    return PlainTextResponse("up")


start_performance_monitoring("workers")
app = Starlette(routes=[Route("/task/{number}", work), Route("/up", up)])
app.add_middleware(PerformanceMiddleware)
