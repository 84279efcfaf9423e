"""Does the owner of the store answer, and is it well by its own account?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from perf.errors import PerfError
from perf.model import ProbeResult, SeriesInfo, Status
from perf.ports import Clock

STATUS = "probe_status"
RECENT = 60.0
"""Seconds for which what a probe of the owner said is its state."""


class OwnerProbe:
    """The owner answers, and none of its probes, whose newest results stand in the store, is worse than healthy."""

    def __init__(self, away: Callable[[], str], series: Callable[[], Sequence[SeriesInfo]], clock: Clock) -> None:
        """*away* says why the owner can't be asked, if it can't; *series* are those of its store."""
        self._away, self._series, self._clock = away, series, clock

    def check(self) -> ProbeResult:
        """Unhealthy when it does not answer; else the worst of its probes."""
        began, now = perf_counter(), self._clock.now()
        try:
            absent = self._away()
            told = {} if absent else self._told(now)
        except PerfError as error:
            absent, told = str(error), {}
        evidence = {"answer_seconds": perf_counter() - began}
        if absent:
            return ProbeResult(name="owner", status=Status.UNHEALTHY, message=absent, ts=now, evidence=evidence)
        bad = [f"{name} is {status.value}" for name, status in sorted(told.items()) if status is not Status.HEALTHY]
        status = Status.worst([Status.HEALTHY, *told.values()])
        message = "; ".join(bad) or f"answers, and its {len(told)} probes are healthy"
        return ProbeResult(name="owner", status=status, message=message, ts=now, evidence=evidence)

    def _told(self, now: float) -> dict[str, Status]:
        """Probe of the owner -> what it said lately."""
        ranks = tuple(Status)
        return {
            labels["probe"]: ranks[int(info.last_value)]
            for info in self._series()
            if info.metric.name == STATUS
            and set(labels := dict(info.labels)) == {"probe"}
            and info.last_value is not None
            and 0 <= info.last_value < len(ranks)
            and now - (info.last_ts or 0.0) <= RECENT
        }
