"""``/api/v1/alerts/...``: rules with their preview, incidents, silences, deliveries and tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf import timerange
from perf.alerts import files
from perf.alerts.files import Difference, RulesError
from perf.alerts.silences import SilenceError
from perf.alerts.templates import TemplateError
from perf.api.bodies import answered, decoded
from perf.api.params import Params
from perf.api.problem import ApiError, Handler, guarded
from perf.errors import QueryError, RuleError
from perf.model import AlertRule, Incident, IncidentFilter, IncidentState, Match, Severity, Silence
from perf.runtime import Runtime
from perf.views.rules import RuleState, UnknownAlert

PAGE = 1_000
"""Rows of an answer at most."""
LARGEST_FILE = 1_100_000
"""Bytes of a file of rules."""
_Text = Annotated[str, msgspec.Meta(max_length=200)]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who does it."""

    by: _Text


class Asked(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """The request for a preview: a rule as in a file, and the range (texts as in ``from`` and ``to``)."""

    rule: dict[str, Any]  # Any: read strictly by perf.alerts.files
    start: str = "now-7d"
    end: str = "now"


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request for a silence: from *start* (None: now) to *end*, as Unix seconds or text; None: until it resolves."""

    matchers: tuple[Match, ...]
    author: _Text
    start: float | str | None = None
    end: float | str | None = None
    comment: _Text = ""
    recurrence: _Text = ""
    zone: _Text = "UTC"


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request for an import: *yaml*; *drop* rules that it lacks; only *check* it and say what would change."""

    yaml: str
    by: _Text = "api"
    drop: bool = False
    check: bool = False


class Tested(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request for a test message."""

    channel: _Text


def routes(runtime: Runtime) -> list[Route]:
    """The routes of this file, below ``/api/v1``."""

    def route(path: str, **handlers: Callable[[Runtime, Request], Any]) -> Route:  # Any: a coroutine of a Response
        async def handle(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            found: Response = await handlers[method](runtime, request)
            return found

        return Route(f"/alerts/{path}", guarded(_told(handle)), methods=list(handlers))

    return [
        route("rules", GET=_rules, POST=_add),
        route("rules/{id}", GET=_rule, PUT=_put, DELETE=_drop),
        route("preview", POST=_preview),
        route("export", GET=_export),
        route("import", POST=_import),
        route("incidents", GET=_incidents),
        route("incidents/{id}/acknowledge", POST=_acknowledge),
        route("incidents/{id}/resolve", POST=_resolve),
        route("silences", GET=_silences, POST=_silence),
        route("silences/{id}", DELETE=_end_silence),
        route("deliveries", GET=_deliveries),
        route("test", POST=_test),
    ]


def _told(handler: Handler) -> Handler:
    """*handler* with the errors of alerting as refusals."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except UnknownAlert as error:
            raise ApiError(404, str(error)) from error
        except RulesError as error:
            raise ApiError(400, str(error), problems=error.problems) from error
        except (RuleError, SilenceError, TemplateError) as error:
            raise ApiError(400, str(error)) from error

    return wrapped


async def _rules(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    found = await run_in_threadpool(runtime.alerts.rules.states)
    return answered({"rules": [shown(state) for state in found]})


async def _rule(runtime: Runtime, request: Request) -> Response:
    return answered(_as_file(runtime.alerts.rules.one(request.path_params["id"])))


async def _add(runtime: Runtime, request: Request) -> Response:
    rule = _read(await decoded(request, dict[str, Any], "a rule"))
    if any(rule.id == other.id for other in runtime.alerts.rules.all()):
        raise ApiError(409, f"there is a rule {rule.id!r}; change it with PUT")
    await run_in_threadpool(partial(runtime.alerts.rules.save, rule, author="api"))
    return answered(_as_file(rule), 201)


async def _put(runtime: Runtime, request: Request) -> Response:
    rule = _read(await decoded(request, dict[str, Any], "a rule"), id=request.path_params["id"])
    await run_in_threadpool(partial(runtime.alerts.rules.save, rule, author="api"))
    return answered(_as_file(rule))


async def _drop(runtime: Runtime, request: Request) -> Response:
    await run_in_threadpool(partial(runtime.alerts.rules.drop, request.path_params["id"], author="api"))
    return Response(status_code=204)


async def _preview(runtime: Runtime, request: Request) -> Response:
    asked = await decoded(request, Asked, "a rule to preview")
    window = timerange.window(asked.start, asked.end, runtime.clock.now())
    rule = _read(asked.rule)
    return answered(await run_in_threadpool(runtime.alerts.rules.preview, rule, window))


async def _export(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    text = await run_in_threadpool(runtime.alerts.rules.export)
    return Response(text, media_type="application/yaml", headers={"cache-control": "no-store"})


async def _import(runtime: Runtime, request: Request) -> Response:
    file = await decoded(request, File, "a file of rules", largest=LARGEST_FILE)
    rules = runtime.alerts.rules
    act = partial(rules.compared, drop=file.drop) if file.check else partial(rules.take, drop=file.drop, author=file.by)
    found: list[Difference] = await run_in_threadpool(act, file.yaml)
    changes = [{"verb": one.verb, "name": one.name, "lines": one.lines} for one in found]
    return answered({"checked": file.check, "changes": changes})


async def _incidents(runtime: Runtime, request: Request) -> Response:
    params = Params(request, single=("from", "to", "state", "rule", "severity", "search", "limit", "offset"))
    names = {rule.id: rule.name for rule in runtime.alerts.rules.all()}
    if params.text("state", "open") == "open":
        found = await run_in_threadpool(runtime.alerts.open)
        return answered({"total": len(found), "incidents": [_incident(one, names) for one in found]})
    states: dict[str, IncidentState | None] = {"all": None, **{state.value: state for state in IncidentState}}
    severities: dict[str, Severity | None] = {"": None, **{severity.value: severity for severity in Severity}}
    wanted = IncidentFilter(
        rule_id=params.text("rule"),
        severity=params.choice("severity", severities),
        state=params.choice("state", states),
        search=params.text("search"),
    )
    window, limit, offset = _paged(runtime, params)
    page = await run_in_threadpool(runtime.alerts.history, window, limit, offset, wanted)
    return answered({"total": page.total, "incidents": [_incident(one, names) for one in page.incidents]})


async def _acknowledge(runtime: Runtime, request: Request) -> Response:
    named = await decoded(request, Named, "a name")
    act = partial(runtime.alerts.acknowledge, request.path_params["id"], by=named.by)
    return answered(await run_in_threadpool(act))


async def _resolve(runtime: Runtime, request: Request) -> Response:
    named = await decoded(request, Named, "a name")
    act = partial(runtime.alerts.resolve, request.path_params["id"], by=named.by)
    return answered(await run_in_threadpool(act))


async def _silences(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    return answered({"silences": await run_in_threadpool(runtime.alerts.silences)})


async def _silence(runtime: Runtime, request: Request) -> Response:
    wanted = await decoded(request, Wanted, "a silence")
    now = runtime.clock.now()
    silence = Silence(
        id="",
        matchers=wanted.matchers,
        start=now if wanted.start is None else timerange.instant(str(wanted.start), now),
        end=None if wanted.end is None else timerange.instant(str(wanted.end), now),
        author=wanted.author,
        comment=wanted.comment,
        recurrence=wanted.recurrence,
        zone=wanted.zone,
    )
    return answered(await run_in_threadpool(runtime.alerts.silence, silence), 201)


async def _end_silence(runtime: Runtime, request: Request) -> Response:
    await run_in_threadpool(runtime.alerts.end_silence, request.path_params["id"])
    return Response(status_code=204)


async def _deliveries(runtime: Runtime, request: Request) -> Response:
    params = Params(request, single=("from", "to", "limit", "offset"))
    page = await run_in_threadpool(runtime.alerts.deliveries, *_paged(runtime, params))
    return answered({"total": page.total, "deliveries": page.deliveries})


async def _test(runtime: Runtime, request: Request) -> Response:
    tested = await decoded(request, Tested, "a channel")
    found = await run_in_threadpool(runtime.alerts.test, tested.channel)
    return answered({"channel": tested.channel, "attempts": found})


def _paged(runtime: Runtime, params: Params) -> tuple[Any, int, int]:
    window = params.window(runtime.clock)
    return window, params.number("limit", 100, low=1, high=PAGE), params.number("offset", 0, low=0, high=10**9)


def _read(given: dict[str, Any], id: str = "") -> AlertRule:
    try:
        return files.rule(given, id=id)
    except (ValueError, msgspec.ValidationError) as error:
        raise QueryError(f"the rule: {error}") from error


def _as_file(rule: AlertRule) -> dict[str, object]:
    return {"id": rule.id, **files.plain(rule)}


def shown(state: RuleState) -> dict[str, object]:
    """A rule as a file has it, how it stands and what it did."""
    return {
        **_as_file(state.rule),
        "default": state.default,
        "state": state.state,
        "open": len(state.open),
        "last_7d": {"times": state.past.times, "seconds": state.past.seconds, "days": state.past.days},
    }


def _incident(one: Incident, names: dict[str, str]) -> dict[str, object]:
    return {"rule": names.get(one.rule_id, one.rule_id), **msgspec.to_builtins(one), "labels": dict(one.labels)}
