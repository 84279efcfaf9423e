"""How incidents changed lately, in the order in which it was stored: for whoever follows along."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

import msgspec

from perf.model import Transition

MOST = 1_000


class Heard(msgspec.Struct, frozen=True):
    """What came after a number: each with its own; *newest* of all; *missed* when some are not remembered any more."""

    transitions: list[tuple[int, Transition]]
    newest: int
    missed: bool


class Transitions:
    """The newest changes, numbered from 1. Used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0
        self._kept: deque[tuple[int, Transition]] = deque(maxlen=MOST)

    def add(self, transitions: Iterable[Transition]) -> None:
        """Remember *transitions*, which are stored."""
        with self._lock:
            for one in transitions:
                self._newest += 1
                self._kept.append((self._newest, one))

    def since(self, number: int) -> Heard:
        """What came after *number*."""
        with self._lock:
            found = [pair for pair in self._kept if pair[0] > number]
            oldest = self._kept[0][0] if self._kept else 1
            return Heard(found, self._newest, missed=number > self._newest or number < oldest - 1)
