"""What perf itself is like: its store, sources, loops, settings and costs."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf import settings as tree
from perf.api.bodies import answered
from perf.api.endpoint import Endpoint
from perf.model import StoreUsage, WriterStats
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.sources.sampler import SourceState
from perf.views.series import newest

COSTS = (
    "process_cpu_percent",
    "process_memory_bytes",
    "perf_store_file_bytes",
    "perf_store_wal_bytes",
    "perf_store_commit_seconds",
    "perf_samples_stored_total",
    "perf_samples_dropped_total",
)
_AGE = 120.0


class Stored(msgspec.Struct, frozen=True):
    """What the store holds, and what its writer did since the start."""

    usage: StoreUsage
    writer: WriterStats


class Sources(msgspec.Struct, frozen=True):
    """What is read, how often, and what a reading costs."""

    sources: list[SourceState]


class Turn(msgspec.Struct, frozen=True):
    """A loop: seconds between its turns, seconds since the last one (*age*), and its errors so far."""

    name: str
    interval: float
    age: float
    errors: int


class Loops(msgspec.Struct, frozen=True):
    """Every loop; each must turn in time."""

    loops: list[Turn]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in force; values of secrets are hidden."""

    key: str
    value: str
    variable: str
    default: str
    changed: bool
    meaning: str


class InForce(msgspec.Struct, frozen=True):
    """Every setting, the *file* and the *variables* that values come from."""

    settings: list[Setting]
    file: str | None
    variables: tuple[str, ...]


class Cost(msgspec.Struct, frozen=True):
    """The newest value of a metric about perf's own process."""

    metric: str
    labels: dict[str, str]
    value: float | None
    unit: str
    ts: float | None


class Overhead(msgspec.Struct, frozen=True):
    """What perf costs: its process, its store and its commits."""

    started: float | None
    costs: list[Cost]


async def _store(runtime: Runtime, _request: Request) -> Response:
    return answered(Stored(await run_in_threadpool(runtime.store.usage), runtime.writer.stats()))


async def _sources(runtime: Runtime, _request: Request) -> Response:
    return answered(Sources(list(runtime.sampler.states())))


async def _loops(runtime: Runtime, _request: Request) -> Response:
    now = runtime.clock.monotonic()
    return answered(
        Loops([Turn(beat.name, beat.interval, max(0.0, now - beat.last), beat.errors) for beat in runtime.beats()])
    )


async def _settings(runtime: Runtime, _request: Request) -> Response:
    file, variables = tree.origins()
    found = [
        Setting(
            key=one.key,
            value=value,
            variable=one.variable,
            default=one.shown,
            changed=value != one.shown,
            meaning=one.meaning,
        )
        for one, value in tree.in_force(runtime.settings)
    ]
    return answered(InForce(found, None if file is None else str(file), variables))


async def _overhead(runtime: Runtime, _request: Request) -> Response:
    def costs() -> list[Cost]:
        now = runtime.clock.now()
        return [
            Cost(one.metric.name, dict(one.labels), one.last_value, one.metric.unit, one.last_ts)
            for metric in COSTS
            for one in newest(runtime.store, metric, now, age=_AGE)
        ]

    return answered(Overhead(runtime.started, await run_in_threadpool(costs)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/store",
        answer=_store,
        needs=Scope.READ,
        summary="What the store holds: sizes, series, rows and times of each level",
        answers=Stored,
    ),
    Endpoint(
        method="GET",
        path="/sources",
        answer=_sources,
        needs=Scope.READ,
        summary="What is read, how often, and what a reading costs",
        answers=Sources,
    ),
    Endpoint(
        method="GET",
        path="/loops",
        answer=_loops,
        needs=Scope.READ,
        summary="The loops of perf, and when each turned last",
        answers=Loops,
    ),
    Endpoint(
        method="GET",
        path="/settings",
        answer=_settings,
        needs=Scope.READ,
        summary="Every setting in force, and where its value comes from",
        answers=InForce,
    ),
    Endpoint(
        method="GET",
        path="/overhead",
        answer=_overhead,
        needs=Scope.READ,
        summary="What perf itself costs",
        answers=Overhead,
    ),
)
