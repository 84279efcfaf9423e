"""Where the time goes: tables by total time, distributions, heat maps, and who calls whom."""

from __future__ import annotations

import math

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.bodies import answered
from perf.api.endpoint import Endpoint
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.errors import QueryError
from perf.model import Histogram, Selector, Window
from perf.model.access import Scope
from perf.model.distribution import bound
from perf.runtime import Runtime
from perf.selectors import parse
from perf.timerange import step_for
from perf.views import distributions, traces
from perf.views.traces import Traced

KINDS = {
    "endpoints": ("http_server_request_duration_seconds", ("http_request_method", "http_route")),
    "functions": ("function_duration_seconds", ("function",)),
    "pages": ("page_load_seconds", ("page",)),
    "queries": ("db_client_operation_duration_seconds", ("db_query_summary",)),
    "jobs": ("job_duration_seconds", ("job",)),
    "outgoing": ("http_client_request_duration_seconds", ("http_request_method", "server_address")),
}
"""What the page Functions & endpoints lists: metric, and the labels that name a row."""
STEPS = 120
ROWS = 1_000
_MOST_STEPS = 1_000


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """All calls with these labels: how many, their time in seconds, its *share* of all (0 to 1), percentiles within 2.2 %.

    *errors* is nothing where nobody tells them.
    """

    labels: dict[str, str]
    calls: int
    seconds: float
    share: float
    mean: float
    lowest: float
    highest: float
    p50: float | None
    p95: float | None
    p99: float | None
    errors: int | None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by their total time, the largest first; *total* of them there are."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    metric: str
    total: int
    rows: list[Row]


class Bucket(msgspec.Struct, frozen=True):
    """How many observations lie above *low*, up to and including *high*."""

    low: float
    high: float
    count: int


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was observed in a range; numbers are nothing without any."""

    start: float = msgspec.field(name="from")
    end: float = msgspec.field(name="to")
    count: int
    sum: float
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    zeros: int
    buckets: list[Bucket]


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """Observations by step and bucket: *t* (n) starts of steps, *bounds* (w + 1) ascending, *counts* (n x w)."""

    step: float
    unit: str
    t: list[float]
    bounds: list[float]
    counts: list[list[int]]


async def _table(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    metric, by = KINDS[params.choice("kind", {kind: kind for kind in KINDS}, "endpoints")]
    window, limit = params.window(runtime.clock), params.number("limit", 25, low=1, high=ROWS)
    return answered(await run_in_threadpool(totals, runtime, (metric, by), window, limit))


def totals(runtime: Runtime, kind: tuple[str, tuple[str, ...]], window: Window, limit: int) -> Table:
    """The *limit* rows of *kind* (metric, labels that name a row) with the largest total."""
    metric, by = kind
    known = any(info.metric.name == metric for info in runtime.store.series())
    found = distributions.totals(runtime.store, metric, window, by) if known else []
    whole = math.fsum(total.total for total in found) or 1.0
    rows = []
    for total in found[:limit]:
        shape = distributions.distribution(runtime.store, Selector(metric, total.labels), window)
        p50, p95, p99 = (_number(shape.quantile(q)) for q in (0.5, 0.95, 0.99))
        rows.append(
            Row(
                labels=dict(total.labels),
                calls=total.count,
                seconds=total.total,
                share=total.total / whole,
                mean=total.mean,
                lowest=total.low,
                highest=total.high,
                p50=p50,
                p95=p95,
                p99=p99,
                errors=total.errors,
            )
        )
    return Table(start=window.start, end=window.end, metric=metric, total=len(found), rows=rows)


async def _shape(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window, selector = params.window(runtime.clock), _selector(params.text("query"))
    found = await run_in_threadpool(distributions.distribution, runtime.store, selector, window)
    p50, p95, p99 = (_number(found.quantile(q)) for q in (0.5, 0.95, 0.99))
    return answered(
        Shape(
            start=window.start,
            end=window.end,
            count=found.count,
            sum=found.total,
            min=found.low if found.count else None,
            max=found.high if found.count else None,
            p50=p50,
            p95=p95,
            p99=p99,
            zeros=found.zero,
            buckets=_buckets(found),
        )
    )


async def _heat(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window, selector = params.window(runtime.clock), _selector(params.text("query"))
    step = params.step() or step_for(window.seconds, STEPS)
    if window.seconds / step > _MOST_STEPS:
        raise ApiError(400, f"a heat map has at most {_MOST_STEPS:,} steps; use a wider one")
    found = await run_in_threadpool(distributions.heatmap, runtime.store, selector, window, step)
    if found is None:
        return answered(Heat(step=step, unit="", t=[], bounds=[], counts=[]))
    return answered(
        Heat(
            step=found.step,
            unit=found.metric.unit,
            t=found.ts.tolist(),
            bounds=found.bounds.tolist(),
            counts=found.counts.tolist(),
        )
    )


async def _traced(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    name, window = params.text("name"), params.window(runtime.clock)
    found = await run_in_threadpool(traces.traced, runtime.store, name, window)
    if found is None:
        raise ApiError(404, f"no call of {name[:100]!r} was traced in this range")
    return answered(found)


def _selector(text: str) -> Selector:
    expression = parse(text)
    if expression.aggregate is not None or expression.across is not None:
        raise QueryError("a distribution is asked for by a metric and its labels, without functions", text=text)
    return expression.selector


def _buckets(found: Histogram) -> list[Bucket]:
    return [Bucket(bound(index), bound(index + 1), count) for index, count in sorted(found.buckets.items())]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


_DISTRIBUTION = params.text("query", "A distribution and the labels it must have, without functions", required=True)
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/calls",
        answer=_table,
        needs=Scope.READ,
        summary="Endpoints, functions, pages, queries, jobs or outgoing requests by their total time",
        query=(
            params.choice("kind", "What is listed (default: endpoints)", tuple(KINDS)),
            *params.RANGE,
            params.limit(ROWS, 25),
        ),
        answers=Table,
        example="?kind=functions&limit=3",
    ),
    Endpoint(
        method="GET",
        path="/calls/traced",
        answer=_traced,
        needs=Scope.READ,
        summary="Who calls a function, endpoint or job, whom it calls, and what its time is spent in",
        query=(params.text("name", "Its name: `GET /items`, `shop.search`", required=True), *params.RANGE),
        answers=Traced,
        example="?name=shop.search",
    ),
    Endpoint(
        method="GET",
        path="/distributions",
        answer=_shape,
        needs=Scope.READ,
        summary="Everything that a distribution observed in a range: percentiles and buckets",
        query=(_DISTRIBUTION, *params.RANGE),
        answers=Shape,
        example="?query=function_duration_seconds&from=now-1d",
    ),
    Endpoint(
        method="GET",
        path="/heatmap",
        answer=_heat,
        needs=Scope.READ,
        summary="How often each magnitude was observed, step by step",
        query=(_DISTRIBUTION, *params.RANGE, params.STEP),
        answers=Heat,
        example="?query=function_duration_seconds&step=5m",
    ),
)
