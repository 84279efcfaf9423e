"""What a tier that was away has still to hear: names to invalidate, each once, bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterable

EVERYTHING = "*"


class Recovery:
    """Names that wait; more than *bound* of them become ``*``, everything: none is ever dropped. May be used from any thread."""

    def __init__(self, bound: int = 10_000) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._names: dict[str, None] = {}
        self._out: tuple[str, ...] = ()
        self._count = 0
        """Of both: who asks without the lock must not look at one after the other, as names go from each to the other."""
        self.overflows = 0

    def add(self, names: Iterable[str]) -> None:
        """Keep *names* until they were taken, and taken for `done`."""
        with self._lock:
            if EVERYTHING in self._names:
                return
            self._names.update(dict.fromkeys(names))
            if EVERYTHING in self._names or len(self._names) > self._bound:
                self.overflows += EVERYTHING not in self._names
                self._names = {EVERYTHING: None}
            self._count = len(self._names) + len(self._out)

    def take(self) -> tuple[str, ...]:
        """All that wait, for the one who delivers them and then says `done`, or adds them again and says so."""
        with self._lock:
            self._out = tuple(self._names)
            self._names = {}
            self._count = len(self._out)
            return self._out

    def done(self) -> None:
        """What was taken is delivered, or was added again."""
        with self._lock:
            self._out = ()
            self._count = len(self._names)

    def covers(self, key: str) -> bool:
        """Whether one of them may mean *key*: nobody knows its tags."""
        if not len(self):
            return False
        with self._lock:
            names = (*self._out, *self._names)
        return any(name == EVERYTHING or name.startswith("t:") or name == f"k:{key}" for name in names)

    def forked(self) -> None:
        """In a child: whoever held the lock or delivered something is not here."""
        self._lock = threading.Lock()
        self._names = dict.fromkeys((*self._out, *self._names))
        self._out = ()
        self._count = len(self._names)

    def __len__(self) -> int:
        return self._count
