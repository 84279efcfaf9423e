"""Is there room: for the store on its volume, and on every mounted file system?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from perf.errors import PerfError
from perf.model import ProbeResult, Selector, SeriesInfo, Status, StoreUsage, Threshold
from perf.ports import Clock

USAGE = "disk_usage_percent"
STALE_AFTER = 180.0
"""Seconds without a sample after which a mount counts as gone."""


class DiskProbe:
    """The store's volume has more than *floor* bytes free and no mount is fuller than its threshold.

    *latest* answers the series of a selector with their newest values.
    """

    def __init__(
        self,
        usage: Callable[[], StoreUsage],
        latest: Callable[[Selector], Sequence[SeriesInfo]],
        thresholds: Callable[[], Mapping[str, Threshold]],
        clock: Clock,
        *,
        floor: int,
    ) -> None:
        self._usage, self._latest, self._thresholds, self._clock, self._floor = usage, latest, thresholds, clock, floor

    def check(self) -> ProbeResult:
        """Below the floor is unhealthy, below twice the floor degraded; mounts by their threshold."""
        now = self._clock.now()
        try:
            free = self._usage().free_bytes
        except (OSError, PerfError) as error:
            return ProbeResult(name="disk", status=Status.UNKNOWN, message=f"could not look: {error}", ts=now)
        states, reasons = self._space(free)
        evidence = {} if free is None else {"store_free_bytes": float(free)}
        limit = self._thresholds().get(USAGE)
        for mount, percent in self._mounts(now):
            evidence[f"{USAGE}:{mount}"] = percent
            state = limit.status(percent) if limit else Status.HEALTHY
            states.append(state)
            if limit and state is not Status.HEALTHY:
                crossed = limit.critical if state is Status.UNHEALTHY else limit.warning
                reasons.append(f"{mount} is {percent:.1f} % full (limit {crossed:g} %)")
        status = Status.worst(states)
        message = "; ".join(reasons) or ("nothing was measured" if status is Status.UNKNOWN else self._calm(free))
        return ProbeResult(name="disk", status=status, message=message, ts=now, evidence=evidence)

    def _space(self, free: int | None) -> tuple[list[Status], list[str]]:
        if free is None:
            return [], []
        room = f"{free / 2**20:.0f} MiB free for the store"
        if free < self._floor:
            return [Status.UNHEALTHY], [f"{room}, below the floor of {self._floor / 2**20:.0f} MiB"]
        if free < 2 * self._floor:
            return [Status.DEGRADED], [f"{room}, close to the floor of {self._floor / 2**20:.0f} MiB"]
        return [Status.HEALTHY], []

    def _mounts(self, now: float) -> list[tuple[str, float]]:
        return [
            (dict(info.labels).get("mount", "?"), info.last_value)
            for info in self._latest(Selector(USAGE))
            if info.last_value is not None and info.last_ts is not None and now - info.last_ts <= STALE_AFTER
        ]

    @staticmethod
    def _calm(free: int | None) -> str:
        return "enough room on every disk" if free is None else f"{free / 2**30:.1f} GiB free for the store"
