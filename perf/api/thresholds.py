"""``/api/v1/thresholds``, and what is above them now."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.authors import author
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.model import Change, Threshold
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views import concerns, thresholds
from perf.views.concerns import Concern
from perf.views.thresholds import Breaches

CHANGES = 1_000


class Limits(msgspec.Struct, frozen=True):
    """Thresholds by metric: those in force, and what stands in the settings."""

    in_force: dict[str, Threshold]
    configured: dict[str, Threshold]


class Changes(msgspec.Struct, frozen=True):
    """What was changed at run time, the newest first; *value* is JSON, nothing means back to what is configured."""

    changes: list[Change]


class Concerns(msgspec.Struct, frozen=True):
    """Series above their thresholds, the worst first."""

    concerns: list[Concern]


async def _limits(runtime: Runtime, _request: Request) -> Response:
    return answered(Limits(await run_in_threadpool(runtime.thresholds), runtime.settings.thresholds))


async def _put(runtime: Runtime, request: Request) -> Response:
    metric = _metric(request)
    wanted = await decoded(request, Threshold, "a threshold")
    await run_in_threadpool(_change(runtime, request, metric, wanted))
    return answered(wanted)


async def _reset(runtime: Runtime, request: Request) -> Response:
    metric = _metric(request)
    if metric not in await run_in_threadpool(runtime.thresholds):
        raise ApiError(404, f"no threshold for {metric!r}")
    await run_in_threadpool(_change(runtime, request, metric, None))
    return Response(status_code=204)


async def _breaches(runtime: Runtime, request: Request) -> Response:
    params, metric = Params(request), _metric(request)
    window = params.window(runtime.clock)
    limit = (await run_in_threadpool(runtime.thresholds)).get(metric)
    if limit is None:
        raise ApiError(404, f"no threshold for {metric!r}")
    found = await run_in_threadpool(thresholds.breaches, runtime.store, metric, limit.warning, window)
    return answered(found)


async def _changes(runtime: Runtime, request: Request) -> Response:
    limit = Params(request).number("limit", 50, low=1, high=CHANGES)
    return answered(Changes(await run_in_threadpool(runtime.store.changes, limit)))


async def _concerns(runtime: Runtime, _request: Request) -> Response:
    def found() -> list[Concern]:
        return concerns.concerns(runtime.store, runtime.thresholds(), runtime.clock.now())

    return answered(Concerns(await run_in_threadpool(found)))


def _metric(request: Request) -> str:
    metric: str = request.path_params["metric"]
    if not metric.isidentifier() or len(metric) > 200:
        raise ApiError(400, f"{metric[:60]!r} is no name of a metric")
    return metric


def _change(runtime: Runtime, request: Request, metric: str, wanted: Threshold | None) -> partial[None]:
    store, writer, clock = runtime.store, runtime.writer, runtime.clock
    return partial(thresholds.change, store, writer, clock, metric, wanted, author=author(request))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/thresholds",
        answer=_limits,
        needs=Scope.READ,
        summary="Warning and critical limits by metric",
        answers=Limits,
    ),
    Endpoint(
        method="PUT",
        path="/thresholds/{metric}",
        answer=_put,
        needs=Scope.OPERATE,
        summary="Change a threshold; stored, audited, and stronger than the settings until it is reset",
        body=Threshold,
        answers=Threshold,
        example='/cpu_usage_percent {"warning": 75, "critical": 95}',
    ),
    Endpoint(
        method="DELETE",
        path="/thresholds/{metric}",
        answer=_reset,
        needs=Scope.OPERATE,
        summary="Back to what is configured",
        status=204,
        example="/cpu_usage_percent",
    ),
    Endpoint(
        method="GET",
        path="/thresholds/{metric}/breaches",
        answer=_breaches,
        needs=Scope.READ,
        summary="What the warning limit of a metric would have meant",
        query=params.RANGE,
        answers=Breaches,
        example="/cpu_usage_percent/breaches?from=now-7d",
    ),
    Endpoint(
        method="GET",
        path="/changes",
        answer=_changes,
        needs=Scope.READ,
        summary="Changes of settings at run time, the newest first",
        query=(params.limit(CHANGES, 50),),
        answers=Changes,
        example="?limit=5",
    ),
    Endpoint(
        method="GET",
        path="/concerns",
        answer=_concerns,
        needs=Scope.READ,
        summary="What is above its threshold now, and since when",
        answers=Concerns,
    ),
)
