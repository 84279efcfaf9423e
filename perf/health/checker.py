"""Runs every probe in its own time, bounds how long each may take, remembers the answers and tells the worst of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from perf.health import endpoints
from perf.health.execution import Execution
from perf.health.plan import Plan, ordered
from perf.health.result import Health, verdict
from perf.loops import loudness
from perf.model import Kind, Metric, ProbeResult, Sample, Spell, Status
from perf.ports import Clock, Probe

PROBE_STATUS = Metric("probe_status", help="State of a probe: 0 healthy, 1 unknown, 2 degraded, 3 unhealthy.")
PROBE_DURATION = Metric("probe_duration_seconds", unit="s", help="How long a probe took the last time.")
PROBE_ERRORS = Metric("probe_errors_total", Kind.COUNTER, help="How often a probe raised instead of answering.")

_BLOCKING = (Status.UNHEALTHY, Status.UNKNOWN)
_TURNS = 5.0
"""Seconds after a turn in which somebody is believed to turn: answers then come from memory."""

_log = logging.getLogger(__name__)
_replace = msgspec.structs.replace


class _Course(msgspec.Struct):
    """How one probe goes: *wanted* until it runs, *run* while it does, then its *result*, of *settled* (monotonic seconds)."""

    wanted: bool = False
    run: Execution | None = None
    result: ProbeResult | None = None
    settled: float = 0.0
    failures: int = 0
    errors: int = 0
    logged: str = ""
    earlier: Spell | None = None

    @property
    def pending(self) -> bool:
        return self.wanted or self.run is not None and not self.run.told


class HealthChecker:
    """The health of this process and of what it needs.

    *plans* say when each probe runs; one without runs every *max_age* seconds and takes *timeout* at most. *dead* and
    *unready* tell why the process isn't alive or ready, in sentences; no sentence means it is.
    """

    def __init__(  # noqa: PLR0913 - one more than six, all of them named
        self,
        probes: Mapping[str, Probe],
        clock: Clock,
        *,
        timeout: float = 2.0,
        max_age: float = 5.0,
        plans: Mapping[str, Plan] | None = None,
        dead: Callable[[], Sequence[str]] = tuple,
        unready: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """Raises: SettingsError for plans that wait for each other, or for a probe that isn't there."""
        self._probes, self._clock = dict(probes), clock
        usual = Plan(timeout=timeout, interval=max_age)
        self.plans: Mapping[str, Plan] = {name: (plans or {}).get(name, usual) for name in probes}
        self._order = ordered(self.plans)
        self._grace = max_age
        self._dead, self._unready = dead, unready
        self._changed = threading.Condition()
        self._courses = {name: _Course() for name in probes}
        self._newest: Health | None = None
        self._turned: float | None = None

    def check(self, *, fresh: bool = False, only: Iterable[str] = ()) -> Health:
        """The state of everything. Waits for probes that have no answer yet, or one that is too old; when *fresh* for all, or
        for *only* some and what they wait for. Callers at the same time share one run.

        Raises: KeyError for a name that isn't there.
        """
        names = self._with_needed(only) or self._order
        with self._changed:
            asked = [self._courses[name] for name in names if fresh or self._old(name)]
            for course in asked:
                course.wanted = course.wanted or not course.pending
            self._advance()
            while any(course.pending for course in asked):
                waits = [max(0.001, one.run.left) for one in self._courses.values() if one.run and not one.run.told]
                self._changed.wait(min(waits, default=0.01))
                self._advance()
            return self._verdict()

    def at_once(self) -> Health | None:
        """What `check` answers, where it would wait for nothing; None where it would."""
        with self._changed:
            return None if any(self._old(name) for name in self._order) else self._verdict()

    def turn(self) -> None:
        """Begin what is due, give up what is late; waits for nothing. To be called about once a second."""
        with self._changed:
            self._turned = now = self._clock.monotonic()
            for name, course in self._courses.items():
                due = course.result is None or now - course.settled >= self.plans[name].interval
                course.wanted = course.wanted or due and not course.pending
            self._advance()

    def newest(self) -> Health:
        """The verdict on what is known already; waits for nothing."""
        with self._changed:
            return self._verdict()

    def resume(self, spells: Iterable[Spell]) -> None:
        """Go on where an earlier process stopped: a state that still holds is as old as it was then."""
        with self._changed:
            for spell in spells:
                if spell.probe in self._courses:
                    self._courses[spell.probe].earlier = spell

    def samples(self, ts: float) -> list[Sample]:
        """The newest results as metrics stamped *ts*."""
        found: list[Sample] = []
        health = self.newest() if self._driven() else self.check()
        for result in health.results:
            labels = (("probe", result.name),)
            found.append(Sample(ts, PROBE_STATUS, labels, float(result.status.rank)))
            found.append(Sample(ts, PROBE_DURATION, labels, result.seconds))
            found.append(Sample(ts, PROBE_ERRORS, labels, float(self._courses[result.name].errors)))
        return found

    def run_all_checks(self) -> Health:
        """The state of everything; its ``status.value`` is healthy, degraded or unhealthy."""
        return self.check()

    def get_health_endpoint_response(self) -> dict[str, object]:
        """What ``GET /health`` answers."""
        return endpoints.health(self.check())

    def get_readiness_check(self) -> dict[str, object]:
        """Whether requests make sense now: ``ready`` and the ``reasons`` against it. Runs no probe."""
        reasons = [
            f"{result.name}: {result.message}"
            for result in self.newest().results
            if self.plans[result.name].readiness and result.status is Status.UNHEALTHY
        ]
        return endpoints.gate("ready", [*self._unready(), *reasons], self._clock.now())

    def get_liveness_check(self) -> dict[str, object]:
        """Whether only a restart would help: ``alive`` and the ``reasons`` against it. Runs no probe."""
        return endpoints.gate("alive", self._dead(), self._clock.now())

    def _with_needed(self, names: Iterable[str]) -> list[str]:
        """*names*, and all that they wait for."""
        found = list(names)
        for name in found:  # grows on the way
            found += [other for other in self.plans[name].after if other not in found]
        return found

    def _driven(self) -> bool:
        return self._turned is not None and self._clock.monotonic() - self._turned < _TURNS

    def _old(self, name: str) -> bool:
        """Whether the answer of *name* is missing or too old; somebody who turns is left the time to renew it."""
        course, plan = self._courses[name], self.plans[name]
        allowed = plan.interval + (plan.timeout + self._grace if self._driven() else 0.0)
        return course.result is None or self._clock.monotonic() - course.settled >= allowed

    def _advance(self) -> None:
        """Begin what is wanted and may run, and tell what is late. In the order of the dependencies."""
        for name in self._order:
            course = self._courses[name]
            if course.run is not None:
                if not course.run.told and course.run.left <= 0 or course.wanted:
                    course.run.told = True
                    self._settle(name, course.run.late())
            elif course.wanted and not any(self._courses[other].pending for other in self.plans[name].after):
                self._begin(name)

    def _begin(self, name: str) -> None:
        blocked = next((other for other in self.plans[name].after if self._status(other) in _BLOCKING), None)
        if blocked is not None:
            message = f"not checked: {blocked} is {self._status(blocked).value}"
            self._settle(name, ProbeResult(name=name, status=Status.UNKNOWN, message=message, ts=self._clock.now()))
            return
        course = self._courses[name]
        course.wanted = False
        course.run = Execution(name, self._probes[name], self._clock, self.plans[name].timeout, self._done)
        course.run.start()

    def _status(self, name: str) -> Status:
        result = self._courses[name].result
        return Status.HEALTHY if result is None else result.status

    def _done(self, run: Execution, result: ProbeResult, failure: Exception | None) -> None:
        with self._changed:
            course = self._courses[run.name]
            course.run = None
            if failure is not None:
                self._note(run.name, course, failure)
            if not run.told:
                self._settle(run.name, result)
            self._advance()
            self._changed.notify_all()

    def _settle(self, name: str, result: ProbeResult) -> None:
        course, plan = self._courses[name], self.plans[name]
        course.failures = course.failures + 1 if result.status is Status.UNHEALTHY else 0
        if 0 < course.failures < plan.failures:
            message = f"{result.message} (failure {course.failures}; {plan.failures} in a row make it unhealthy)"
            result = _replace(result, status=Status.DEGRADED, message=message)
        before, earlier = course.result, course.earlier
        since: float | None = result.ts
        if before is not None and before.status is result.status:
            since = before.since
        elif before is None and earlier is not None and earlier.status is result.status:
            since = earlier.start
        course.result = _replace(result, name=name, since=since, critical=plan.critical)
        course.settled = self._clock.monotonic()
        course.wanted = False
        self._newest = None
        self._changed.notify_all()

    def _verdict(self) -> Health:
        if self._newest is None:
            found = [course.result for course in self._courses.values() if course.result is not None]
            self._newest = verdict(found, self._clock.now())
        return self._newest

    def _note(self, name: str, course: _Course, error: Exception) -> None:
        course.errors += 1
        text = f"{type(error).__name__}: {error}"
        if course.logged != text:
            course.logged = text
            _log.log(loudness(error), "probe %s failed", name, exc_info=error)
