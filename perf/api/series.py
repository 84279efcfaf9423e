"""``/api/v1/series`` (what is known, and what is new since a time) and ``/api/v1/query`` (a range, in steps)."""

from __future__ import annotations

import math

import numpy as np
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf.api.params import MAX_POINTS, Params
from perf.api.problem import ApiError, guarded
from perf.model import Aggregate, Array, Series, SeriesInfo, Window
from perf.runtime import Runtime
from perf.timerange import duration, instant, rfc3339
from perf.views.gaps import with_gaps
from perf.views.series import DEFAULT_POINTS, Answer, answer, known, news

_EXACT = (Aggregate.LAST, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)
_DIGITS = 6
_PAGE = 1_000
_SMALL = [Middleware(GZipMiddleware, minimum_size=400, compresslevel=5)]
_NEWS = 3_600.0


def routes(runtime: Runtime) -> list[Route]:
    """The routes of this file, below ``/api/v1``."""

    async def series(request: Request) -> Response:
        params = Params(request, single=("search", "limit", "after", "since"), many=("metric",))
        return _json(await run_in_threadpool(_series, runtime, params))

    async def query(request: Request) -> Response:
        names = ("from", "to", "step", "max_points", "aggregate", "since", "envelope")
        params = Params(request, single=names, many=("query",))
        ask = _since if params.text("since") else _range
        return _json(await run_in_threadpool(ask, runtime, params))

    return [Route("/series", guarded(series), middleware=_SMALL), Route("/query", guarded(query), middleware=_SMALL)]


def _json(body: object) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, media_type="application/json", headers={"cache-control": "no-store"})


def _series(runtime: Runtime, params: Params) -> dict[str, object]:
    """Known series by id, a page at a time; with ``since`` also the raw samples from then on."""
    limit = params.number("limit", 100, low=1, high=_PAGE)
    after = params.number("after", 0, low=0, high=2**31)
    found = [s for s in known(runtime.store, params.many("metric"), params.text("search")) if s.sid > after]
    page = found[:limit]
    rows = [_described(info) for info in page]
    if params.text("since"):
        _add_news(runtime, params, page, rows)
    return {"series": rows, "next_after": page[-1].sid if len(found) > limit else None}


def _described(info: SeriesInfo) -> dict[str, object]:
    last = None if info.last_ts is None else [info.last_ts, info.last_value]
    return {
        "id": info.sid,
        "metric": info.metric.name,
        "labels": dict(info.labels),
        "kind": info.metric.kind.value,
        "unit": info.metric.unit,
        "help": info.metric.help,
        "first_seen": rfc3339(info.first_seen),
        "last": last,
    }


def _add_news(runtime: Runtime, params: Params, page: list[SeriesInfo], rows: list[dict[str, object]]) -> None:
    """Put ``points`` into *rows*: the samples since the asked time as [time, value], at most an hour back."""
    now = runtime.clock.now()
    since = instant(params.text("since"), now)
    if now - since > _NEWS:
        raise ApiError(400, f"since reaches back at most {_NEWS:g} s; ask /api/v1/query for more")
    points = news(runtime.store, page, since, now)
    for info, row in zip(page, rows, strict=True):
        row["points"] = points[info.sid]


def _range(runtime: Runtime, params: Params) -> dict[str, object]:
    """A range in steps."""
    texts = _queries(params)
    points = params.number("max_points", DEFAULT_POINTS, low=1, high=MAX_POINTS)
    got = answer(
        runtime.store,
        texts,
        params.window(runtime.clock),
        step=params.step(),
        max_points=points,
        aggregate=params.aggregate(),
    )
    envelope = params.flag("envelope")
    return {
        "from": got.window.start,
        "to": got.window.end,
        "step": got.step,
        "series": [_whole(index, series, envelope=envelope) for index, series in got.series],
    }


def _since(runtime: Runtime, params: Params) -> dict[str, object]:
    """Only the steps that began at ``since`` or later, without what the asker knows already: what a live chart polls."""
    texts = _queries(params)
    if params.text("from") or params.text("to") or params.text("max_points"):
        raise ApiError(400, "since goes with step, and without from, to and max_points")
    now = runtime.clock.now()
    step = duration(params.text("step", "1"))
    since = math.floor(instant(params.text("since"), now) / step) * step
    if since >= now:
        return {"to": now, "step": step, "series": []}
    got: Answer = answer(runtime.store, texts, Window(since, now + 1.0), step=step, aggregate=params.aggregate())
    envelope = params.flag("envelope")
    return {
        "to": round(now, 3),
        "step": step,
        "series": [_brief(index, series, envelope=envelope) for index, series in got.series if len(series.ts)],
    }


def _queries(params: Params) -> list[str]:
    texts = params.many("query")
    if not texts:
        raise ApiError(400, "parameter 'query' is missing: query=cpu_usage_percent, or query=rate(x_total)")
    return texts


def _whole(index: int, series: Series, *, envelope: bool) -> dict[str, object]:
    ts, values, low, high = with_gaps(series.ts, series.step, series.values, series.low, series.high)
    entry: dict[str, object] = {
        "query": index,
        "metric": series.metric.name,
        "labels": dict(series.labels),
        "unit": series.unit,
        "aggregate": series.aggregate.value,
        "level": series.level.value,
        "step": series.step,
        "t": _times(ts),
        "v": _values(values, series.aggregate),
    }
    if envelope:
        entry |= {"low": low, "high": high}
    return entry


def _brief(index: int, series: Series, *, envelope: bool) -> dict[str, object]:
    entry: dict[str, object] = {"query": index, "t": _times(series.ts), "v": _values(series.values, series.aggregate)}
    if series.labels:
        entry["labels"] = dict(series.labels)
    if envelope and not (np.array_equal(series.low, series.values) and np.array_equal(series.high, series.values)):
        low, high = _values(series.low, Aggregate.AVG), _values(series.high, Aggregate.AVG)
        entry |= {"low": low, "high": high}
    return entry


def _times(ts: Array) -> list[float | int]:
    """Whole seconds as integers: they are shorter."""
    return [int(t) if t == int(t) else t for t in ts.tolist()]


def _values(values: Array, aggregate: Aggregate) -> Array:
    """*values* (n,); computed ones to six significant digits, so that a third is not sent with seventeen."""
    if aggregate in _EXACT:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    scale = np.power(10.0, np.clip(np.nan_to_num(digits, posinf=0.0, neginf=0.0), -300, 300))
    rounded: Array = np.round(values * scale) / scale
    return rounded
