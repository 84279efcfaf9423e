"""``/api/performance/...``: the paths and shapes that clients of older systems know. What they ask is answered elsewhere."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from perf import __version__, monitoring
from perf.api import params
from perf.api.alerts import Named, acknowledged, resolved
from perf.api.bodies import LARGEST, answered, content, decoded, is_json
from perf.api.endpoint import Endpoint
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.decoding import from_json
from perf.errors import StoreBusy
from perf.health.score import Score
from perf.model import Incident, Sample, Window
from perf.model.access import Scope
from perf.monitoring import PerformanceMetricType
from perf.runtime import Runtime
from perf.timerange import rfc3339
from perf.views import distributions, health
from perf.views.distributions import OPERATION, REQUEST
from perf.views.summary import owned

STORED_WITHIN = 10.0
"""Seconds an answer waits for the store."""
YEARS = 17_520
_FIELD = re.compile(r"at `\$\.?(?P<path>[^`]*)`|field `(?P<name>[^`]+)`")
_Tag = Annotated[str, msgspec.Meta(max_length=200)]


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that a program recorded. *tags* become labels; *context* is for people and is not stored."""

    metric_type: PerformanceMetricType
    value: Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
    context: dict[str, Any] = {}  # Any: whatever the caller knows
    tags: Annotated[dict[_Tag, _Tag], msgspec.Meta(max_length=20)] = {}


class Kept(msgspec.Struct, frozen=True):
    """What was stored, and how it stands against the limits of its type."""

    recorded: bool
    metric_type: PerformanceMetricType
    value: float
    status: str
    timestamp: str


async def _record(runtime: Runtime, request: Request) -> Response:
    is_json(request)
    given = _recorded(await content(request, LARGEST))
    now = runtime.clock.now()
    labels = {**given.tags, "name": given.metric_type.value, "category": "performance"}
    sample = Sample(now, monitoring.CUSTOM, tuple(sorted(labels.items())), given.value)
    stored = asyncio.wrap_future(runtime.writer.submit([sample]))
    try:
        await asyncio.wait_for(asyncio.shield(stored), STORED_WITHIN)
    except TimeoutError as error:
        raise StoreBusy(f"not stored within {STORED_WITHIN:g} s") from error
    status = given.metric_type.threshold.status(given.value).value
    return answered(Kept(True, given.metric_type, given.value, status, rfc3339(now)), 201)


def _recorded(body: bytes) -> Recorded:
    """Raises: ApiError 400 for what is not JSON, 422 that names the field for the rest."""
    try:
        return from_json(body, Recorded)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        field = (found["path"] or found["name"] or "") if found else ""
        raise ApiError(
            422, f"{field or 'the body'}: {error}", errors=[{"field": field, "detail": str(error)}]
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error


async def _status(runtime: Runtime, _request: Request) -> Response:
    found = await run_in_threadpool(runtime.health.check)
    now = runtime.clock.now()
    started = runtime.started or now
    return answered(
        {
            "status": found.status.value,
            "message": found.sentence,
            "monitoring_active": runtime.started is not None,
            "uptime_seconds": max(0.0, now - started),
            "version": __version__,
            "timestamp": rfc3339(now),
        }
    )


async def _health(runtime: Runtime, _request: Request) -> Response:
    score = await run_in_threadpool(_score, runtime)
    return answered(
        {
            "performance_score": score.value,
            "status": score.grade or "unknown",
            "recommendations_count": None,
            "timestamp": rfc3339(runtime.clock.now()),
        }
    )


async def _metrics(runtime: Runtime, _request: Request) -> Response:
    return answered(await run_in_threadpool(_minute, runtime))


async def _summary(runtime: Runtime, request: Request) -> Response:
    hours = Params(request).number("hours", 24, low=1, high=YEARS)
    return answered(await run_in_threadpool(_summed, runtime, float(hours)))


async def _alerts(runtime: Runtime, _request: Request) -> Response:
    rules = await run_in_threadpool(runtime.alerts.rules.all)
    names = {rule.id: rule.name for rule in rules}
    found = await run_in_threadpool(runtime.alerts.open)
    shown = [
        {
            "id": one.id,
            "alert_type": names.get(one.rule_id, one.rule_id),
            "severity": one.severity,
            "state": one.state,
            "message": one.summary,
            "value": one.value,
            "labels": dict(one.labels),
            "timestamp": rfc3339(one.fired_at or one.since),
            "acknowledged": bool(one.acknowledged_by),
        }
        for one in found
    ]
    return answered({"alerts": shown, "total": len(shown)})


async def _acknowledge(runtime: Runtime, request: Request) -> Response:
    return await acknowledged(runtime, request, await _named(request))


async def _resolve(runtime: Runtime, request: Request) -> Response:
    return await resolved(runtime, request, await _named(request))


async def _named(request: Request) -> str | None:
    """Who does it, as far as the body says; older clients send none. Raises: ApiError."""
    if "content-type" not in request.headers and not await content(request, LARGEST):
        return None
    return (await decoded(request, Named, "a name")).by


async def _dashboard(_runtime: Runtime, _request: Request) -> Response:
    return RedirectResponse("./", 307)


def _summed(runtime: Runtime, hours: float) -> dict[str, Any]:
    totals, now = list(runtime.recorder.totals()), runtime.clock.now()
    return owned(totals, runtime.store, runtime.settings.health, now, hours)


def _score(runtime: Runtime) -> Score:
    """As the page Health shows it."""
    return health.score(runtime.store, runtime.settings.health, runtime.clock.now())


def _minute(runtime: Runtime) -> dict[str, object]:
    now = runtime.clock.now()
    minute = Window(now - 60.0, now + 1.0)
    known = {info.metric.name for info in runtime.store.series()}

    def whole(metric: str) -> tuple[int, float | None]:
        found = distributions.totals(runtime.store, metric, minute, ()) if metric in known else []
        return (found[0].count, found[0].mean * 1e3) if found else (0, None)

    requests, request_ms = whole(REQUEST)
    operations, operation_ms = whole(OPERATION)
    return {
        "timestamp": rfc3339(now),
        "last_minute": {
            "api_requests": requests,
            "api_avg_duration_ms": request_ms,
            "database_operations": operations,
            "db_avg_duration_ms": operation_ms,
        },
        "system_health": {"performance_score": _score(runtime).value, "total_optimization_metrics": len(known)},
    }


_OBJECT = {"type": "object"}
_BASE = "//api/performance"
ENDPOINTS = (
    Endpoint(
        method="POST",
        path=f"{_BASE}/metrics/record",
        answer=_record,
        needs=Scope.INGEST,
        summary="Record a number; 422 names the field that is wrong",
        body=Recorded,
        answers=Kept,
        status=201,
        example='{"metric_type": "response_time", "value": 0.25, "tags": {"route": "home"}}',
        creates=True,
    ),
    Endpoint(
        method="GET",
        path=f"{_BASE}/status",
        answer=_status,
        needs=Scope.READ,
        summary="Whether perf watches, and since when",
        answers=_OBJECT,
    ),
    Endpoint(
        method="GET",
        path=f"{_BASE}/health",
        answer=_health,
        needs=Scope.READ,
        summary="The score from 0 to 100, and what it is called",
        answers=_OBJECT,
    ),
    Endpoint(
        method="GET",
        path=f"{_BASE}/metrics",
        answer=_metrics,
        needs=Scope.READ,
        summary="Requests and database operations of the last minute",
        answers=_OBJECT,
    ),
    Endpoint(
        method="GET",
        path=f"{_BASE}/summary",
        answer=_summary,
        needs=Scope.READ,
        summary="What is known of the last hours, in one flat object",
        query=(params.number("hours", "How far back", low=1, high=YEARS, default=24),),
        answers=_OBJECT,
        example="?hours=1",
    ),
    Endpoint(
        method="GET",
        path=f"{_BASE}/alerts",
        answer=_alerts,
        needs=Scope.READ,
        summary="What fires now",
        answers=_OBJECT,
    ),
    Endpoint(
        method="POST",
        path=f"{_BASE}/alerts/{{id}}/acknowledge",
        answer=_acknowledge,
        needs=Scope.OPERATE,
        summary="As `/api/v1/alerts/incidents/{id}/acknowledge`",
        body=Named,
        answers=Incident,
        example='/0123456789abcdef/acknowledge {"by": "Ada"}',
    ),
    Endpoint(
        method="POST",
        path=f"{_BASE}/alerts/{{id}}/resolve",
        answer=_resolve,
        needs=Scope.OPERATE,
        summary="As `/api/v1/alerts/incidents/{id}/resolve`",
        body=Named,
        answers=Incident,
        example='/0123456789abcdef/resolve {"by": "Ada"}',
    ),
    Endpoint(
        method="GET",
        path="//performance",
        answer=_dashboard,
        needs=Scope.PUBLIC,
        summary="Opens the dashboard",
        status=307,
        media=("text/plain",),
        strict=False,
        packed=False,
    ),
)
