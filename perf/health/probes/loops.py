"""Are the loops of this process alive? The monitor monitors itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.health.growth import Growth
from perf.model import Beat, ProbeResult, Status
from perf.ports import Clock


def overdue(beat: Beat, monotonic: float) -> float:
    """Seconds since the beat of a loop that is late; 0 when it is on time."""
    age = monotonic - beat.last
    return age if age > max(3 * beat.interval, beat.interval + 5.0) else 0.0


def dead(beats: Sequence[Beat], monotonic: float) -> list[str]:
    """One sentence for each loop that won't come back: silent for 10 intervals and at least a minute more than one."""
    return [
        f"loop {beat.name} gave no sign of life for {monotonic - beat.last:.0f} s (it runs every {beat.interval:g} s)"
        for beat in beats
        if monotonic - beat.last > max(10 * beat.interval, beat.interval + 60.0)
    ]


class LoopsProbe:
    """Every loop reported in time and none failed in the last minute.

    *problems* adds sentences about what inside a loop doesn't work (a source that fails, say).
    """

    def __init__(
        self, beats: Callable[[], Sequence[Beat]], clock: Clock, *, problems: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._beats, self._clock, self._problems = beats, clock, problems
        self._failures = Growth()

    def check(self) -> ProbeResult:
        """Late or failing loops are degraded, dead ones unhealthy; no loop at all is unhealthy."""
        monotonic = self._clock.monotonic()
        beats = list(self._beats())
        gone = dead(beats, monotonic)
        late = [
            f"loop {beat.name} is late: {overdue(beat, monotonic):.0f} s since its last tick, every {beat.interval:g} s"
            for beat in beats
            if overdue(beat, monotonic)
        ]
        failing = [
            f"loop {beat.name} fails ({beat.errors} errors)"
            for beat in beats
            if self._failures.recent(beat.name, beat.errors, monotonic)
        ]
        reasons = (gone or late) + failing + list(self._problems())
        if not beats:
            reasons.append("no loop runs")
        status = Status.UNHEALTHY if gone or not beats else Status.DEGRADED if reasons else Status.HEALTHY
        return ProbeResult(
            name="loops",
            status=status,
            message="; ".join(reasons) or f"{len(beats)} loops run on time",
            ts=self._clock.now(),
            evidence={
                "loops": float(len(beats)),
                "oldest_beat_seconds": max((monotonic - beat.last for beat in beats), default=0.0),
                "errors": float(sum(beat.errors for beat in beats)),
            },
        )
