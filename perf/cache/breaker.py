"""A circuit breaker: after failures it keeps callers away from a tier, and lets one of them try once in a while."""

from __future__ import annotations

import threading
from enum import StrEnum

from perf.ports import Clock

WINDOW = 10.0
"""Seconds in which failures add up."""


class BreakerState(StrEnum):
    """CLOSED: calls go through; OPEN: none does; HALF_OPEN: one is trying."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Opens after *failures* within ten seconds if at least as many calls failed as worked since the first of them.

    Open, it lets exactly one call through every *rest* seconds; when that one works it closes. May be used from any thread.
    """

    def __init__(self, clock: Clock, *, failures: int = 5, rest: float = 5.0) -> None:
        self._now = clock.monotonic
        self._bound = failures
        self._rest = rest
        self._lock = threading.Lock()
        self._closed = True
        self._probing = False
        self._next = 0.0
        self._first = 0.0
        self._failed = 0
        self._worked = 0
        self.opened = 0
        """Times that it opened."""

    def allows(self) -> bool:
        """Whether to call. Who is told so says `worked` or `failed` afterwards; who never does costs one rest."""
        if self._closed:
            return True
        if self._now() < self._next:
            return False
        return self._try()

    def worked(self) -> None:
        """A call worked. While open only that of the one who tries counts: others began before."""
        if self._closed and not self._failed:
            return
        with self._lock:
            if self._closed:
                self._worked += 1
            elif self._probing:
                self._closed, self._probing = True, False
                self._failed = self._worked = 0

    def failed(self, *, at_once: bool = False) -> None:
        """A call failed; *at_once*: reason enough to open, as a timeout is, which costs a caller more than an error does."""
        with self._lock:
            now = self._now()
            if not self._closed:
                self._probing = False
                self._next = max(self._next, now + self._rest)
                return
            if not self._failed or now - self._first > WINDOW:
                self._first, self._failed, self._worked = now, 0, 0
            self._failed += 1
            if at_once or (self._failed >= self._bound and self._failed >= self._worked):
                self._closed = False
                self._next = now + self._rest
                self.opened += 1

    def _try(self) -> bool:
        with self._lock:
            now = self._now()
            if not self._closed:
                if now < self._next:
                    return False
                self._next = now + self._rest
                self._probing = True
            return True

    def forked(self) -> None:
        """In a child: whoever held the lock is not here."""
        self._lock = threading.Lock()

    @property
    def state(self) -> BreakerState:
        """What it does now."""
        if self._closed:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probing else BreakerState.OPEN
