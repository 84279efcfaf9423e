"""Which batches have come before: a sender that got no answer sends again, under the same number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from perf.model import Batch

PRODUCERS = 10_000


class Ledger:
    """What is remembered of senders: a sender's batches come in order, so its highest number says everything.

    Forgets the producers silent for longest when there are too many. What must outlive the process is in the store.
    """

    def __init__(self, stored: Iterable[Batch] = (), *, capacity: int = PRODUCERS) -> None:
        """*stored*: each producer with its highest number, who was silent for longest first."""
        self._capacity = capacity
        self._last: OrderedDict[str, int] = OrderedDict()
        for producer, seq in stored:
            self.remember(producer, seq)

    def seen(self, producer: str, seq: int) -> bool:
        """Whether this batch, or a later one of its producer, has been stored."""
        return seq <= self._last.get(producer, -1)

    def remember(self, producer: str, seq: int) -> None:
        """The batch has been stored."""
        self._last[producer] = max(seq, self._last.get(producer, -1))
        self._last.move_to_end(producer)
        while len(self._last) > self._capacity:
            self._last.popitem(last=False)
