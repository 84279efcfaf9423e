"""From endpoints to routes: who may ask, how often, with which parameters, and what a repeated request gets, once for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from perf.api import params
from perf.api.bodies import content
from perf.api.endpoint import ENDPOINT, Endpoint, allow, principal
from perf.api.limits import Buckets
from perf.api.parts import PARTS, Parts
from perf.api.problem import ApiError, guarded, http_error
from perf.api.repeats import HEADER, REPEAT, Repeats, identity
from perf.runtime import Runtime

API = "/api"
LARGEST = 1_100_000
"""Bytes of any body that may be repeated."""
_ROOTS = ("/health", "/metrics")
"""Prefixes beside the API below which nothing else answers."""
_SMALL = [Middleware(GZipMiddleware, minimum_size=400)]


def mounted(runtime: Runtime, endpoints: Iterable[Endpoint], parts: Parts) -> list[BaseRoute]:
    """The routes of *endpoints*; what is unknown below their prefixes is a 404, not the dashboard's page.

    *parts* is what endpoints share beside *runtime*; they find it under `PARTS`.
    """
    desk = _Desk(runtime, parts)
    tables: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        table = tables.setdefault(endpoint.url, {})
        if endpoint.method in table:
            raise ValueError(f"two endpoints answer {endpoint.method} {endpoint.url}")
        table[endpoint.method] = endpoint
    inside = [desk.route(url.removeprefix(API), table) for url, table in tables.items() if url.startswith(f"{API}/")]
    beside = [desk.route(url, table) for url, table in tables.items() if not url.startswith(f"{API}/")]
    api = Starlette(routes=inside, exception_handlers={HTTPException: http_error})
    # A redirect would repeat the host name of the request, which is wrong behind a proxy.
    api.router.redirect_slashes = False
    nothing = [Route(f"{root}/{{rest:path}}", _missing) for root in _ROOTS]
    return [Mount(API, app=api), *beside, *nothing, Route(API, _missing)]


class _Desk:
    """What every request passes before it is answered."""

    def __init__(self, runtime: Runtime, parts: Parts) -> None:
        self._runtime, self._parts = runtime, parts
        self._buckets = Buckets(runtime.settings.api, runtime.clock)
        self._repeats = Repeats(runtime.clock)

    def route(self, path: str, table: Mapping[str, Endpoint]) -> Route:
        """The route of *path*, whose methods *table* answers."""

        async def handle(request: Request) -> Response:
            return await self._limited(request, table["GET" if request.method == "HEAD" else request.method])

        packed = all(endpoint.packed for endpoint in table.values())
        return Route(path, handle, methods=list(table), middleware=_SMALL if packed else None)

    async def _limited(self, request: Request, endpoint: Endpoint) -> Response:
        verdict = self._buckets.take(_client(request)) if endpoint.limited else None
        told = self._buckets.headers(verdict) if verdict and (verdict.wait or not _from_page(request)) else {}

        async def answer(request: Request) -> Response:
            if verdict is not None and verdict.wait:
                raise ApiError(429, f"more requests than are granted; come again in {verdict.wait} s")
            return await self._checked(request, endpoint)

        response = await guarded(answer)(request)
        response.headers.update(told)
        return response

    async def _checked(self, request: Request, endpoint: Endpoint) -> Response:
        allow(request, endpoint.needs)
        params.checked(request, endpoint)
        request.scope[ENDPOINT], request.scope[PARTS] = endpoint, self._parts
        key = request.headers.get(HEADER) if endpoint.creates else None
        if key is None:
            return await endpoint.answer(self._runtime, request)
        body = await content(request, LARGEST)
        scope = f"{_client(request)} {request.method} {request.url.path}"
        request.scope[REPEAT] = identity(scope, key, body)
        return await self._repeats.once(scope, key, body, lambda: endpoint.answer(self._runtime, request))


def _client(request: Request) -> str:
    """Whose requests are counted together: those of one sign-in or key, else those of one address."""
    who = principal(request)
    if who.name and who.via != "loopback":
        return f"{who.via} {who.name}"
    return request.client.host if request.client else ""


def _from_page(request: Request) -> bool:
    """Whether a page of perf asks, as its browser says: it reads no limits, and asks each second for as few bytes as can be."""
    return request.headers.get("sec-fetch-site") == "same-origin"


async def _missing(request: Request) -> Response:
    return await http_error(request, HTTPException(404))
