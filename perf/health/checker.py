"""Runs every probe at once, bounds how long each may take, remembers the answers and tells the worst of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import msgspec

from perf.health import endpoints
from perf.health.result import Health, verdict
from perf.model import Kind, Metric, ProbeResult, Sample, Status
from perf.ports import Clock, Probe

PROBE_STATUS = Metric("probe_status", help="State of a probe: 0 healthy, 1 unknown, 2 degraded, 3 unhealthy.")
PROBE_DURATION = Metric("probe_duration_seconds", unit="s", help="How long a probe took the last time.")
PROBE_ERRORS = Metric("probe_errors_total", Kind.COUNTER, help="How often a probe raised instead of answering.")

_log = logging.getLogger(__name__)


class _Run:
    """One execution of one probe on its own daemon thread: a hanging one costs a thread, but no exit and no sibling."""

    def __init__(self, name: str, probe: Probe, clock: Clock, failed: Callable[[str, Exception], None]) -> None:
        self._name, self._probe, self._clock, self._failed = name, probe, clock, failed
        self._done = threading.Event()
        self._result: ProbeResult | None = None
        self._began = perf_counter()
        threading.Thread(target=self._execute, name=f"perf-probe-{name}", daemon=True).start()

    def _execute(self) -> None:
        try:
            result = self._probe.check()
        except Exception as error:  # noqa: BLE001  # A thread's loop: logged once and counted in _count.
            self._failed(self._name, error)
            result = self._unhealthy(f"the probe failed: {type(error).__name__}: {error}")
        self._result = msgspec.structs.replace(result, name=self._name, seconds=perf_counter() - self._began)
        self._done.set()

    @property
    def hangs(self) -> bool:
        return not self._done.is_set()

    def result(self, timeout: float) -> ProbeResult:
        """The answer, waiting for it until *timeout* seconds after the start."""
        self._done.wait(max(0.0, self._began + timeout - perf_counter()))
        if self._result is None:
            return self._unhealthy(f"did not answer within {timeout:g} s")
        return self._result

    def _unhealthy(self, message: str) -> ProbeResult:
        seconds = perf_counter() - self._began
        return ProbeResult(
            name=self._name, status=Status.UNHEALTHY, message=message, ts=self._clock.now(), seconds=seconds
        )


class HealthChecker:
    """The health of this process and its machine.

    *timeout* bounds each probe and *max_age* is how long an answer is repeated from memory, both in seconds. *dead* and
    *unready* tell why the process isn't alive or ready, in sentences; no sentence means it is.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        clock: Clock,
        *,
        timeout: float = 2.0,
        max_age: float = 5.0,
        dead: Callable[[], Sequence[str]] = tuple,
        unready: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._probes = dict(probes)
        self._clock = clock
        self._timeout, self._max_age = timeout, max_age
        self._dead, self._unready = dead, unready
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._newest: Health | None = None
        self._checked = 0.0
        self._errors: dict[str, int] = {}
        self._logged: dict[str, str] = {}

    def check(self, *, fresh: bool = False) -> Health:
        """The state of everything, at most *max_age* old unless *fresh*. Callers at the same time share one run of the probes."""
        with self._lock:
            if fresh or self._newest is None or self._clock.monotonic() - self._checked >= self._max_age:
                self._newest = verdict(self._results(), self._clock.now())
                self._checked = self._clock.monotonic()
            return self._newest

    def samples(self, ts: float) -> list[Sample]:
        """The newest results as metrics stamped *ts*; runs the probes when the last answer is too old."""
        found: list[Sample] = []
        for result in self.check().results:
            labels = (("probe", result.name),)
            found.append(Sample(ts, PROBE_STATUS, labels, float(result.status.rank)))
            found.append(Sample(ts, PROBE_DURATION, labels, result.seconds))
            found.append(Sample(ts, PROBE_ERRORS, labels, float(self._errors.get(result.name, 0))))
        return found

    def run_all_checks(self) -> Health:
        """The state of everything; its ``status.value`` is healthy, degraded or unhealthy."""
        return self.check()

    def get_health_endpoint_response(self) -> dict[str, object]:
        """What ``GET /health`` answers."""
        return endpoints.health(self.check())

    def get_readiness_check(self) -> dict[str, object]:
        """Whether requests make sense now: ``ready`` and the ``reasons`` against it. Runs no probe."""
        return endpoints.gate("ready", self._unready(), self._clock.now())

    def get_liveness_check(self) -> dict[str, object]:
        """Whether only a restart would help: ``alive`` and the ``reasons`` against it. Runs no probe."""
        return endpoints.gate("alive", self._dead(), self._clock.now())

    def _results(self) -> list[ProbeResult]:
        for name, probe in self._probes.items():
            run = self._runs.get(name)
            if run is None or not run.hangs:
                self._runs[name] = _Run(name, probe, self._clock, self._count)
        return [self._runs[name].result(self._timeout) for name in self._probes]

    def _count(self, name: str, error: Exception) -> None:
        self._errors[name] = self._errors.get(name, 0) + 1
        text = f"{type(error).__name__}: {error}"
        if self._logged.get(name) != text:
            self._logged[name] = text
            _log.error("probe %s failed", name, exc_info=error)
