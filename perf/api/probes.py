"""``/api/v1/probes`` and ``/api/v1/score``: health checks with their history, and the number that sums things up."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import answered
from perf.api.endpoint import Endpoint, Param
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.health.score import Score
from perf.model import ProbeResult, Spell, Status
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.timerange import checked_step, duration, step_for
from perf.views import health
from perf.views.health import ProbeState, UnknownProbe, Uptime

MOST_SPELLS = 1_000
CELLS = 48


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One probe: what it is, what it waits for, and what it said last; times in seconds, moments in Unix seconds."""

    name: str
    kind: str
    status: Status
    message: str
    ts: float | None
    since: float | None
    seconds: float | None
    evidence: dict[str, float]
    interval: float
    timeout: float
    after: tuple[str, ...]
    critical: bool
    readiness: bool
    failures: int


class Probes(msgspec.Struct, frozen=True):
    """Every probe, and the worst of them in a word and a sentence."""

    status: Status
    message: str
    probes: list[ProbeAnswer]


class Results(msgspec.Struct, frozen=True):
    """What a run that was just made said."""

    results: list[ProbeResult]


class History(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Stretches of one state in a range, the newest first; *uptime* is the share of the watched time not unhealthy."""

    probe: str
    start: float
    end: float
    uptime: float | None
    spells: list[Spell]


class Uptimes(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """How long each probe was up, in steps of *step* seconds."""

    start: float
    end: float
    step: float
    probes: list[Uptime]


async def _probes(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    found = await run_in_threadpool(runtime.health.check)
    listed = [_answer(state) for state in health.states(runtime.health)]
    return answered(Probes(found.status, found.sentence, listed))


async def _probe(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    return answered(_answer(_known(runtime, request)))


async def _history(runtime: Runtime, request: Request) -> Response:
    params = Params(request, single=("from", "to", "limit"))
    window, limit = params.window(runtime.clock), params.number("limit", 100, low=1, high=MOST_SPELLS)
    name, store, now = _known(runtime, request).name, runtime.store, runtime.clock.now()
    spells = await run_in_threadpool(health.history, store, name, window, limit)
    up = await run_in_threadpool(health.uptimes, store, [name], window, window.seconds, now)
    return answered(History(probe=name, start=window.start, end=window.end, uptime=up[0].ratio, spells=spells))


async def _uptime(runtime: Runtime, request: Request) -> Response:
    params = Params(request, single=("from", "to", "step"))
    window = params.window(runtime.clock)
    text = params.text("step")
    step = checked_step(duration(text), window.seconds) if text else step_for(window.seconds, CELLS)
    names, now = list(runtime.health.plans), runtime.clock.now()
    found = await run_in_threadpool(health.uptimes, runtime.store, names, window, step, now)
    return answered(Uptimes(start=window.start, end=window.end, step=step, probes=found))


async def _run_all(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    found = await run_in_threadpool(health.run, runtime.health)
    runtime.access.audit.note("checks.run")
    return answered(Results(found))


async def _run(runtime: Runtime, request: Request) -> Response:
    Params(request, single=())
    name = _known(runtime, request).name
    found = await run_in_threadpool(health.run, runtime.health, name)
    runtime.access.audit.note("checks.run", name)
    return answered(Results(found))


async def _score(runtime: Runtime, request: Request) -> Response:
    text = Params(request, single=("window",)).text("window")
    seconds = duration(text) if text else None
    now, settings = runtime.clock.now(), runtime.settings.health
    return answered(await run_in_threadpool(health.score, runtime.store, settings, now, seconds))


def _known(runtime: Runtime, request: Request) -> ProbeState:
    try:
        return health.one(runtime.health, request.path_params["name"])
    except UnknownProbe as error:
        raise ApiError(404, str(error)) from error


def _answer(state: ProbeState) -> ProbeAnswer:
    plan, result = state.plan, state.result
    return ProbeAnswer(
        name=state.name,
        kind=plan.kind,
        status=result.status if result else Status.UNKNOWN,
        message=result.message if result else "not run yet",
        ts=result.ts if result else None,
        since=result.since if result else None,
        seconds=result.seconds if result else None,
        evidence=result.evidence if result else {},
        interval=plan.interval,
        timeout=plan.timeout,
        after=plan.after,
        critical=plan.critical,
        readiness=plan.readiness,
        failures=plan.failures,
    )


_FROM = Param(name="from", schema={"type": "string", "default": "now-1h"}, help="beginning of the range")
_TO = Param(name="to", schema={"type": "string", "default": "now"}, help="end of the range, excluded")
_LIMIT = Param(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": MOST_SPELLS, "default": 100},
    help="stretches at most",
)
_STEP = Param(name="step", schema={"type": "string"}, help="width of a step, such as 30m; else about 48 steps")
_WINDOW = Param(
    name="window", schema={"type": "string"}, help="time to look back on, such as 1h; else as in the settings"
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="GET",
        path="/probes",
        answer=_probes,
        needs=Scope.READ,
        summary="Every health check, with what it said last",
        answers=Probes,
    ),
    Endpoint(
        method="POST",
        path="/probes/run",
        answer=_run_all,
        needs=Scope.OPERATE,
        summary="Run every health check now, and wait for the results",
        answers=Results,
    ),
    Endpoint(
        method="GET",
        path="/probes/{name}",
        answer=_probe,
        needs=Scope.READ,
        summary="One health check",
        answers=ProbeAnswer,
        example="/store",
    ),
    Endpoint(
        method="POST",
        path="/probes/{name}/run",
        answer=_run,
        needs=Scope.OPERATE,
        summary="Run one health check, and what it waits for, now",
        answers=Results,
        example="/store/run",
    ),
    Endpoint(
        method="GET",
        path="/probes/{name}/history",
        answer=_history,
        needs=Scope.READ,
        summary="From when to when a check was in which state, the newest first",
        query=(_FROM, _TO, _LIMIT),
        answers=History,
        example="/store/history?from=now-7d",
    ),
    Endpoint(
        method="GET",
        path="/uptime",
        answer=_uptime,
        needs=Scope.READ,
        summary="How long each check was up in a range, step by step",
        query=(_FROM, _TO, _STEP),
        answers=Uptimes,
        example="?from=now-24h&step=30m",
    ),
    Endpoint(
        method="GET",
        path="/score",
        answer=_score,
        needs=Scope.READ,
        summary="0 to 100 for how well things go, and what each part cost",
        query=(_WINDOW,),
        answers=Score,
        example="?window=24h",
    ),
)
