"""Clocks: the system's, and one that tests move by hand. The only module that asks the system for the time."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Wall time in Unix seconds."""
        return time.time()

    # No method around it: a hit of a cache asks for the time, and would take a sixth longer.
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until moved."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        """Wall time in Unix seconds, as set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds moved so far."""
        return self._monotonic

    def move(self, seconds: float) -> None:
        """Let *seconds* pass on both sides."""
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward (or back) without time passing, as NTP or a person does."""
        self._now += seconds
