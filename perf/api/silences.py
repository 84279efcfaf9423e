"""``/api/v1/alerts/silences``: what nobody is to be told of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf import timerange
from perf.api.authors import author
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.repeats import REPEAT
from perf.model import Match, Silence
from perf.model.access import Scope
from perf.runtime import Runtime

_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Time = float | Annotated[str, msgspec.Meta(max_length=40)] | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A silence from *start* (without: now) to *end*, as Unix seconds or text; without *end* until it resolves."""

    matchers: Annotated[tuple[Match, ...], msgspec.Meta(max_length=50)]
    author: _Text | None = None
    start: _Time = None
    end: _Time = None
    comment: _Text = ""
    recurrence: _Text = ""
    zone: _Text = "UTC"


class Silences(msgspec.Struct, frozen=True):
    """Those in force and to come."""

    silences: list[Silence]


async def _silences(runtime: Runtime, _request: Request) -> Response:
    return answered(Silences(await run_in_threadpool(runtime.alerts.silences)))


async def _silence(runtime: Runtime, request: Request) -> Response:
    wanted = await decoded(request, Wanted, "a silence")
    now = runtime.clock.now()
    # One name however often it comes, through whichever process: what lies in memory there ends with a restart.
    name = request.scope.get(REPEAT, "")[:12]
    known = await run_in_threadpool(runtime.alerts.silences) if name else []
    found = next((one for one in known if one.id == name), None)
    if found is not None:
        return answered(found, 201)
    silence = Silence(
        id=name,
        matchers=wanted.matchers,
        start=now if wanted.start is None else timerange.instant(str(wanted.start), now),
        end=None if wanted.end is None else timerange.instant(str(wanted.end), now),
        author=author(request, wanted.author),
        comment=wanted.comment,
        recurrence=wanted.recurrence,
        zone=wanted.zone,
    )
    return answered(await run_in_threadpool(runtime.alerts.silence, silence), 201)


async def _end_silence(runtime: Runtime, request: Request) -> Response:
    await run_in_threadpool(runtime.alerts.end_silence, request.path_params["id"])
    return Response(status_code=204)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/alerts/silences",
        answer=_silences,
        needs=Scope.READ,
        summary="Silences in force and to come",
        answers=Silences,
    ),
    Endpoint(
        method="POST",
        path="/alerts/silences",
        answer=_silence,
        needs=Scope.OPERATE,
        summary="Tell nobody of what all matchers fit",
        body=Wanted,
        answers=Silence,
        status=201,
        example='{"matchers": [{"label": "rule", "text": "deep queue"}], "author": "Ada", "comment": "known"}',
        creates=True,
    ),
    Endpoint(
        method="DELETE",
        path="/alerts/silences/{id}",
        answer=_end_silence,
        needs=Scope.OPERATE,
        summary="End a silence",
        status=204,
        example="/0123456789ab",
    ),
)
