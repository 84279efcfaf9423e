"""The tier inside the process: values as they are, bounded in bytes, with the eviction of S3-FIFO (Yang et al., SOSP 2023).

A small queue takes newcomers; what is asked for again before it leaves moves to the main queue, the rest goes, and only a ghost of
its key stays for a while. So a flood of things asked for once, such as a dashboard's moving windows, doesn't displace what is in use.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import Literal

from perf.cache.entry import Entry
from perf.model.cached import TierUsage
from perf.ports import Clock

OVERHEAD = 600
"""Bytes charged for an entry besides its key and value: node, entry, places in two dicts, and the ghost it may leave behind."""

LARGEST_SHARE = 0.25
"""Of the bound, what one entry may take at most: a larger one would push out nearly everything else."""

SMALL_SHARE = 0.1
"""Of the bound, what newcomers may take before the oldest of them is looked at. The paper's value."""

_MOST_HITS = 3


class _Node:
    """An entry and its place. *hits* is written without a lock: losing one changes an eviction, not an answer."""

    __slots__ = ("charge", "entry", "hits", "key", "main")

    def __init__(self, key: str, entry: Entry, charge: int) -> None:
        self.key = key
        self.entry = entry
        self.charge = charge
        self.hits = 0
        self.main = False


_Change = _Node | str | Literal[0]
"""To be placed, a key to be removed, or 0: all to be removed."""


class MemoryTier:
    """Entries by key, at most *max_bytes* of them in all. May be used from any thread, and from finalizers while it evicts.

    It hands out what was put in, expired or not: who asks compares the deadlines.
    """

    name = "memory"

    def __init__(self, max_bytes: int, clock: Clock) -> None:
        self._bound = max_bytes
        self._clock = clock
        self._index: dict[str, _Node] = {}
        self._small: OrderedDict[str, _Node] = OrderedDict()
        self._main: OrderedDict[str, _Node] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._small_bytes = self._bytes = 0
        self._evictions: dict[str, int] = {}
        self._lock = threading.RLock()
        self._busy = False
        self._later: list[_Change] = []
        self.look = self._index.get

    def get(self, key: str) -> Entry | None:
        """The entry under *key*. Takes no lock."""
        node = self.look(key)
        if node is None:
            return None
        if node.hits < _MOST_HITS:
            node.hits += 1
        return node.entry

    def put(self, key: str, entry: Entry) -> bool:
        """Keep *entry*, charged with its size and `OVERHEAD`; False when it is larger than the bound allows.

        Either way nothing older stays under *key*.
        """
        charge = entry.size + sys.getsizeof(key) + OVERHEAD
        if charge > self._bound * LARGEST_SHARE:
            self.remove(key)
            self._count("oversize")
            return False
        self._change(_Node(key, entry, charge))
        return True

    def remove(self, key: str) -> Entry | None:
        """Forget *key*; what was under it."""
        node = self.look(key)
        if node is None:
            return None
        self._change(key)
        return node.entry

    def clear(self) -> None:
        """Forget everything."""
        self._change(0)

    def sweep(self) -> int:
        """Drop what is gone even as a stale value; how many there were. Without it they wait for their eviction."""
        now = self._clock.monotonic()
        gone = [key for key, entry in self.items() if entry.stale_until <= now]
        for key in gone:
            if self.remove(key) is not None:
                self._count("expired")
        return len(gone)

    def items(self) -> list[tuple[str, Entry]]:
        """All keys and entries, without counting as hits."""
        return [(node.key, node.entry) for node in list(self._index.values())]

    def usage(self) -> TierUsage:
        """What it holds; *bytes* is never above *bound*."""
        return TierUsage(
            name=self.name,
            entries=len(self._index),
            bytes=self._bytes,
            bound=self._bound,
            evictions=dict(self._evictions),
        )

    # A finalizer, a signal handler or the garbage collector may come in here while a change is under way in the same thread, and
    # then finds the queues half changed: what it wants is done when that change is complete. And no value is let go of while the
    # queues are half changed or the lock is held: those taken out die with `dead`, when `_change` returns.
    def _change(self, change: _Change) -> None:
        dead: list[_Node] = []
        with self._lock:
            self._later.append(change)
            if self._busy:
                return
            self._busy = True
            try:
                while self._later:
                    self._apply(self._later.pop(0), dead)
            finally:
                self._busy = False

    def _apply(self, change: _Change, dead: list[_Node]) -> None:
        if isinstance(change, _Node):
            self._place(change, dead)
        elif isinstance(change, str):
            old = self._index.get(change)
            if old is not None:
                self._drop(old, dead)
        else:
            dead.extend(self._index.values())
            for held in (self._index, self._small, self._main, self._ghosts):
                held.clear()
            self._small_bytes = self._bytes = 0

    def _place(self, node: _Node, dead: list[_Node]) -> None:
        old = self._index.get(node.key)
        if old is not None:
            node.hits, node.main = old.hits, old.main
            self._drop(old, dead)
        elif hash(node.key) in self._ghosts:
            del self._ghosts[hash(node.key)]
            node.main = True
        self._make_room(node.charge, dead)
        self._index[node.key] = node
        self._append(node)

    def _append(self, node: _Node) -> None:
        (self._main if node.main else self._small)[node.key] = node
        self._bytes += node.charge
        if not node.main:
            self._small_bytes += node.charge

    def _detach(self, node: _Node) -> None:
        del (self._main if node.main else self._small)[node.key]
        self._bytes -= node.charge
        if not node.main:
            self._small_bytes -= node.charge

    def _drop(self, node: _Node, dead: list[_Node]) -> None:
        dead.append(node)
        self._detach(node)
        del self._index[node.key]

    def _make_room(self, charge: int, dead: list[_Node]) -> None:
        if self._bytes + charge <= self._bound:
            return
        now = self._clock.monotonic()
        while self._bytes + charge > self._bound:
            small = self._small and (self._small_bytes > SMALL_SHARE * self._bound or not self._main)
            node = next(iter((self._small if small else self._main).values()))
            expired = node.entry.stale_until <= now
            if expired or not node.hits:
                self._evict(node, dead, "expired" if expired else "size")
                continue
            self._detach(node)
            node.hits = node.hits - 1 if node.main else 0
            node.main = True
            self._append(node)

    def _evict(self, node: _Node, dead: list[_Node], reason: str) -> None:
        self._drop(node, dead)
        self._count(reason)
        if not node.main and reason == "size":
            self._ghosts[hash(node.key)] = None
            while len(self._ghosts) > len(self._index) + 1:
                self._ghosts.popitem(last=False)

    def _count(self, reason: str) -> None:
        self._evictions[reason] = self._evictions.get(reason, 0) + 1
