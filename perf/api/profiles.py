"""``/api/v1/profiles``: where this process spends its time, looked at for a while when somebody asks."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint, principal
from perf.api.params import Params, choice
from perf.api.problem import ApiError
from perf.errors import PerfError
from perf.model.access import Scope
from perf.profile.profiler import ProfilerBusy, ProfileRequest, ProfilerState
from perf.profile.stacks import Profile, collapsed, speedscope
from perf.runtime import Runtime

FORMATS = ("json", "collapsed", "speedscope")


async def begun(runtime: Runtime, request: Request) -> Response:
    """Begin a profile."""
    wanted = await decoded(request, ProfileRequest, "a profile's request")
    try:
        state = runtime.profiler.start(wanted, by=principal(request).name)
    except ProfilerBusy as error:
        raise ApiError(409, str(error)) from error
    except PerfError as error:
        raise ApiError(400, str(error)) from error
    runtime.access.audit.note("profile.start", f"{wanted.seconds:g} s at {wanted.rate:g} Hz")
    return answered(state, 202)


async def shown(runtime: Runtime, request: Request) -> Response:
    """Whether one is being taken."""
    Params(request, single=())
    return answered(runtime.profiler.state())


async def newest(runtime: Runtime, request: Request) -> Response:
    """The profile that was taken last."""
    form = Params(request, single=("format",)).choice("format", {name: name for name in FORMATS}, "json")
    profile = runtime.profiler.newest()
    if profile is None:
        raise ApiError(404, "no profile has been taken yet: POST /api/v1/profiles")
    if form == "collapsed":
        return _file(await run_in_threadpool(collapsed, profile), "text/plain; charset=utf-8")
    if form == "speedscope":
        return _file(await run_in_threadpool(speedscope, profile), "application/json")
    return _file(await run_in_threadpool(msgspec.json.encode, profile), "application/json")


def _file(content: str | bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"cache-control": "no-store"})


_PROFILE = {
    "type": "object",
    "description": "The profile, or with format=speedscope a file of speedscope",
    "anyOf": [{"required": list(Profile.__struct_fields__)}, {"required": ["$schema", "shared", "profiles"]}],
}

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/profiles",
        answer=begun,
        needs=Scope.OPERATE,
        summary="Begin a profile of this process; one at a time",
        body=ProfileRequest,
        answers=ProfilerState,
        status=202,
        example='{"seconds": 10, "rate": 100}',
    ),
    Endpoint(
        method="GET",
        path="/profiles",
        answer=shown,
        needs=Scope.READ,
        summary="Whether a profile is being taken",
        answers=ProfilerState,
    ),
    Endpoint(
        method="GET",
        path="/profiles/newest",
        answer=newest,
        needs=Scope.READ,
        summary="The profile that was taken last",
        query=(choice("format", "of the answer; json without it", FORMATS),),
        answers=_PROFILE,
        media=("application/json", "text/plain"),
        example="?format=collapsed",
    ),
)
