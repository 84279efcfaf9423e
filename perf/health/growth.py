"""Did a counter grow lately? Lets a probe show one error for a while instead of for one check."""

from __future__ import annotations

SHOWN_SECONDS = 60.0


class Growth:
    """Remembers when named counters last grew. The first value seen counts as growth from zero."""

    def __init__(self, seconds: float = SHOWN_SECONDS) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[int, float]] = {}

    def seen(self, name: str, count: int) -> None:
        """The counter *name* stood at *count* before anybody looked: that is no growth."""
        self._seen[name] = (count, float("-inf"))

    def recent(self, name: str, count: int, monotonic: float) -> bool:
        """Whether the counter *name*, now *count*, grew within the last *seconds* before *monotonic*."""
        before, since = self._seen.get(name, (0, float("-inf")))
        if count != before:
            since = monotonic if count > before else float("-inf")
            self._seen[name] = (count, since)
        return monotonic - since < self._seconds
