"""All endpoints together, and the owner without a dashboard."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from perf.api import (
    alerts,
    assistants,
    audit,
    cache,
    calls,
    deliveries,
    events,
    exemplars,
    export,
    health,
    inside,
    keys,
    loglevel,
    older,
    openapi,
    otlp,
    probes,
    profiles,
    rules,
    samples,
    series,
    signin,
    silences,
    sql,
    store,
    storeaccess,
    storealerts,
    storeprobes,
    thresholds,
)
from perf.api import annotations as marks
from perf.api.endpoint import Endpoint
from perf.api.guard import Guard
from perf.api.hosts import LOOPBACK, KnownHosts
from perf.api.middleware import SecurityHeaders
from perf.api.needs import OURS, Rule, Rules, of
from perf.api.parts import made
from perf.api.problem import http_error
from perf.api.routing import mounted
from perf.api.stack import stack
from perf.runtime import Runtime

_RESOURCES = (
    series,
    samples,
    export,
    calls,
    exemplars,
    marks,
    cache,
    alerts,
    silences,
    deliveries,
    rules,
    events,
    thresholds,
    inside,
    sql,
    health,
    probes,
    otlp,
    keys,
    audit,
    loglevel,
    profiles,
    store,
    storeaccess,
    storealerts,
    storeprobes,
    older,
    assistants,
    openapi,
)


def endpoints() -> tuple[Endpoint, ...]:
    """Everything that answers beside the dashboard's pages and their assets."""
    return tuple(endpoint for resource in _RESOURCES for endpoint in resource.ENDPOINTS)


def routes(runtime: Runtime) -> list[BaseRoute]:
    """The routes of every endpoint."""
    return [*mounted(runtime, endpoints(), made(runtime, endpoints())), *signin.routes(runtime)]


def needs() -> list[Rule]:
    """What every path of `routes` needs."""
    return [*OURS, *of(endpoints())]


def build(runtime: Runtime, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """The owner's HTTP interface alone, for requests to *hosts*."""
    return Starlette(
        routes=routes(runtime),
        middleware=[
            *stack(runtime),
            Middleware(KnownHosts, hosts=hosts),
            Middleware(SecurityHeaders, https=runtime.settings.access.url.startswith("https:")),
            Middleware(Guard, access=runtime.access, rules=Rules(needs())),
        ],
        exception_handlers={HTTPException: http_error},
    )
