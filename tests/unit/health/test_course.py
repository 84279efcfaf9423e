"""HealthChecker: each probe in its own time, after what it waits for, and what its failure means."""

from __future__ import annotations

import threading

import pytest

from perf.clock import ManualClock
from perf.errors import SettingsError
from perf.health import HealthChecker
from perf.health.history import Keeping
from perf.health.plan import Plan, ordered
from perf.model import ProbeResult, Spell, Status
from tests.services import eventually

NOW = 1_700_000_000.0
HEALTHY, UNKNOWN, DEGRADED, UNHEALTHY = Status
PATIENT = 30.0
"""Timeout of what answers at once: never over by itself."""


class Scripted:
    """Says one status after the other, the last one for ever."""

    def __init__(self, *statuses: Status) -> None:
        self.statuses, self.runs = list(statuses) or [HEALTHY], 0

    def check(self) -> ProbeResult:
        status = self.statuses[min(self.runs, len(self.statuses) - 1)]
        self.runs += 1
        return ProbeResult(name="", status=status, message=status.value, ts=NOW)


class Gated(Scripted):
    """Answers only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def check(self) -> ProbeResult:
        self.go.wait(2 * PATIENT)
        return super().check()


def plan(**changes: object) -> Plan:
    return Plan(**{"timeout": PATIENT, "interval": 10.0, **changes})  # type: ignore[arg-type]  # by name


def said(checker: HealthChecker) -> dict[str, tuple[Status, str]]:
    return {one.name: (one.status, one.message) for one in checker.check().results}


def test_each_probe_runs_in_its_own_interval() -> None:
    clock, often, seldom = ManualClock(), Scripted(), Scripted()
    checker = HealthChecker(
        {"often": often, "seldom": seldom}, clock, plans={"often": plan(interval=1.0), "seldom": plan(interval=60.0)}
    )
    for _ in range(5):
        checker.check()
        clock.move(1.0)
    assert (often.runs, seldom.runs) == (5, 1)


def test_what_waits_for_an_unhealthy_one_is_unknown_because_of_it_and_not_run() -> None:
    dns, web, shop = Scripted(UNHEALTHY), Scripted(), Scripted()
    plans = {"shop": plan(after=("web",)), "web": plan(after=("dns",)), "dns": plan()}
    checker = HealthChecker({"shop": shop, "web": web, "dns": dns}, ManualClock(), plans=plans)
    assert said(checker) == {
        "shop": (UNKNOWN, "not checked: web is unknown"),
        "web": (UNKNOWN, "not checked: dns is unhealthy"),
        "dns": (UNHEALTHY, "unhealthy"),
    }
    assert (web.runs, shop.runs) == (0, 0)


def test_what_waits_runs_again_once_the_other_is_well() -> None:
    clock, web = ManualClock(), Scripted()
    checker = HealthChecker(
        {"dns": Scripted(UNHEALTHY, HEALTHY), "web": web}, clock, plans={"dns": plan(), "web": plan(after=("dns",))}
    )
    checker.check()
    clock.move(10.0)
    assert said(checker)["web"] == (HEALTHY, "healthy")


def test_what_waits_begins_only_when_the_other_is_done() -> None:
    dns, web = Gated(), Scripted()
    checker = HealthChecker({"web": web, "dns": dns}, ManualClock(), plans={"web": plan(after=("dns",)), "dns": plan()})
    checker.turn()
    assert web.runs == 0
    dns.go.set()
    eventually(lambda: web.runs == 1)


def test_a_degraded_one_stops_nobody() -> None:
    web = Scripted()
    plans = {"dns": plan(), "web": plan(after=("dns",))}
    checker = HealthChecker({"dns": Scripted(DEGRADED), "web": web}, ManualClock(), plans=plans)
    assert (said(checker)["web"][0], web.runs) == (HEALTHY, 1)


def test_one_that_hangs_blocks_those_behind_it_and_nobody_else() -> None:
    dns, web, other = Gated(), Scripted(), Scripted()
    plans = {"dns": plan(timeout=0.05), "web": plan(after=("dns",)), "other": plan()}
    checker = HealthChecker({"dns": dns, "web": web, "other": other}, ManualClock(), plans=plans)
    found = said(checker)
    dns.go.set()
    assert found["dns"] == (UNHEALTHY, "did not answer within 0.05 s")
    assert found["web"] == (UNKNOWN, "not checked: dns is unhealthy")
    assert found["other"][0] is HEALTHY


def test_a_late_answer_does_not_count() -> None:
    clock, slow = ManualClock(), Gated()
    checker = HealthChecker({"slow": slow}, clock, plans={"slow": plan(timeout=0.05)})
    assert said(checker)["slow"][0] is UNHEALTHY
    slow.go.set()
    eventually(lambda: slow.runs == 1)
    assert said(checker)["slow"][0] is UNHEALTHY
    eventually(lambda: checker.check(fresh=True).status is HEALTHY)


def test_one_that_is_not_critical_degrades_only() -> None:
    checker = HealthChecker({"extra": Scripted(UNHEALTHY)}, ManualClock(), plans={"extra": plan(critical=False)})
    health = checker.check()
    assert (health.status, health.sentence, health.results[0].status) == (DEGRADED, "extra: unhealthy.", UNHEALTHY)


def test_reasons_that_count_more_come_first() -> None:
    probes = {"extra": Scripted(UNHEALTHY), "main": Scripted(UNHEALTHY), "slow": Scripted(DEGRADED)}
    plans = {"extra": plan(critical=False), "main": plan(), "slow": plan()}
    found = HealthChecker(probes, ManualClock(), plans=plans).check().sentence
    assert found == "main: unhealthy; extra: unhealthy; slow: degraded."


def test_few_failures_degrade_and_enough_in_a_row_are_unhealthy() -> None:
    clock = ManualClock()
    probe = Scripted(UNHEALTHY, UNHEALTHY, HEALTHY, UNHEALTHY, UNHEALTHY, UNHEALTHY)
    checker = HealthChecker({"a": probe}, clock, plans={"a": plan(failures=3)})
    found = []
    for _ in range(6):
        found.append(said(checker)["a"])
        clock.move(10.0)
    assert [status for status, _ in found] == [DEGRADED, DEGRADED, HEALTHY, DEGRADED, DEGRADED, UNHEALTHY]
    assert found[1][1] == "unhealthy (failure 2; 3 in a row make it unhealthy)"


def test_since_is_when_the_state_began_not_when_it_was_last_seen() -> None:
    clock = ManualClock()

    class Clocked(Scripted):
        def check(self) -> ProbeResult:
            found = super().check()
            return ProbeResult(name="", status=found.status, message="", ts=clock.now())

    checker = HealthChecker({"a": Clocked(HEALTHY, HEALTHY, UNHEALTHY, UNHEALTHY)}, clock, plans={"a": plan()})
    found = []
    for _ in range(4):
        found.append(checker.check().results[0].since)
        clock.move(10.0)
    assert found == [NOW, NOW, NOW + 20, NOW + 20]


@pytest.mark.parametrize(("status", "since"), [(UNHEALTHY, NOW - 3600), (HEALTHY, NOW)])
def test_a_state_that_a_restart_interrupted_is_as_old_as_before(status: Status, since: float) -> None:
    checker = HealthChecker({"a": Scripted(status)}, ManualClock(), plans={"a": plan()})
    checker.resume([Spell(probe="a", status=UNHEALTHY, message="", start=NOW - 3600, end=NOW - 60)])
    assert checker.check().results[0].since == since


def test_readiness_counts_only_unhealthy_ones_that_say_so() -> None:
    probes = {"a": Scripted(UNHEALTHY), "b": Scripted(UNHEALTHY), "c": Scripted(DEGRADED)}
    plans = {"a": plan(), "b": plan(readiness=True), "c": plan(readiness=True)}
    checker = HealthChecker(probes, ManualClock(), plans=plans)
    assert checker.get_readiness_check()["ready"] is True  # Nothing is known, and readiness runs no probe.
    checker.check()
    assert checker.get_readiness_check()["reasons"] == ["b: unhealthy"]
    assert checker.get_liveness_check()["alive"] is True


def test_a_turn_waits_for_nobody_and_answers_come_from_memory_meanwhile() -> None:
    clock, slow, quick = ManualClock(), Gated(), Scripted()
    checker = HealthChecker({"slow": slow, "quick": quick}, clock, plans={"slow": plan(), "quick": plan()})
    checker.turn()
    eventually(lambda: len(checker.newest().results) == 1)
    assert [one.name for one in checker.newest().results] == ["quick"]
    slow.go.set()
    assert len(checker.check().results) == 2  # Who asks for all waits for the first answer.
    clock.move(10.0)
    slow.go.clear()
    checker.turn()  # Due again, and hanging: what is known is answered without waiting.
    assert len(checker.check().results) == 2
    slow.go.set()


def test_one_can_be_run_now_with_what_it_waits_for() -> None:
    dns, web, other = Scripted(), Scripted(), Scripted()
    plans = {"dns": plan(), "web": plan(after=("dns",)), "other": plan()}
    checker = HealthChecker({"dns": dns, "web": web, "other": other}, ManualClock(), plans=plans)
    checker.check()
    checker.check(fresh=True, only=("web",))
    assert (dns.runs, web.runs, other.runs) == (2, 2, 1)
    with pytest.raises(KeyError):
        checker.check(fresh=True, only=("nobody",))


def test_names_that_are_not_there_and_circles_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"health\.probes\.web\.after: no probe 'dnss'; did you mean 'dns'\?"):
        ordered({"dns": plan(), "web": plan(after=("dnss",))})
    with pytest.raises(SettingsError, match=r"health\.probes\.web\.after: no probe 'x'; known: web"):
        ordered({"web": plan(after=("x",))})
    with pytest.raises(SettingsError, match=r"wait for each other: (a after b after a|b after a after b)"):
        ordered({"a": plan(after=("b",)), "b": plan(after=("a",))})


# --- what is kept ---------------------------------------------------------------------------------------------------


def result(status: Status, ts: float) -> ProbeResult:
    return ProbeResult(name="a", status=status, message="", ts=ts)


def kept(keeping: Keeping, found: ProbeResult, now: float) -> list[tuple[Status, float]]:
    due = keeping.due([found], now)
    keeping.kept(due)
    return [(one.status, one.ts) for one in due]


def test_changes_are_kept_at_once_and_the_rest_once_a_minute() -> None:
    keeping = Keeping()
    assert kept(keeping, result(HEALTHY, 100.0), 101.0) == [(HEALTHY, 100.0)]
    assert kept(keeping, result(HEALTHY, 110.0), 159.0) == []
    assert kept(keeping, result(HEALTHY, 150.0), 160.0) == [(HEALTHY, 160.0)]
    assert kept(keeping, result(UNHEALTHY, 165.0), 166.0) == [(UNHEALTHY, 165.0)]
    assert kept(keeping, result(HEALTHY, 166.0), 167.0) == [(HEALTHY, 166.0)]


def test_a_change_is_never_kept_before_what_was_said_to_hold_still() -> None:
    keeping = Keeping()
    kept(keeping, result(HEALTHY, 100.0), 100.0)
    kept(keeping, result(HEALTHY, 158.0), 160.0)
    assert kept(keeping, result(UNHEALTHY, 159.0), 161.0) == [(UNHEALTHY, 160.0)]


def test_what_could_not_be_stored_is_due_again() -> None:
    keeping = Keeping()
    found = [result(HEALTHY, 100.0)]
    assert keeping.due(found, 100.0) == keeping.due(found, 101.0) == found


def test_a_clock_that_goes_back_stops_nothing() -> None:
    keeping = Keeping()
    kept(keeping, result(HEALTHY, 1000.0), 1000.0)
    assert kept(keeping, result(HEALTHY, 500.0), 500.0) == [(HEALTHY, 500.0)]
    assert kept(keeping, result(UNHEALTHY, 501.0), 501.0) == [(UNHEALTHY, 501.0)]


def test_without_a_thread_a_probe_fails_and_runs_again_once_there_is_one() -> None:
    checker = HealthChecker({"a": Scripted()}, ManualClock(), plans={"a": plan()})
    before = threading.stack_size(2**47)  # as much as a process can address: more than any machine can give
    try:
        (failed,) = checker.check().results
    finally:
        threading.stack_size(before)
    assert failed.status is UNHEALTHY
    assert failed.message == "the probe failed: RuntimeError: can't start new thread"
    assert [one.status for one in checker.check(fresh=True).results] == [HEALTHY]
