"""What is known of one channel while it is used: whether it works, how much it may still send, and what became of things."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import msgspec

from perf.model import ChannelStats, Queued

FAILURES = 3
"""Failures in a row after which a channel rests."""
LONGEST_PAUSE = 300.0
SPAN = 600.0
"""Seconds over which the rate of a channel is meant."""

_replace = msgspec.structs.replace


class Line:
    """Used by the sender's turn, and by the one thread that sends for this channel."""

    def __init__(self, name: str, rate: int, now: float, used: int = 0) -> None:
        """*rate* messages in `SPAN` seconds, of which *used* are gone at *now* (monotonic)."""
        self.name = name
        self.thread: threading.Thread | None = None
        self.recovered = False
        self._rate = float(rate)
        self._tokens = max(0.0, self._rate - used)
        self._filled = now
        self._rests_until = 0.0
        self._since: float | None = None
        self._failures = 0
        self._stats = ChannelStats(channel=name)

    @property
    def busy(self) -> bool:
        """Whether its thread is sending."""
        return self.thread is not None and self.thread.is_alive()

    def waits(self, now: float) -> bool:
        """Whether it rests at *now* (monotonic), or has used up its rate."""
        return now < self._rests_until or self._left(now) < 1.0

    def free(self, now: float) -> bool:
        """Whether it may be given something."""
        return not self.busy and not self.waits(now)

    def count(self, outcome: str, count: int, detail: str) -> None:
        """*count* notifications had *outcome* (as `perf.model.Delivery` has it)."""
        died = detail if outcome == "dead" else self._stats.died
        self._stats = _replace(self._stats, died=died, **{outcome: getattr(self._stats, outcome) + count})

    def delivered(self) -> None:
        """Something was taken; what failed before is tried at once."""
        self.recovered = self.recovered or self._since is not None
        self._failures, self._since, self._rests_until = 0, None, 0.0
        self._stats = _replace(self._stats, failing="")

    def failed(self, reason: str, now: float, retry_after: float | None) -> None:
        """Nothing was taken: rest for *retry_after* seconds if the receiver said so, else after some failures in a row for a
        quarter of the time since the first.
        """
        self._failures += 1
        self._stats = _replace(self._stats, failing=reason)
        self._since = now if self._since is None else self._since
        self.recovered = False
        if retry_after is not None:
            self._rests_until = now + min(retry_after, 3600.0)
        elif self._failures >= FAILURES:
            self._rests_until = now + max(5.0, min(LONGEST_PAUSE, (now - self._since) / 4))

    def portions(self, rows: Sequence[Queued], now: float) -> Iterable[list[Queued]]:
        """*rows* as messages: those of a group that are due at the same instant together, and when there are more messages
        than the rate allows, all that is left in the last.
        """
        groups: dict[tuple[str, float | None], list[Queued]] = {}
        for row in rows:
            groups.setdefault((row.notification.group, row.notification.not_before), []).append(row)
        waiting = list(groups.values())
        while waiting and self._left(now) >= 1.0:
            self._tokens -= 1.0
            if self._tokens < 1.0 and len(waiting) > 1:
                yield [row for group in waiting for row in group]
                return
            yield waiting.pop(0)

    def stats(self) -> ChannelStats:
        """What became of things so far."""
        return self._stats

    def _left(self, now: float) -> float:
        self._tokens = min(self._rate, self._tokens + (now - self._filled) * self._rate / SPAN)
        self._filled = now
        return self._tokens
