"""``/api/v1/alerts/incidents``: what fires and fired, and who looks after it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.authors import author
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.pages import Cursor, chunked, paged
from perf.api.params import Params
from perf.model import Incident, IncidentFilter, IncidentState, Severity, Window
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views.alerts import Firing

PAGE = 1_000
"""Rows of an answer at most."""
_TICK = 2e-6
"""Beyond the microseconds of the store."""
_Text = Annotated[str, msgspec.Meta(max_length=200)]
_Time = float | Annotated[str, msgspec.Meta(max_length=40)] | None


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who does it, where nobody signs in."""

    by: _Text | None = None


class Firings(msgspec.Struct, frozen=True):
    """When which rule fired."""

    firings: list[Firing]


async def _incidents(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    names = {rule.id: rule.name for rule in await run_in_threadpool(runtime.alerts.rules.all)}
    if params.text("state", "open") == "open":
        found = await run_in_threadpool(runtime.alerts.open)
        return answered({"total": len(found), "incidents": [_shown(one, names) for one in found], "next": None})
    states: dict[str, IncidentState | None] = {"all": None, **{state.value: state for state in IncidentState}}
    severities: dict[str, Severity | None] = {"": None, **{severity.value: severity for severity in Severity}}
    wanted = IncidentFilter(
        rule_id=params.text("rule"),
        severity=params.choice("severity", severities),
        state=params.choice("state", states),
        search=params.text("search"),
    )
    window, limit = params.window(runtime.clock), params.number("limit", 100, low=1, high=PAGE)
    cursor: Cursor[tuple[float, str]] = Cursor(request, "incidents", (float, str))

    def rows(after: tuple[float, str] | None) -> Iterable[Incident]:
        reach = window if after is None else until(window, after[0])
        return chunked(lambda size, offset: history(reach, size, offset, wanted).incidents, limit + 1)

    history = runtime.alerts.history
    total = (await run_in_threadpool(history, window, 1, 0, wanted)).total
    page, following = await run_in_threadpool(partial(paged, cursor, rows, _fired, limit, descending=True))
    return answered({"total": total, "incidents": [_shown(one, names) for one in page], "next": following})


async def _firings(runtime: Runtime, request: Request) -> Response:
    window = Params(request).window(runtime.clock)
    return answered(Firings(await run_in_threadpool(runtime.alerts.firings, window)))


async def _acknowledge(runtime: Runtime, request: Request) -> Response:
    named = await decoded(request, Named, "a name")
    return await acknowledged(runtime, request, named.by)


async def _resolve(runtime: Runtime, request: Request) -> Response:
    named = await decoded(request, Named, "a name")
    return await resolved(runtime, request, named.by)


async def acknowledged(runtime: Runtime, request: Request, named: str | None) -> Response:
    """The incident of the path, which somebody looks after now."""
    act = partial(runtime.alerts.acknowledge, request.path_params["id"], by=author(request, named))
    return answered(await run_in_threadpool(act))


async def resolved(runtime: Runtime, request: Request, named: str | None) -> Response:
    """The incident of the path, which is over now."""
    act = partial(runtime.alerts.resolve, request.path_params["id"], by=author(request, named))
    return answered(await run_in_threadpool(act))


def until(window: Window, ts: float) -> Window:
    """*window* up to and with *ts*."""
    return Window(window.start, max(window.start + _TICK, min(window.end, ts + _TICK)))


def _fired(one: Incident) -> tuple[float, str]:
    return one.fired_at or one.since, one.id


def _shown(one: Incident, names: dict[str, str]) -> dict[str, object]:
    return {"rule": names.get(one.rule_id, one.rule_id), **msgspec.to_builtins(one), "labels": dict(one.labels)}


_INCIDENTS = {
    "type": "object",
    "required": ["total", "incidents", "next"],
    "properties": {
        "total": {"type": "integer"},
        "next": {"type": ["string", "null"]},
        "incidents": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "rule", "rule_id", "state", "severity", "labels", "since"],
                "properties": {
                    "id": {"type": "string"},
                    "rule": {"type": "string", "description": "name of the rule"},
                    "rule_id": {"type": "string"},
                    "state": {"type": "string", "enum": [state.value for state in IncidentState]},
                    "severity": {"type": "string", "enum": [severity.value for severity in Severity]},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "since": {"type": "number"},
                    "fired_at": {"type": ["number", "null"]},
                    "resolved_at": {"type": ["number", "null"]},
                    "value": {"type": ["number", "null"]},
                    "summary": {"type": "string"},
                    "acknowledged_by": {"type": "string"},
                },
            },
        },
    },
}
ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/alerts/incidents",
        answer=_incidents,
        needs=Scope.READ,
        summary="What fires, the worst first; or what fired in a range, the newest first",
        query=(
            *params.RANGE,
            params.choice("state", "`open` (default) is what fires now", ("open", "all", *IncidentState)),
            params.text("rule", "Id of a rule"),
            params.choice("severity", "Only these", tuple(Severity)),
            params.text("search", "Part of a label value or of the summary"),
            params.limit(PAGE),
            params.CURSOR,
        ),
        answers=_INCIDENTS,
        example="?state=all&from=now-7d&limit=2",
    ),
    Endpoint(
        method="GET",
        path="/alerts/firings",
        answer=_firings,
        needs=Scope.READ,
        summary="When which rule fired: the bands of charts",
        query=params.RANGE,
        answers=Firings,
        example="?from=now-1d",
    ),
    Endpoint(
        method="POST",
        path="/alerts/incidents/{id}/acknowledge",
        answer=_acknowledge,
        needs=Scope.OPERATE,
        summary="Look after an incident: no more reminders until it gets worse",
        body=Named,
        answers=Incident,
        example='/0123456789abcdef/acknowledge {"by": "Ada"}',
    ),
    Endpoint(
        method="POST",
        path="/alerts/incidents/{id}/resolve",
        answer=_resolve,
        needs=Scope.OPERATE,
        summary="End an incident; it begins anew when its condition still holds",
        body=Named,
        answers=Incident,
        example='/0123456789abcdef/resolve {"by": "Ada"}',
    ),
)
