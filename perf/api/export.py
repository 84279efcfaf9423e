"""``/api/v1/export``: a whole answer as CSV, Parquet, Arrow or JSON lines, streamed as a download."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import media, params
from perf.api.endpoint import Endpoint
from perf.api.params import MAX_POINTS, Params
from perf.api.problem import ApiError
from perf.model import Selector
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.timerange import rfc3339
from perf.views import export
from perf.views.export import Format
from perf.views.series import DEFAULT_POINTS, answer, known

_RAW, _STEPPED = ("search",), ("step", "max_points", "aggregate")
"""Parameters that mean something only with, or only without, ``raw=1``."""


async def _download(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    form = params.choice("format", {form.value: form for form in Format}, "csv")
    if not params.text("format"):
        form = media.FORMATS[media.chosen(request, tuple(media.FORMATS))]
    zone = params.text("zone", "UTC")
    export.zone_named(zone)
    pieces = await run_in_threadpool(_pieces, runtime, params)
    stamp = rfc3339(runtime.clock.now()).replace(":", "").partition(".")[0].rstrip("Z")
    return await media.table(pieces, form, zone=zone, name=f"perf-{stamp}Z.{form.suffix}")


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


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/export",
        answer=_download,
        needs=Scope.READ,
        summary="A whole answer as a file, streamed",
        query=(
            params.text("query", "As for `/query`; with `raw=1` selectors only, none means all", many=True),
            *params.RANGE,
            params.STEP,
            params.POINTS,
            params.AGGREGATE,
            params.flag("raw", "1: the samples themselves"),
            params.text("search", "With `raw=1`: part of a name or of a label value"),
            params.choice("format", "The form of the file; else by Accept", tuple(form.value for form in Format)),
            params.text("zone", "IANA name, for the times of a CSV", longest=60),
        ),
        media=tuple(media.FORMATS),
        example="?query=cpu_usage_percent&from=now-5m&raw=1",
        packed=False,
    ),
)
