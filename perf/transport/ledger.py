"""Which batches have come before: a sender that got no answer sends again, under the same number."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

PRODUCERS = 10_000


class Ledger(Protocol):
    """What is remembered of senders. A sender's batches come in order, so its highest number says everything."""

    def seen(self, producer: str, seq: int) -> bool:
        """Whether this batch, or a later one of its producer, has been stored."""

    def remember(self, producer: str, seq: int) -> None:
        """The batch has been stored."""


class MemoryLedger:
    """A ledger that forgets on exit, and the producers silent for longest when there are too many."""

    def __init__(self, capacity: int = PRODUCERS) -> None:
        self._capacity = capacity
        self._last: OrderedDict[str, int] = OrderedDict()

    def seen(self, producer: str, seq: int) -> bool:
        """Whether this batch, or a later one of its producer, has been stored."""
        return seq <= self._last.get(producer, -1)

    def remember(self, producer: str, seq: int) -> None:
        """The batch has been stored."""
        self._last[producer] = max(seq, self._last.get(producer, -1))
        self._last.move_to_end(producer)
        while len(self._last) > self._capacity:
            self._last.popitem(last=False)
