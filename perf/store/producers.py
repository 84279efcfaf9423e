"""Who has sent what: the highest batch of each sender that is stored, and which senders may be forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perf.model import Batch
from perf.store.levels import MICRO

SILENCE = 30 * 86_400 * MICRO
"""After this long (microseconds) without a batch a sender is forgotten: no spool keeps one for a month."""
CAPACITY = 10_000
"""Senders that are remembered; beyond, those silent for longest are forgotten: each process of a program is one."""


class Producers:
    """Senders in memory. Times are microseconds."""

    def __init__(self, stored: Iterable[tuple[str, int, int]] = ()) -> None:
        """*stored*: (producer, sequence, when it was last seen), who was silent for longest first."""
        self._known = {producer: (seq, seen) for producer, seq, seen in stored}

    def note(self, batches: Sequence[Batch], seen: int) -> None:
        """These have been stored."""
        known = self._known
        for producer, seq in batches:
            highest, _ = known.pop(producer, (seq, 0))
            known[producer] = (max(seq, highest), seen)

    def highest(self) -> dict[str, int]:
        """Producer -> sequence, who was silent for longest first."""
        return {producer: seq for producer, (seq, _) in self._known.copy().items()}

    def silent(self, now: int) -> list[str]:
        """Who may be forgotten."""
        known = self._known
        surplus = max(0, len(known) - CAPACITY)
        return [
            producer
            for place, (producer, (_, seen)) in enumerate(known.items())
            if place < surplus or seen < now - SILENCE
        ]

    def forget(self, producers: Iterable[str]) -> None:
        """They are forgotten."""
        for producer in producers:
            self._known.pop(producer, None)


def highest(batches: Sequence[Batch]) -> dict[str, int]:
    """Producer -> the highest of its numbers among *batches*."""
    found: dict[str, int] = {}
    for producer, seq in batches:
        found[producer] = max(seq, found.get(producer, seq))
    return found
