"""``/api/v1/alerts/rules`` and beside them: rules with versions, their preview, and files of them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf import timerange
from perf.alerts import files
from perf.alerts.files import Difference
from perf.alerts.preview import Preview
from perf.api.authors import author
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint, Param
from perf.api.problem import ApiError
from perf.api.versions import named, tag, versioned
from perf.errors import QueryError
from perf.model import AlertRule
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.views.rules import Expected, RuleState

LARGEST_FILE = 1_100_000
"""Bytes of a file of rules."""
_Rule = dict[str, Any]  # Any: read strictly by perf.alerts.files
_EXAMPLE = (
    '{"name": "deep queue", "metric": "queue_depth", "condition": "value > 100", "for": "5m", "severity": "high"}'
)


class Asked(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """A rule as in a file, and the range for its preview (texts as in `from` and `to`)."""

    rule: _Rule
    start: str = "now-7d"
    end: str = "now"


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """*yaml*; *drop* rules that it lacks; only *check* it and say what would change."""

    yaml: str
    by: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    drop: bool = False
    check: bool = False


class Altered(msgspec.Struct, frozen=True):
    """What happens to the rule *name*."""

    verb: str
    name: str
    lines: tuple[str, ...]


class Imported(msgspec.Struct, frozen=True):
    """What an import changed, or would."""

    checked: bool
    changes: list[Altered]


async def _rules(runtime: Runtime, request: Request) -> Response:
    found = await run_in_threadpool(runtime.alerts.rules.states)
    return versioned(request, {"rules": [shown(state) for state in found]})


async def _rule(runtime: Runtime, request: Request) -> Response:
    return versioned(request, _as_file(await run_in_threadpool(runtime.alerts.rules.one, request.path_params["id"])))


async def _add(runtime: Runtime, request: Request) -> Response:
    rule = _read(await decoded(request, _Rule, "a rule"))
    if any(rule.id == other.id for other in await run_in_threadpool(runtime.alerts.rules.all)):
        raise ApiError(409, f"there is a rule {rule.id!r}; change it with PUT")
    await run_in_threadpool(partial(runtime.alerts.rules.save, rule, author=author(request)))
    answer = versioned(request, _as_file(rule), 201)
    answer.headers["location"] = f"{request.url.path}/{rule.id}"
    return answer


async def _put(runtime: Runtime, request: Request) -> Response:
    rule = _read(await decoded(request, _Rule, "a rule"), id=request.path_params["id"])
    save = partial(runtime.alerts.rules.save, rule, author=author(request), expected=_expected(request))
    await run_in_threadpool(save)
    return versioned(request, _as_file(rule))


async def _drop(runtime: Runtime, request: Request) -> Response:
    drop = runtime.alerts.rules.drop
    expected = _expected(request)
    await run_in_threadpool(partial(drop, request.path_params["id"], author=author(request), expected=expected))
    return Response(status_code=204)


async def _preview(runtime: Runtime, request: Request) -> Response:
    asked = await decoded(request, Asked, "a rule to preview")
    window = timerange.window(asked.start, asked.end, runtime.clock.now())
    rule = _read(asked.rule)
    return answered(await run_in_threadpool(runtime.alerts.rules.preview, rule, window))


async def _export(runtime: Runtime, _request: Request) -> Response:
    text = await run_in_threadpool(runtime.alerts.rules.export)
    return Response(text, media_type="application/yaml", headers={"cache-control": "no-store"})


async def _import(runtime: Runtime, request: Request) -> Response:
    file = await decoded(request, File, "a file of rules", largest=LARGEST_FILE)
    rules, by = runtime.alerts.rules, author(request, file.by)
    act = partial(rules.compared, drop=file.drop) if file.check else partial(rules.take, drop=file.drop, author=by)
    found: list[Difference] = await run_in_threadpool(act, file.yaml)
    return answered(Imported(file.check, [Altered(one.verb, one.name, one.lines) for one in found]))


def shown(state: RuleState) -> dict[str, object]:
    """A rule as a file has it, how it stands and what it did."""
    return {
        **_as_file(state.rule),
        "default": state.default,
        "state": state.state,
        "open": len(state.open),
        "last_7d": {"times": state.past.times, "seconds": state.past.seconds, "days": state.past.days},
    }


def _expected(request: Request) -> Expected | None:
    """What the headers say of the rule that is there; None when they say nothing."""
    match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is None and none is None:
        return None

    def fits(present: AlertRule | None) -> bool:
        version = "" if present is None else tag(_as_file(present))
        if match is not None and not (version and named(match, version)):
            return False
        return none is None or not (version and named(none, version, weak=True))

    return fits


def _read(given: _Rule, id: str = "") -> AlertRule:
    try:
        return files.rule(given, id=id)
    except (ValueError, msgspec.ValidationError) as error:
        raise QueryError(f"the rule: {error}") from error


def _as_file(rule: AlertRule) -> dict[str, object]:
    return {"id": rule.id, **files.plain(rule)}


_MATCH = Param(
    name="If-Match",
    schema={"type": "string"},
    help="The version (`ETag`) that is meant; another one is left alone (412)",
)
_NONE = Param(
    name="If-None-Match",
    schema={"type": "string"},
    help="The version that is known: 304 while it is the newest; `*` with PUT adds only",
)
_SHOWN = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "condition": {"type": "string"},
        "severity": {"type": "string"},
        "default": {"type": "boolean"},
        "state": {"type": "string"},
        "open": {"type": "integer"},
        "last_7d": {"type": "object"},
    },
}
_LIST = {"type": "object", "required": ["rules"], "properties": {"rules": {"type": "array", "items": _SHOWN}}}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/alerts/rules",
        answer=_rules,
        needs=Scope.READ,
        summary="Every rule, how it stands, and what it did in seven days",
        answers=_LIST,
        headers=(_NONE,),
    ),
    Endpoint(
        method="POST",
        path="/alerts/rules",
        answer=_add,
        needs=Scope.OPERATE,
        summary="Add a rule",
        body=_Rule,
        answers=_SHOWN,
        status=201,
        example=_EXAMPLE,
        creates=True,
    ),
    Endpoint(
        method="GET",
        path="/alerts/rules/{id}",
        answer=_rule,
        needs=Scope.READ,
        summary="A rule as a file has it, with its version (`ETag`)",
        answers=_SHOWN,
        example="/default-cpu",
        headers=(_NONE,),
    ),
    Endpoint(
        method="PUT",
        path="/alerts/rules/{id}",
        answer=_put,
        needs=Scope.OPERATE,
        summary="Add or replace a rule; `If-Match` makes sure that nobody else did meanwhile",
        body=_Rule,
        answers=_SHOWN,
        example='/my-queue {"name": "my queue", "metric": "queue_depth", "condition": "value > 100"}',
        headers=(_MATCH, _NONE),
    ),
    Endpoint(
        method="DELETE",
        path="/alerts/rules/{id}",
        answer=_drop,
        needs=Scope.OPERATE,
        summary="Forget a rule; a default is as it was again",
        status=204,
        example="/my-queue",
        headers=(_MATCH,),
    ),
    Endpoint(
        method="POST",
        path="/alerts/preview",
        answer=_preview,
        needs=Scope.READ,
        summary="What a rule would have done",
        body=Asked,
        answers=Preview,
        example='{"rule": {"name": "busy", "metric": "cpu_usage_percent", "condition": "value > 80"}, "from": "now-1d"}',
    ),
    Endpoint(
        method="GET",
        path="/alerts/export",
        answer=_export,
        needs=Scope.READ,
        summary="Every rule as YAML",
        media=("application/yaml",),
    ),
    Endpoint(
        method="POST",
        path="/alerts/import",
        answer=_import,
        needs=Scope.OPERATE,
        summary="Take over a file of rules, all of it or nothing",
        body=File,
        answers=Imported,
        example='{"yaml": "rules:\\n- name: deep queue\\n  metric: queue_depth\\n  condition: value > 100\\n", "check": true}',
    ),
)
