"""``/api/v1/cache``: what caches did and are worth, and a way to make those of this process forget."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.model import CacheStats
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views import cache, caches
from perf.views.cache import Group, Simulated, TierNow
from perf.views.caches import TopKey

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
_NAME = params.text("cache", "Name of a cache; without it those of all programs")


class Invalidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """At least one of *key*, *tags* and *pattern* (`user:*`); *cache* is a name, without it all caches are meant."""

    key: _Text | None = None
    tags: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()
    pattern: _Text | None = None
    cache: _Text | None = None


class Forgotten(msgspec.Struct, frozen=True):
    """How many entries memory held of what was forgotten."""

    forgotten: int


class Statistics(msgspec.Struct, frozen=True):
    """The caches of this process since each was made."""

    caches: list[CacheStats]


class Evicted(msgspec.Struct, frozen=True):
    """Entries that left *tier* for a *reason*."""

    tier: str
    reason: str
    entries: float


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What caches were worth in a range: requests by the tier that answered (`load`: none did), seconds saved and spent."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    requests: float
    ratio: float | None
    served: dict[str, float]
    stale: float
    saved_seconds: float
    load_seconds: float
    evictions: list[Evicted]
    groups: list[Group]


class Tiers(msgspec.Struct, frozen=True):
    """What the tiers of caches hold, and the hit ratio that memory would have at other bounds."""

    caches: list[str]
    tiers: list[TierNow]
    what_if: list[Simulated]


class TopKeys(msgspec.Struct, frozen=True):
    """Keys of this process's caches, the largest saving first."""

    keys: list[TopKey]


async def _statistics(_runtime: Runtime, _request: Request) -> Response:
    return answered(Statistics(await run_in_threadpool(caches.statistics)))


async def _worth(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window = params.window(runtime.clock)
    found = await run_in_threadpool(cache.worth, runtime.store, window, params.text("cache"))
    return answered(
        Worth(
            start=window.start,
            end=window.end,
            requests=found.requests,
            ratio=found.ratio,
            served=found.served,
            stale=found.stale,
            saved_seconds=found.saved_seconds,
            load_seconds=found.load_seconds,
            evictions=[Evicted(tier, reason, count) for (tier, reason), count in found.evictions.items()],
            groups=found.groups,
        )
    )


async def _tiers(runtime: Runtime, request: Request) -> Response:
    name = Params(request).text("cache")

    def found() -> Tiers:
        store, now = runtime.store, runtime.clock.now()
        return Tiers(cache.names(store), cache.tiers(store, now, name), cache.what_if(store, now, name))

    return answered(await run_in_threadpool(found))


async def _top_keys(_runtime: Runtime, request: Request) -> Response:
    count = Params(request).number("limit", 20, low=1, high=1_000)
    return answered(TopKeys(await run_in_threadpool(caches.top_keys, count)))


async def _invalidate(runtime: Runtime, request: Request) -> Response:
    asked = await decoded(request, Invalidation, "an invalidation")
    if asked.key is None and not asked.tags and asked.pattern is None:
        raise ApiError(400, "say what to forget: key, tags or pattern")
    forgotten = await run_in_threadpool(
        lambda: caches.invalidate(key=asked.key, tags=asked.tags, pattern=asked.pattern, name=asked.cache)
    )
    if forgotten is None:
        known = ", ".join(caches.names()) or "none"
        raise ApiError(404, f"no cache {asked.cache!r} in this process; known: {known}")
    runtime.access.audit.note("cache.invalidate", _said(asked))
    return answered(Forgotten(forgotten))


def _said(asked: Invalidation) -> str:
    """What was to be forgotten, as the page says it: ``results tag user:7``."""
    tags = (("tag", tag) for tag in asked.tags)
    given = (("key", asked.key), *tags, ("pattern", asked.pattern))
    return " ".join(
        [*([asked.cache] if asked.cache else []), *(f"{kind} {text}" for kind, text in given if text is not None)]
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/cache",
        answer=_statistics,
        needs=Scope.READ,
        summary="What the caches of this process did",
        answers=Statistics,
    ),
    Endpoint(
        method="GET",
        path="/cache/worth",
        answer=_worth,
        needs=Scope.READ,
        summary="What the caches of all programs answered, saved and threw away",
        query=(*params.RANGE, _NAME),
        answers=Worth,
        example="?from=now-1d",
    ),
    Endpoint(
        method="GET",
        path="/cache/tiers",
        answer=_tiers,
        needs=Scope.READ,
        summary="What the tiers of caches hold now, and what other bounds would bring",
        query=(_NAME,),
        answers=Tiers,
    ),
    Endpoint(
        method="GET",
        path="/cache/keys",
        answer=_top_keys,
        needs=Scope.READ,
        summary="The keys of this process's caches that saved most",
        query=(params.limit(1_000, 20),),
        answers=TopKeys,
        example="?limit=5",
    ),
    Endpoint(
        method="POST",
        path="/cache/invalidate",
        answer=_invalidate,
        needs=Scope.OPERATE,
        summary="Make the caches of this process forget a key, tags or a pattern",
        body=Invalidation,
        answers=Forgotten,
        example='{"pattern": "user:*"}',
    ),
)
