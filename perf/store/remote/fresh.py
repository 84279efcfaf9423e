"""Answers that a page asks for again and again (every series, rules, overrides), held for a moment and shared by who asks meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from perf.ports import Clock

FRESH = 1.0
"""Seconds: what another process changes is seen after that at the latest."""
_T = TypeVar("_T")


class Fresh:
    """What was answered lately, by the path of the question. May be used from any thread."""

    def __init__(self, clock: Clock, seconds: float = FRESH) -> None:
        self._now = clock.monotonic
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Any]] = {}  # Any: answers of every type
        self._asking: dict[str, threading.Lock] = {}
        self._changes = 0

    def of(self, path: str, ask: Callable[[], _T]) -> _T:
        """What is held for *path*, else the answer to *ask*: one at a time asks, and the others get its answer."""
        found = self._held.get(path)
        if found is None or self._now() - found[0] >= self._seconds:
            with self._lock:
                asking = self._asking.setdefault(path, threading.Lock())
            with asking:
                found = self._held.get(path)
                if found is None or self._now() - found[0] >= self._seconds:
                    found = self._asked(path, ask)
        return cast(_T, found[1])

    def forget(self) -> None:
        """Hold nothing any more: who has changed something must see it at once."""
        with self._lock:
            self._changes += 1
            self._held.clear()

    def forked(self) -> None:
        """In a child: whoever held a lock is not here."""
        self._lock, self._asking = threading.Lock(), {}

    def _asked(self, path: str, ask: Callable[[], object]) -> tuple[float, object]:
        changes, began = self._changes, self._now()
        found = began, ask()
        with self._lock:
            if changes == self._changes:  # else the answer may be from before the change
                self._held[path] = found
        return found
