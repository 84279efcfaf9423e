"""``/api/v1/cache``: what the caches of this process did, and a way to make them forget."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf.api.bodies import decoded
from perf.api.params import Params
from perf.api.problem import ApiError, guarded
from perf.runtime import Runtime
from perf.views import caches

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Invalidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request: at least one of *key*, *tags* and *pattern* (``user:*``); *cache* is a name, without it all caches are meant."""

    key: _Text | None = None
    tags: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()
    pattern: _Text | None = None
    cache: _Text | None = None


def routes(_: Runtime) -> list[Route]:
    """The routes of this file, below ``/api/v1``."""

    async def statistics(request: Request) -> Response:
        Params(request, single=())
        return _json({"caches": await run_in_threadpool(caches.statistics)})

    async def invalidate(request: Request) -> Response:
        Params(request, single=())
        asked = await decoded(request, Invalidation, "an invalidation")
        if asked.key is None and not asked.tags and asked.pattern is None:
            raise ApiError(400, "say what to forget: key, tags or pattern")
        forgotten = await run_in_threadpool(
            caches.invalidate, key=asked.key, tags=asked.tags, pattern=asked.pattern, name=asked.cache
        )
        if forgotten is None:
            known = ", ".join(caches.names()) or "none"
            raise ApiError(404, f"no cache {asked.cache!r} in this process; known: {known}")
        return _json({"forgotten": forgotten})

    return [
        Route("/cache", guarded(statistics), methods=["GET"]),
        Route("/cache/invalidate", guarded(invalidate), methods=["POST"]),
    ]


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"cache-control": "no-store"})
