"""Does what fires reach anybody?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.errors import PerfError
from perf.health.growth import Growth
from perf.model import ChannelStats, ProbeResult, Status, Waiting
from perf.ports import Clock

LATE = 300.0
"""Seconds that a notification may wait once it could be sent; a channel that fails rests for so long at most."""
SHOWN = 3600.0
"""Seconds for which a dead letter is told of."""
MANY = 1_000
"""Notifications that wait for one channel: more than a rule or two can have caused."""


class DeliveryProbe:
    """No notification was given up in the last hour, and none waits for long.

    *heartbeat* is how many beats in a row were not taken.
    """

    def __init__(
        self,
        stats: Callable[[], Sequence[ChannelStats]],
        waiting: Callable[[float], Sequence[Waiting]],
        heartbeat: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._stats, self._waiting, self._heartbeat, self._clock = stats, waiting, heartbeat, clock
        self._deaths = Growth(SHOWN)

    def check(self) -> ProbeResult:
        """Degraded, never unhealthy: what is served is served."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        stats = {one.channel: one for one in self._stats()}
        try:
            waiting = list(self._waiting(now))
        except (PerfError, OSError) as error:
            message = f"what waits can't be read: {error}"
            return ProbeResult(name="delivery", status=Status.DEGRADED, message=message, ts=now)
        reasons = [
            f"{one.channel}: {_notifications(one.dead)} given up since the start, the last one because: {one.died}"
            for one in stats.values()
            if self._deaths.recent(one.channel, one.dead, monotonic)
        ]
        ages = {one.channel: now - one.since for one in waiting if one.since is not None}
        for one in waiting:
            age = ages.get(one.channel, 0.0)
            if age > LATE or one.count > MANY:
                failing = stats[one.channel].failing if one.channel in stats else ""
                why = f": {failing}" if failing else ""
                reasons.append(
                    f"{one.channel}: {_notifications(one.count)} waiting, the first for {age / 60:.0f} min{why}"
                )
        if self._heartbeat():
            reasons.append(f"the heartbeat was not taken {self._heartbeat()} times in a row")
        return ProbeResult(
            name="delivery",
            status=Status.DEGRADED if reasons else Status.HEALTHY,
            message="; ".join(reasons) or "no notification waits for long",
            ts=now,
            evidence={
                "waiting": float(sum(one.count for one in waiting)),
                "oldest_seconds": max(ages.values(), default=0.0),
                "dead": float(sum(one.dead for one in stats.values())),
            },
        )


def _notifications(count: int) -> str:
    return f"{count:,} notification" + ("" if count == 1 else "s")
