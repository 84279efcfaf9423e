"""HealthChecker: concurrency, deadlines, memory, failures."""

from __future__ import annotations

import logging
import threading

import pytest

from perf.clock import ManualClock
from perf.errors import StoreClosed
from perf.health import HealthChecker
from perf.health.plan import Plan
from perf.model import ProbeResult, Status
from tests.services import eventually

NOW = 1_700_000_000.0
PATIENT = 30.0
"""Timeout of what answers at once: never over by itself."""


class FixedProbe:
    def __init__(self, status: Status = Status.HEALTHY, message: str = "fine") -> None:
        self.status, self.message, self.runs = status, message, 0

    def check(self) -> ProbeResult:
        self.runs += 1
        return ProbeResult(name="own name", status=self.status, message=self.message, ts=NOW, evidence={"x": 1.0})


class HangingProbe(FixedProbe):
    def __init__(self) -> None:
        super().__init__()
        self.go, self.finished = threading.Event(), threading.Event()

    def check(self) -> ProbeResult:
        result = super().check()
        self.go.wait(2 * PATIENT)
        self.finished.set()
        return result


class RaisingProbe(FixedProbe):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def check(self) -> ProbeResult:
        super().check()
        raise self.error


class MeetingProbe(FixedProbe):
    """Answers only when the other one runs at the same time."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self.barrier = barrier

    def check(self) -> ProbeResult:
        self.barrier.wait(PATIENT)
        return super().check()


def test_all_healthy_probes_make_a_healthy_whole() -> None:
    health = HealthChecker({"a": FixedProbe(), "b": FixedProbe()}, ManualClock(), timeout=PATIENT).check()
    assert (health.status, health.sentence, health.ts) == (Status.HEALTHY, "All probes are healthy.", NOW)
    assert [result.name for result in health.results] == ["a", "b"]


def test_the_worst_probe_decides_and_reasons_come_worst_first() -> None:
    probes = {
        "a": FixedProbe(Status.DEGRADED, "slow"),
        "b": FixedProbe(Status.UNHEALTHY, "gone"),
        "c": FixedProbe(),
    }
    health = HealthChecker(probes, ManualClock(), timeout=PATIENT).check()
    assert (health.status, health.sentence) == (Status.UNHEALTHY, "b: gone; a: slow.")


@pytest.mark.parametrize("probes", [{}, {"a": FixedProbe(Status.UNKNOWN, "nobody could look")}])
def test_an_unknown_state_shows_as_degraded(probes: dict[str, FixedProbe]) -> None:
    assert HealthChecker(probes, ManualClock(), timeout=PATIENT).run_all_checks().status.value == "degraded"


def test_answers_come_from_memory_until_max_age() -> None:
    clock, probe = ManualClock(), FixedProbe()
    checker = HealthChecker({"a": probe}, clock, max_age=5.0, timeout=PATIENT)
    first = checker.check()
    clock.move(4.9)
    assert checker.check() is first
    clock.move(0.1)
    assert checker.check() is not first
    assert probe.runs == 2


def test_a_jump_of_the_wall_clock_does_not_age_an_answer() -> None:
    clock, probe = ManualClock(), FixedProbe()
    checker = HealthChecker({"a": probe}, clock, timeout=PATIENT)
    checker.check()
    clock.jump(86_400)
    checker.check()
    assert probe.runs == 1


def test_probes_run_at_the_same_time() -> None:
    barrier = threading.Barrier(2)
    checker = HealthChecker({"a": MeetingProbe(barrier), "b": MeetingProbe(barrier)}, ManualClock(), timeout=PATIENT)
    assert checker.check().status is Status.HEALTHY


def test_a_hanging_probe_is_unhealthy_and_does_not_delay_the_others() -> None:
    hanging, other = HangingProbe(), FixedProbe()
    plans = {"stuck": Plan(timeout=0.05), "other": Plan(timeout=PATIENT)}
    checker = HealthChecker({"stuck": hanging, "other": other}, ManualClock(), plans=plans)
    health = checker.check()
    hanging.go.set()
    assert health.status is Status.UNHEALTHY
    assert [(r.name, r.status, r.message) for r in health.results] == [
        ("stuck", Status.UNHEALTHY, "did not answer within 0.05 s"),
        ("other", Status.HEALTHY, "fine"),
    ]


def test_a_probe_is_not_started_again_while_it_hangs() -> None:
    clock, hanging = ManualClock(), HangingProbe()
    checker = HealthChecker({"stuck": hanging}, clock, timeout=0.05, max_age=1.0)
    for _ in range(3):
        assert checker.check().status is Status.UNHEALTHY
        clock.move(1.0)
    eventually(lambda: hanging.runs)  # its thread may still be on its way
    assert hanging.runs == 1
    hanging.go.set()
    assert hanging.finished.wait(10)
    eventually(lambda: checker.check(fresh=True).status is Status.HEALTHY)
    assert hanging.runs >= 2


def test_callers_at_the_same_time_share_one_run() -> None:
    hanging = HangingProbe()
    checker = HealthChecker({"a": hanging}, ManualClock(), timeout=PATIENT)
    callers = [threading.Thread(target=checker.check, daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    hanging.go.set()
    for caller in callers:
        caller.join(PATIENT)
    assert hanging.runs == 1


def test_a_raising_probe_is_unhealthy_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    checker = HealthChecker({"broken": RaisingProbe(ValueError("no such thing"))}, clock, max_age=1.0, timeout=PATIENT)
    with caplog.at_level(logging.ERROR, logger="perf.health.checker"):
        health = checker.check()
        clock.move(1.0)
        checker.check()
    assert health.results[0].message == "the probe failed: ValueError: no such thing"
    (told,) = [record for record in caplog.records if record.name == "perf.health.checker"]
    assert (told.message, told.exc_info is not None) == ("probe broken failed", True)
    errors = [s.value for s in checker.samples(NOW) if s.metric.name == "probe_errors_total"]
    assert errors == [2.0]


def test_a_probe_that_the_end_did_not_wait_for_is_no_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    closed = RaisingProbe(StoreClosed("x.duckdb: the store is closed"))
    with caplog.at_level(logging.INFO):
        health = HealthChecker({"store": closed}, ManualClock(), timeout=PATIENT).check()
    assert (health.status, caplog.records) == (Status.UNHEALTHY, [])


def test_samples_carry_the_rank_of_each_probe() -> None:
    checker = HealthChecker({"a": FixedProbe(), "b": FixedProbe(Status.UNHEALTHY)}, ManualClock(), timeout=PATIENT)
    samples = checker.samples(NOW + 7)
    assert {s.ts for s in samples} == {NOW + 7}
    ranks = {s.labels: s.value for s in samples if s.metric.name == "probe_status"}
    assert ranks == {(("probe", "a"),): 0.0, (("probe", "b"),): 3.0}
    durations = [s for s in samples if s.metric.name == "probe_duration_seconds"]
    assert len(durations) == 2
    assert all(0.0 <= s.value < 10.0 and s.metric.unit == "s" for s in durations)


def test_health_body_names_every_check() -> None:
    body = HealthChecker({"a": FixedProbe()}, ManualClock(), timeout=PATIENT).get_health_endpoint_response()
    checks = body.pop("checks")
    assert body == {
        "status": "healthy",
        "message": "The only probe is healthy.",
        "timestamp": "2023-11-14T22:13:20.000Z",
    }
    assert isinstance(checks, dict)
    assert checks["a"].pop("seconds") >= 0
    assert checks == {"a": {"status": "healthy", "message": "fine", "evidence": {"x": 1.0}}}


def test_readiness_gives_its_reasons_without_running_probes() -> None:
    probe = FixedProbe()
    checker = HealthChecker({"a": probe}, ManualClock(), unready=lambda: ["shutting down"])
    body = checker.get_readiness_check()
    assert (body["ready"], body["reasons"], probe.runs) == (False, ["shutting down"], 0)


def test_liveness_is_alive_without_reasons_against_it() -> None:
    assert HealthChecker({}, ManualClock()).get_liveness_check()["alive"] is True
    dead = HealthChecker({}, ManualClock(), dead=lambda: ["loop writer is dead"])
    assert dead.get_liveness_check()["alive"] is False
