"""What a probe noticed: the worst of it counts, and every reason is told."""

from __future__ import annotations

from perf.model import ProbeResult, Status
from perf.ports import Clock


class Findings:
    """Collects reasons and numbers during one check."""

    def __init__(self) -> None:
        self._reasons: list[tuple[Status, str]] = []
        self.evidence: dict[str, float] = {}

    def add(self, status: Status, reason: str) -> None:
        """*reason* is why it is *status*."""
        self._reasons.append((status, reason))

    def above(self, value: float, warning: float, critical: float, reason: str) -> None:
        """Degraded for *reason* when *value* is above *warning*, unhealthy above *critical*."""
        if value > warning:
            self.add(Status.UNHEALTHY if value > critical else Status.DEGRADED, reason)

    def slow(self, seconds: float, limit: float | None) -> None:
        """Degraded when it took longer than *limit*."""
        if limit is not None and seconds > limit:
            self.add(Status.DEGRADED, f"slow: {seconds:.3g} s (limit {limit:g} s)")

    def result(self, calm: str, clock: Clock) -> ProbeResult:
        """The verdict; *calm* is said when there is nothing to notice. The checker gives the name."""
        status = Status.worst([Status.HEALTHY, *(status for status, _ in self._reasons)])
        reasons = sorted(self._reasons, key=lambda one: -one[0].rank)
        message = "; ".join(reason for _, reason in reasons) or calm
        return ProbeResult(name="", status=status, message=message, ts=clock.now(), evidence=self.evidence)


def failed(status: Status, message: str, clock: Clock) -> ProbeResult:
    """A verdict with one reason and no numbers."""
    return ProbeResult(name="", status=status, message=message, ts=clock.now())
