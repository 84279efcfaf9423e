"""What health checks said in the two weeks: perf's own, and those of a shop (shown where settings name them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from examples.demo.story import DAY, HOUR, MINUTE, Mask, Story, within
from perf.model import Array, ProbeResult, Status

_GRID = ((14 * DAY, MINUTE),)
_OWN = ("store", "resources", "disk", "loops", "application", "heartbeat")
_SHOP = ("gateway", "orders", "shop", "exports", "payments", "checkout")


def results(story: Story) -> list[ProbeResult]:
    """One a minute and check, and none while nothing ran; in the order of time."""
    ts = story.times(_GRID)
    ts = ts[ts < story.now]
    found = [result for name in (*_OWN, *_SHOP) for result in _course(name, ts, _trouble(name, story, ts))]
    return sorted(found, key=lambda result: result.ts)


def _trouble(name: str, story: Story, ts: Array) -> dict[Status, Mask]:
    """When a check was not healthy."""
    provider = within(ts, story.refusals) | within(ts, (story.now - 6.3 * DAY, story.now - 6.3 * DAY + 40 * MINUTE))
    slow = within(ts, story.newsletter)
    crash = within(ts, (story.now - 9.2 * DAY, story.now - 9.2 * DAY + 4 * MINUTE))
    late = within(ts, (story.now - 3.4 * DAY, story.now - 3.4 * DAY + 5 * HOUR)) | (ts > story.now - 2 * HOUR)
    return {
        "resources": {Status.DEGRADED: slow},
        "store": {Status.DEGRADED: within(ts, story.slow_store)},
        "payments": {Status.UNHEALTHY: provider | (ts > story.now - 11 * MINUTE)},
        "checkout": {Status.UNKNOWN: provider | crash | (ts > story.now - 11 * MINUTE)},
        "shop": {Status.DEGRADED: slow, Status.UNHEALTHY: crash},
        "exports": {Status.UNHEALTHY: late},
    }.get(name, {})


def _course(name: str, ts: Array, trouble: dict[Status, Mask]) -> Iterator[ProbeResult]:
    states: Sequence[Status] = list(Status)
    ranks = np.zeros(len(ts), np.int64)
    for status, mask in trouble.items():
        ranks[mask] = status.rank
    for at, rank in zip(ts.tolist(), ranks.tolist(), strict=True):
        yield ProbeResult(name=name, status=states[rank], message=_WORDS.get((name, rank), "fine"), ts=at, seconds=0.01)


_WORDS = {
    ("payments", Status.UNHEALTHY.rank): "answered 503 (expected below 400)",
    ("checkout", Status.UNKNOWN.rank): "not checked: payments is unhealthy",
    ("shop", Status.UNHEALTHY.rank): "Connection refused",
    ("shop", Status.DEGRADED.rank): "slow: 1.4 s (limit 1 s)",
    ("exports", Status.UNHEALTHY.rank): "the newest is 26 h old (limit 25 h)",
    ("resources", Status.DEGRADED.rank): "CPU was 86.1 % on average over the last 60 s (limit 80 %)",
}
