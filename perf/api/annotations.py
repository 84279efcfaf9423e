"""``/api/v1/annotations``: deploys and notes, read by charts and written by deployment scripts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.pages import Cursor, paged
from perf.api.params import Params
from perf.errors import QueryError
from perf.model import Annotation, Window
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.timerange import instant

AHEAD = 86_400.0
"""An annotation lies at most a day ahead."""
PAGE = 1_000
_Place = tuple[float, str, str, str]


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A deploy or a note: *ts* as Unix seconds or as text like `from` (without: now)."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["deploy", "note"] = "deploy"
    service: Annotated[str, msgspec.Meta(max_length=200)] = ""
    text: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    ts: float | Annotated[str, msgspec.Meta(max_length=40)] | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a range, the oldest first; *next* is the cursor of the page that follows."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    annotations: list[Annotation]
    next: str | None


async def _list(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window = params.window(runtime.clock)
    cursor: Cursor[_Place] = Cursor(request, "annotations", (float, str, str, str))
    limit = params.number("limit", PAGE, low=1, high=PAGE)

    def rows(after: _Place | None) -> list[Annotation]:
        start = window.start if after is None else max(window.start, after[0])
        found = runtime.store.annotations(Window(start, window.end)) if start < window.end else []
        return sorted(found, key=_place)

    page, following = await run_in_threadpool(paged, cursor, rows, _place, limit)
    return answered(Happened(start=window.start, end=window.end, annotations=page, next=following))


async def _add(runtime: Runtime, request: Request) -> Response:
    announced = _dated(await decoded(request, Announcement, "an annotation"), runtime)
    await run_in_threadpool(runtime.releases.announce, announced)
    return answered(announced, 201)


def _place(one: Annotation) -> _Place:
    return one.ts, one.kind, one.service, one.title


def _dated(given: Announcement, runtime: Runtime) -> Annotation:
    now = runtime.clock.now()
    ts = now if given.ts is None else instant(str(given.ts), now)
    kept = runtime.settings.store.retention.hour
    if not now - kept <= ts <= now + AHEAD:
        raise QueryError(
            f"ts lies more than {kept:g} s back or {AHEAD:g} s ahead: it would not be kept, or not be seen"
        )
    return Annotation(ts=ts, kind=given.kind, title=given.title, service=given.service, text=given.text)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/annotations",
        answer=_list,
        needs=Scope.READ,
        summary="Deploys and notes, the oldest first",
        query=(*params.RANGE, params.limit(PAGE, PAGE), params.CURSOR),
        answers=Happened,
        example="?from=now-7d",
    ),
    Endpoint(
        method="POST",
        path="/annotations",
        answer=_add,
        needs=Scope.OPERATE,
        summary="Keep a deploy or a note; answered when it would survive a crash",
        body=Announcement,
        answers=Annotation,
        status=201,
        example='{"service": "shop", "title": "v1.8.0", "text": "new search"}',
        creates=True,
    ),
)
