"""All routes together, and the owner without a dashboard."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router

from perf.api import alerts, cache, exemplars, export, health, series, sql
from perf.api import annotations as marks
from perf.api.hosts import LOOPBACK, KnownHosts
from perf.api.middleware import SecurityHeaders
from perf.api.problem import http_error
from perf.runtime import Runtime
from perf.transport.decode import Limits
from perf.transport.ledger import Ledger
from perf.transport.receiver import Receiver


def routes(runtime: Runtime) -> list[BaseRoute]:
    """Everything under ``/api``, ``/health`` and ``/metrics``; what is unknown there is a 404, not the dashboard's page."""
    parts = (series, export, sql, exemplars, marks, cache, alerts)
    resources = [route for part in parts for route in part.routes(runtime)]
    limits = Limits(max_age=runtime.settings.store.retention.raw)
    receiver = Receiver(
        runtime.writer.submit,
        runtime.clock,
        limits=limits,
        ledger=Ledger(runtime.store.producers().items()),
        deployed=runtime.releases.seen,
    )
    api = Starlette(
        routes=[Mount("/v1", app=Router(resources, redirect_slashes=False))],
        exception_handlers={HTTPException: http_error},
    )
    # A redirect would repeat the host name of the request, which is wrong behind a proxy.
    api.router.redirect_slashes = False
    return [
        Mount("/api", app=api),
        *health.routes(runtime),
        *receiver.routes(),
        *_nothing("/health"),
        *_nothing("/metrics"),
        Route("/api", _missing),
    ]


def build(runtime: Runtime, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """The owner's HTTP interface alone, for requests to *hosts*."""
    return Starlette(
        routes=routes(runtime),
        middleware=[Middleware(KnownHosts, hosts=hosts), Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: http_error},
    )


def _nothing(prefix: str) -> list[BaseRoute]:
    return [Route(f"{prefix}/{{rest:path}}", _missing)]


async def _missing(request: Request) -> Response:
    return await http_error(request, HTTPException(404))
