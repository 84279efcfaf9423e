"""``/api/v1/series`` (what is known, and what is new since a time) and ``/api/v1/query`` (a range, in steps)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import media, params
from perf.api.endpoint import Endpoint
from perf.api.params import MAX_POINTS, Params
from perf.api.problem import ApiError
from perf.model import Aggregate, Array, Kind, Series, SeriesInfo, Window
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.timerange import duration, instant, rfc3339
from perf.views import export
from perf.views.gaps import with_gaps
from perf.views.series import DEFAULT_POINTS, Answer, answer, known, news

_EXACT = (Aggregate.LAST, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)
_DIGITS = 6
_PAGE = 1_000
_NEWS = 3_600.0


async def _listed(runtime: Runtime, request: Request) -> Response:
    params, form = Params(request), media.chosen(request, media.TABLES)
    if form != media.JSON:
        pieces = await run_in_threadpool(_newest, runtime, params)
        return await media.table(pieces, media.FORMATS[form])
    return _json(await run_in_threadpool(_series, runtime, params))


async def _asked(runtime: Runtime, request: Request) -> Response:
    params, form = Params(request), media.chosen(request, media.TABLES)
    if form != media.JSON:
        if params.text("since") or params.flag("envelope"):
            raise ApiError(400, "since and envelope go with JSON only")
        got = await run_in_threadpool(_answer, runtime, params)
        return await media.table(export.stepped(got), media.FORMATS[form])
    ask = _since if params.text("since") else _range
    return _json(await run_in_threadpool(ask, runtime, params))


def _json(body: object) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, media_type=media.JSON, headers={"cache-control": "no-store", "vary": "accept"})


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


def _newest(runtime: Runtime, params: Params) -> Iterator[list[export.Record]]:
    """The newest value of each series that has one; of all pages."""
    for name in ("limit", "after", "since"):
        if params.text(name):
            raise ApiError(400, f"{name} goes with JSON only")
    found = known(runtime.store, params.many("metric"), params.text("search"))
    rows = [
        export.Record(s.last_ts, s.metric.name, s.labels, s.last_value, s.metric.unit)
        for s in found
        if s.last_ts is not None and s.last_value is not None
    ]
    return iter([rows])


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
    got = _answer(runtime, params)
    envelope = params.flag("envelope")
    return {
        "from": got.window.start,
        "to": got.window.end,
        "step": got.step,
        "series": [whole(index, series, envelope=envelope) for index, series in got.series],
    }


def _answer(runtime: Runtime, params: Params) -> Answer:
    return answer(
        runtime.store,
        params.many("query"),
        params.window(runtime.clock),
        step=params.step(),
        max_points=params.number("max_points", DEFAULT_POINTS, low=1, high=MAX_POINTS),
        aggregate=params.aggregate(),
    )


def _since(runtime: Runtime, params: Params) -> dict[str, object]:
    """Only the steps that began at ``since`` or later, without what the asker knows already: what a live chart polls."""
    texts = params.many("query")
    if params.text("from") or params.text("to") or params.text("max_points"):
        raise ApiError(400, "since goes with step, and without from, to and max_points")
    now = runtime.clock.now()
    step = duration(params.text("step", "1"))
    since = math.floor(instant(params.text("since"), now) / step) * step
    if since >= now:
        return {"to": now, "step": step, "series": []}
    got: Answer = answer(runtime.store, texts, Window(since, now + 1.0), step=step, aggregate=params.aggregate())
    return _newer(got, now, envelope=params.flag("envelope"))


def _newer(got: Answer, now: float, *, envelope: bool) -> dict[str, object]:
    found = [brief(index, series, envelope=envelope) for index, series in got.series if len(series.ts)]
    return {"to": round(now, 3), "step": got.step, "series": found}


def whole(index: int, series: Series, *, envelope: bool) -> dict[str, object]:
    """All that is known of *series*, the answer to question *index*."""
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


def brief(index: int, series: Series, *, envelope: bool) -> dict[str, object]:
    """What changes of *series* from one look to the next."""
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


_NUMBER = {"type": ["number", "null"]}
_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
_COLUMN = {"type": "array", "items": _NUMBER}
_LISTED = {
    "type": "object",
    "required": ["series", "next_after"],
    "properties": {
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "metric", "labels", "kind", "unit", "help", "first_seen", "last"],
                "properties": {
                    "id": {"type": "integer"},
                    "metric": {"type": "string"},
                    "labels": _LABELS,
                    "kind": {"type": "string", "enum": [kind.value for kind in Kind]},
                    "unit": {"type": "string"},
                    "help": {"type": "string"},
                    "first_seen": {"type": "string", "format": "date-time"},
                    "last": {"type": ["array", "null"], "items": _NUMBER, "minItems": 2, "maxItems": 2},
                    "points": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
                },
            },
        },
        "next_after": {"type": ["integer", "null"]},
    },
}
_STEPPED = {
    "type": "object",
    "required": ["to", "step", "series"],
    "properties": {
        "from": {"type": "number"},
        "to": {"type": "number"},
        "step": {"type": "number"},
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["query", "t", "v"],
                "properties": {
                    "query": {"type": "integer", "description": "which of the questions, from 0"},
                    "metric": {"type": "string"},
                    "labels": _LABELS,
                    "unit": {"type": "string"},
                    "aggregate": {"type": "string"},
                    "level": {"type": "string"},
                    "step": {"type": "number"},
                    "t": {"type": "array", "items": {"type": "number"}},
                    "v": _COLUMN,
                    "low": _COLUMN,
                    "high": _COLUMN,
                },
            },
        },
    },
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/query",
        answer=_asked,
        needs=Scope.READ,
        summary="Series over a range, in steps",
        query=(
            params.QUERY,
            *params.RANGE,
            params.STEP,
            params.POINTS,
            params.AGGREGATE,
            params.flag("envelope", "1: also the lowest and highest sample of each step"),
            params.text("since", "Instead of `from` and `to`: only steps that began then or later", longest=40),
        ),
        answers=_STEPPED,
        media=media.TABLES,
        example="?query=cpu_usage_percent&from=now-15m&step=1m",
    ),
    Endpoint(
        method="GET",
        path="/series",
        answer=_listed,
        needs=Scope.READ,
        summary="Which series there are, their newest value, and what is new since a time",
        query=(
            params.text("metric", 'A selector: `disk_usage_percent{mount="/"}`', many=True),
            params.text("search", "Part of a name or of a label value"),
            params.limit(_PAGE),
            params.number("after", "`next_after` of the page before", low=0, high=2**31, default=0),
            params.text("since", "Also the samples from then on, at most an hour back", longest=40),
        ),
        answers=_LISTED,
        media=media.TABLES,
        example="?metric=cpu_usage_percent&since=now-1m",
    ),
)
