"""``/api/v1/annotations``: deploys and notes, read by charts and written by deployment scripts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf.api.bodies import decoded
from perf.api.params import Params
from perf.api.problem import guarded
from perf.errors import QueryError
from perf.model import Annotation
from perf.runtime import Runtime
from perf.timerange import instant

AHEAD = 86_400.0
"""An annotation lies at most a day ahead."""


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request: *ts* as Unix seconds or as text like ``from`` (None: now)."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["deploy", "note"] = "deploy"
    service: Annotated[str, msgspec.Meta(max_length=200)] = ""
    text: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    ts: float | Annotated[str, msgspec.Meta(max_length=40)] | None = None


def routes(runtime: Runtime) -> list[Route]:
    """The routes of this file, below ``/api/v1``."""

    async def annotations(request: Request) -> Response:
        if request.method == "POST":
            Params(request, single=())
            announced = _dated(await decoded(request, Announcement, "an annotation"), runtime)
            await run_in_threadpool(runtime.releases.announce, announced)
            return _json(announced, 201)
        window = Params(request, single=("from", "to")).window(runtime.clock)
        found = await run_in_threadpool(runtime.store.annotations, window)
        return _json({"from": window.start, "to": window.end, "annotations": found})

    return [Route("/annotations", guarded(annotations), methods=["GET", "POST"])]


def _json(body: object, status: int = 200) -> Response:
    content = msgspec.json.encode(body)
    return Response(content, status, media_type="application/json", headers={"cache-control": "no-store"})


def _dated(given: Announcement, runtime: Runtime) -> Annotation:
    now = runtime.clock.now()
    ts = now if given.ts is None else instant(str(given.ts), now)
    kept = runtime.settings.store.retention.hour
    if not now - kept <= ts <= now + AHEAD:
        raise QueryError(
            f"ts lies more than {kept:g} s back or {AHEAD:g} s ahead: it would not be kept, or not be seen"
        )
    return Annotation(ts=ts, kind=given.kind, title=given.title, service=given.service, text=given.text)
