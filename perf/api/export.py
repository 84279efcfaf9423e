"""``/api/v1/export``: a whole answer as CSV, Parquet or JSON lines, streamed as a download."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from perf.api.params import MAX_POINTS, Params
from perf.api.problem import ApiError, guarded
from perf.model import Selector
from perf.runtime import Runtime
from perf.timerange import rfc3339
from perf.views import export
from perf.views.series import DEFAULT_POINTS, answer, known

_RAW, _STEPPED = ("search",), ("step", "max_points", "aggregate")
"""Parameters that mean something only with, or only without, ``raw=1``."""


def routes(runtime: Runtime) -> list[Route]:
    """The route of this file, below ``/api/v1``."""

    async def download(request: Request) -> Response:
        names = ("from", "to", "step", "max_points", "aggregate", "raw", "search", "format", "zone")
        params = Params(request, single=names, many=("query",))
        form = params.choice("format", {form.value: form for form in export.Format}, "csv")
        zone = params.text("zone", "UTC")
        export.zone_named(zone)
        pieces = await run_in_threadpool(_pieces, runtime, params)
        stamp = rfc3339(runtime.clock.now()).replace(":", "").partition(".")[0].rstrip("Z")
        name = f"perf-{stamp}Z.{form.suffix}"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return StreamingResponse(export.encoded(pieces, form, zone), media_type=form.media_type, headers=headers)

    return [Route("/export", guarded(download))]


def _pieces(runtime: Runtime, params: Params) -> Iterator[list[export.Record]]:
    """The rows. The first piece is read here, while its failure can still be an answer and not a broken download."""
    pieces = _asked(runtime, params)
    first = next(pieces, None)
    return iter(()) if first is None else itertools.chain((first,), pieces)


def _asked(runtime: Runtime, params: Params) -> Iterator[list[export.Record]]:
    texts = params.many("query")
    window = params.window(runtime.clock)
    raw = params.flag("raw")
    for name in _STEPPED if raw else _RAW:
        if params.text(name):
            raise ApiError(400, f"{name} does not go with raw=1" if raw else f"{name} goes with raw=1 only")
    if raw:
        infos = known(runtime.store, texts)
        chosen = [Selector(info.metric.name, info.labels) for info in infos] if texts else []
        if texts and not chosen:
            return iter(())
        return export.raw(runtime.store, chosen, window, params.text("search"))
    if not texts:
        raise ApiError(400, "name at least one query, or ask for raw=1")
    points = params.number("max_points", DEFAULT_POINTS, low=1, high=MAX_POINTS)
    return export.stepped(
        answer(runtime.store, texts, window, step=params.step(), max_points=points, aggregate=params.aggregate())
    )
