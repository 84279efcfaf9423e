"""What keeps a value that was invalidated on its way from being stored: numbered invalidations, and who was under way."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from re import Pattern

from perf.cache.entry import ANY_TAG, Entry

TAGS = 65_536
"""Invalidated tags remembered one by one; beyond it the older half counts as invalidated for good."""


class Fence:
    """One value under way to *key*."""

    __slots__ = ("key", "mark", "moved", "superseded")

    def __init__(self, key: str, mark: int) -> None:
        self.key = key
        self.mark = mark
        self.moved = False
        self.superseded = False
        """Whether it was moved by a later value, which is in memory and on its way to the outer tiers."""


class Fences:
    """Invalidations of one process, numbered. Its *lock* makes storing and invalidating one after the other."""

    def __init__(self) -> None:
        # Re-entrant: what a stored value pushes out may have a __del__ that uses the cache.
        self.lock = threading.RLock()
        self.mark = 0
        self.tag_mark = 0
        """The number of the last invalidation of a tag."""
        self._tags: dict[str, int] = {}
        self._floor = 0
        self._open: dict[str, list[Fence]] = {}

    def open(self, key: str) -> Fence:
        """From now on an invalidation of *key* is noticed; end it with `close`."""
        with self.lock:
            fence = Fence(key, self.mark)
            self._open.setdefault(key, []).append(fence)
        return fence

    def again(self, fence: Fence) -> Fence:
        """Another fence that notices all that *fence*, still open, did and will."""
        with self.lock:
            other = self.open(fence.key)
            other.mark, other.moved, other.superseded = fence.mark, fence.moved, fence.superseded
        return other

    def close(self, fence: Fence) -> None:
        """The value has arrived, or won't."""
        with self.lock:
            fences = self._open.get(fence.key, [])
            if fence in fences:
                fences.remove(fence)
            if not fences:
                self._open.pop(fence.key, None)

    def forked(self) -> None:
        """In a child: nobody is under way."""
        self.lock = threading.RLock()
        self._open = {}

    def holds(self, fence: Fence, tags: tuple[str, ...]) -> bool:
        """Whether neither the key nor one of *tags* was invalidated since it was opened."""
        return not fence.moved and not (tags and self.outdated(fence.mark, tags))

    def valid(self, entry: Entry) -> bool:
        """Whether none of its tags was invalidated since it was loaded."""
        return not entry.tags or not self.outdated(entry.marks[0], entry.tags)

    def outdated(self, mark: int, tags: tuple[str, ...]) -> bool:
        """Whether one of *tags* was invalidated after *mark*."""
        if mark >= self.tag_mark:
            return False
        if mark < self._floor or ANY_TAG in tags:
            return True
        known = self._tags
        return any(known.get(tag, 0) > mark for tag in tags)

    def move_keys(self, keys: Iterable[str]) -> None:
        """Invalidate values under way to *keys*."""
        for key in keys:
            for fence in self._open.get(key, ()):
                fence.moved = True

    def supersede(self, *own: Fence) -> None:
        """Invalidate all other values under way to the key of *own*."""
        for fence in self._open.get(own[0].key, ()):
            if fence not in own:
                fence.moved = fence.superseded = True

    def move_tags(self, tags: Iterable[str]) -> None:
        """Invalidate all that has one of *tags*, in memory or under way."""
        self.mark += 1
        self.tag_mark = self.mark
        for tag in tags:
            self._tags.pop(tag, None)
            self._tags[tag] = self.mark
        if len(self._tags) > TAGS:
            for tag in list(self._tags)[: TAGS // 2]:
                self._floor = max(self._floor, self._tags.pop(tag))

    def move_matching(self, pattern: Pattern[str]) -> None:
        """Invalidate values under way to keys that *pattern* matches."""
        for key, fences in self._open.items():
            if pattern.match(key):
                for fence in fences:
                    fence.moved = True

    def move_all(self) -> None:
        """Invalidate whatever is under way."""
        for fences in self._open.values():
            for fence in fences:
                fence.moved = True
