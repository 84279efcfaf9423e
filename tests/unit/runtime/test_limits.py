"""perf's own limits: two turns change the verdict, memory is made room for, and requests are refused meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from perf.api.app import endpoints
from perf.api.shedding import EXPENSIVE, Shedding
from perf.cache import Cache, MemoryTier
from perf.clock import ManualClock, SystemClock
from perf.health.probes.limits import LimitsProbe
from perf.model import Status
from perf.model.access import Scope
from perf.runtime.limits import OwnLimits, Reading, Strain, step
from perf.runtime.relief import relieve
from perf.settings import ProductionSettings
from perf.wire.protocol import ARROW

MIB = 2**20


class Process:
    """What a process takes, set by the test."""

    def __init__(self) -> None:
        self.memory, self.cpu, self.relieved = 50.0 * MIB, 0.0, 0

    def read(self) -> Reading:
        return Reading(memory=self.memory, cpu_seconds=self.cpu)

    def relieve(self) -> None:
        self.relieved += 1


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def limits(process: Process, clock: ManualClock) -> OwnLimits:
    settings = ProductionSettings(max_memory=100 * MIB, max_cpu_percent=50.0, retry_after=7.5)
    return OwnLimits(settings, clock, read=process.read, relieve=process.relieve)


def turns(limits: OwnLimits, clock: ManualClock, count: int) -> None:
    for _ in range(count):
        clock.move(5.0)
        limits.turn()


@pytest.mark.parametrize(
    ("ratios", "verdicts"),
    [
        ([1.1, 1.1], [False, True]),
        ([1.1, 1.0, 1.1, 1.1], [False, False, False, True]),
        ([1.1, 1.1, 0.95, 0.89, 0.95, 0.89, 0.89], [False, True, True, True, True, True, False]),
    ],
    ids=["two turns above", "a spike", "two turns below nine tenths"],
)
def test_two_turns_change_the_verdict(ratios: list[float], verdicts: list[bool]) -> None:
    found, strain = [], Strain()
    for ratio in ratios:
        strain = step(strain, ratio)
        found.append(strain.over)
    assert found == verdicts


def test_memory_is_made_room_for_until_it_is_kept(limits: OwnLimits, process: Process, clock: ManualClock) -> None:
    turns(limits, clock, 2)
    assert (limits.over(), process.relieved) == ([], 0)
    process.memory = 120.0 * MIB
    turns(limits, clock, 3)
    assert limits.over() == ["perf takes 120 MiB of memory (limit 100 MiB)"]
    assert process.relieved == 2
    process.memory = 80.0 * MIB
    turns(limits, clock, 2)
    assert (limits.over(), process.relieved) == ([], 3)


def test_cpu_is_judged_over_half_a_minute(limits: OwnLimits, process: Process, clock: ManualClock) -> None:
    for spent in (1.0,) * 6 + (5.0,) * 2:  # 20 % of a core, then all of one for ten seconds: 47 % in the last thirty
        process.cpu += spent
        turns(limits, clock, 1)
    assert limits.over() == []
    for _ in range(2):
        process.cpu += 5.0
        turns(limits, clock, 1)
    assert limits.over() == ["perf takes 73 % of a core (limit 50 %)"]


def test_limits_that_are_not_set_are_not_judged(process: Process, clock: ManualClock) -> None:
    limits = OwnLimits(ProductionSettings(max_memory=MIB), clock, read=process.read, relieve=process.relieve)
    turns(limits, clock, 2)
    assert set(limits.use()) == {"memory"}
    assert not OwnLimits(ProductionSettings(), clock, read=process.read, relieve=process.relieve).set


def test_what_is_taken_is_stored_and_shown(limits: OwnLimits, process: Process, clock: ManualClock) -> None:
    probe = LimitsProbe(limits.over, limits.use, clock)
    assert probe.check().status is Status.UNKNOWN
    turns(limits, clock, 1)
    assert [(s.metric.name, s.labels, s.value) for s in limits.samples(0.0)] == [
        ("perf_limit_ratio", (("resource", "memory"),), 0.5),
        ("perf_shed_requests_total", (), 0.0),
    ]
    assert probe.check().message == "memory 50% of its limit"
    process.memory = 200.0 * MIB
    turns(limits, clock, 2)
    told = probe.check()
    assert (told.status, told.evidence["memory_ratio"]) == (Status.DEGRADED, 2.0)
    assert told.message == "perf takes 200 MiB of memory (limit 100 MiB); expensive requests are refused"


def test_the_memory_of_caches_is_given_back_and_nothing_is_invalidated() -> None:
    cache = Cache(memory=MemoryTier(MIB, SystemClock()), namespace="relief")
    cache.set("key", b"value", tags=["tag"])
    assert relieve() >= 1
    assert cache.get("key") is None
    cache.set("key", b"again", tags=["tag"])
    assert cache.get("key") == b"again"


@pytest.fixture
def client(limits: OwnLimits) -> TestClient:
    async def answer(_: Request) -> Response:
        return PlainTextResponse("fine")

    app = Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET", "POST"])],
        middleware=[Middleware(Shedding, limits=limits)],
    )
    return TestClient(app)


@pytest.mark.parametrize("path", EXPENSIVE)
def test_expensive_requests_are_refused_and_counted(
    path: str, client: TestClient, limits: OwnLimits, process: Process, clock: ManualClock
) -> None:
    assert client.get(path).status_code == 200
    process.memory = 120.0 * MIB
    turns(limits, clock, 2)
    answer = client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "8")
    assert answer.json()["detail"] == "perf takes 120 MiB of memory (limit 100 MiB); try again later"
    assert [s.value for s in limits.samples(0.0) if s.metric.name == "perf_shed_requests_total"] == [1.0]


def test_every_read_of_stored_samples_is_among_them() -> None:
    known = {one.url: one.needs for one in endpoints()}
    assert set(EXPENSIVE) <= set(known)
    assert {known[path] for path in EXPENSIVE} <= {Scope.READ, Scope.OPERATE, Scope.ADMIN}
    reading = {path for path, media in ((one.url, one.media) for one in endpoints()) if ARROW in media}
    assert reading
    assert reading <= set(EXPENSIVE)


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/metrics",
        "/v1/metrics",
        "/api/v1/alerts/rules",
        "/api/v1/queries",
        "/api/v1/store/append",
        "/api/v1/store/series",
        "/",
    ],
)
def test_the_rest_is_answered(
    path: str, client: TestClient, limits: OwnLimits, process: Process, clock: ManualClock
) -> None:
    process.memory = 120.0 * MIB
    turns(limits, clock, 2)
    assert client.get(path).status_code == 200


def test_a_failed_reading_changes_no_verdict(clock: ManualClock) -> None:
    def broken() -> Reading:
        raise OSError("no such process")

    limits = OwnLimits(ProductionSettings(max_memory=1), clock, read=broken, relieve=_nothing)
    with pytest.raises(OSError, match="no such process"):
        limits.turn()
    assert limits.over() == []


_nothing: Callable[[], None] = lambda: None
