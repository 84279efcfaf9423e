"""Keeps askers from an owner that does not answer: they are told at once, and one of them tries again in a while."""

from __future__ import annotations

import random
import threading

import msgspec

from perf.ports import Clock

SHORTEST, LONGEST = 0.25, 5.0
"""Seconds from a failure to the next try; they double while it goes on."""


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """Why nobody answers, since when (Unix seconds), and when the next try is due (monotonic seconds)."""

    reason: str
    since: float
    again: float


class Presence:
    """Whether an owner answers, as far as the newest try tells. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._absence: Absence | None = None
        self._pause = SHORTEST

    @property
    def absence(self) -> Absence | None:
        """What is known of an owner that does not answer; None while it does."""
        return self._absence

    def kept_away(self) -> Absence | None:
        """Why not to ask now; None when the caller is to ask, and to tell how it went."""
        if self._absence is None:
            return None
        with self._lock:
            absence, now = self._absence, self._clock.monotonic()
            if absence is None or now < absence.again:
                return absence
            # One asker tries; the others wait until it knows, or for one pause more.
            self._absence = msgspec.structs.replace(absence, again=now + self._pause)
            return None

    def forked(self) -> None:
        """In a child: whoever held the lock is not here."""
        self._lock = threading.Lock()

    def answered(self) -> None:
        """It answered."""
        if self._absence is not None:
            with self._lock:
                self._absence, self._pause = None, SHORTEST

    def failed(self, reason: str) -> None:
        """It did not, because of *reason*."""
        with self._lock:
            before, now = self._absence, self._clock.monotonic()
            if before is not None:
                self._pause = min(2 * self._pause, LONGEST)
            since = self._clock.now() if before is None else before.since
            again = now + self._pause * random.uniform(0.75, 1.0)
            self._absence = Absence(reason=reason, since=since, again=again)
