"""``GET /api/v1/samples``: raw samples as they were measured, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import media, params
from perf.api.bodies import answered
from perf.api.endpoint import Endpoint
from perf.api.pages import Cursor, paged
from perf.api.params import Params
from perf.model import Labels, Selector
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views import samples
from perf.views.export import Record
from perf.views.samples import Place, newest_first
from perf.views.series import known

PAGE = 10_000
_CHUNK = 500


class Measured(msgspec.Struct, frozen=True):
    """One sample; *value* is nothing where it was no number."""

    ts: float
    metric: str
    labels: dict[str, str]
    value: float | None
    unit: str


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of a range, the newest first; *next* is the cursor of the page that follows."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    samples: list[Measured]
    next: str | None


async def _samples(runtime: Runtime, request: Request) -> Response:
    params, form = Params(request), media.chosen(request, media.TABLES)
    window, limit = params.window(runtime.clock), params.number("limit", 100, low=1, high=PAGE)
    cursor: Cursor[Place] = Cursor(request, "samples", (float, str, Labels, float))
    search, texts = params.text("search"), params.many("metric")

    def rows(after: Place | None) -> Iterator[Record]:
        infos = known(runtime.store, texts) if texts else []
        if texts and not infos:
            return iter(())
        chosen = [Selector(info.metric.name, info.labels) for info in infos]
        return newest_first(runtime.store, chosen, window, search, after=after, size=max(limit + 1, _CHUNK))

    page, following = await run_in_threadpool(
        lambda: paged(cursor, rows, samples.place, limit, descending=True),
    )
    if form == media.JSON:
        shown = [Measured(one.ts, one.metric, dict(one.labels), one.value, one.unit) for one in page]
        answer = answered(Samples(start=window.start, end=window.end, samples=shown, next=following))
    else:
        answer = await media.table(iter([page]), media.FORMATS[form])
    answer.headers["vary"] = "accept"
    if following is not None:
        answer.headers["link"] = f'<{request.url.path}?{_continued(request, following)}>; rel="next"'
    return answer


def _continued(request: Request, cursor: str) -> str:
    """The query of *request* with another *cursor*."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*pairs, ("cursor", cursor)])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/samples",
        answer=_samples,
        needs=Scope.READ,
        summary="Raw samples as they were measured, the newest first",
        query=(
            params.text("metric", 'A selector: `disk_usage_percent{mount="/"}`', many=True),
            params.text("search", "Part of a name or of a label value"),
            *params.RANGE,
            params.limit(PAGE),
            params.CURSOR,
        ),
        answers=Samples,
        media=media.TABLES,
        example="?metric=cpu_usage_percent&limit=2",
    ),
)
