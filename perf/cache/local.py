"""What a cache knows in its own process: the memory tier, kept true by fences and by what the backplane says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from perf.cache.copying import shared
from perf.cache.entry import Entry
from perf.cache.fences import Fence, Fences
from perf.cache.ghost import Ghost
from perf.cache.names import compiled
from perf.cache.sizes import sizeof
from perf.cache.stats import Counts
from perf.cache.tiers.memory import MemoryTier
from perf.model import Said
from perf.ports import Backplane, Clock

EVERYTHING = "*"


def _nothing_new() -> bool:
    return False


class Local:
    """Entries of this process. *heard* is told what other caches announced (None: something was missed)."""

    def __init__(
        self,
        memory: MemoryTier,
        clock: Clock,
        counts: Counts,
        backplane: Backplane | None,
        heard: Callable[[Sequence[str] | None], None],
    ) -> None:
        self.memory = memory
        self.clock = clock
        self.fences = Fences()
        self.changed = backplane.changed if backplane is not None else _nothing_new
        self.hears = backplane is not None
        self._backplane = backplane
        self._counts = counts
        self._heard = heard
        self.ghost = Ghost(memory.usage().bound, clock, alive=self._alive)

    def lookup(self, key: str) -> Entry | None:
        """What memory holds under *key* and is still true, stale or not."""
        if self.changed():
            self.listen()
        entry = self.memory.get(key)
        if entry is None or (self.fences.valid(entry) and entry.stale_until > self.clock.monotonic()):
            return entry
        with self.fences.lock:
            if self.memory.look(key) is not None and self.memory.get(key) is entry:
                self.memory.remove(key)
        return None

    def kept(self, entry: Entry, *, copy: bool, own: bool = False) -> Entry:
        """*entry* with a value that nobody else can change, and its size; *own*: nobody else has it anyway."""
        try:
            copier = shared(entry.value) if copy else None
            value = entry.value if copier is None or own else copier(entry.value)
            return msgspec.structs.replace(entry, value=value, copier=copier, size=sizeof(value))
        except Exception as error:  # noqa: BLE001 - the edge: a host's value that can't be copied is handed to callers, not kept.
            self._counts.survived(f"keeping a value of type {type(entry.value).__name__}", error)
            return msgspec.structs.replace(entry, size=-1)

    def adopted(self, entry: Entry, *, copy: bool) -> Entry:
        """*entry* of an outer tier, or one that waits to be written there, which is kept already."""
        return entry if entry.size else self.kept(entry, copy=copy, own=True)

    def store(self, key: str, entry: Entry, fence: Fence, *, instead: Fence | None = None) -> bool:
        """Keep *entry* unless it was invalidated since *fence* was opened; False when it was.

        *instead*: another fence of the same value, which takes the place of all others that are under way.
        """
        self.hear()
        dropped: Entry | None = None  # It dies after the lock is released.
        with self.fences.lock:
            own = () if instead is None or fence.moved else (fence, instead)
            if own:
                self.fences.supersede(*own)
            if not self.fences.holds(fence, entry.tags):
                self._counts.add("fenced")
                if own:  # For one of its tags: what it takes the place of may have none.
                    dropped = self.memory.remove(key)
                return False
            if entry.size < 0:
                dropped = self.memory.remove(key)
            elif self.ghost.sampled(key):
                entry = entry.followed()
                self.ghost.kept(key, entry, self.clock.monotonic())
            if entry.size < 0 or not self.memory.put(key, entry):
                self._counts.add("uncacheable")
        del dropped
        return True

    def followed(self, key: str, entry: Entry, now: float) -> None:
        """Tell the ghost that *entry* was asked for; when it follows fewer keys by now, hits need no second look any more."""
        if self.ghost.sampled(key):
            self.ghost.asked(key, now)
            return
        with self.fences.lock:
            node = self.memory.look(key)
            if node is not None and node.entry is entry:
                self.memory.put(key, msgspec.structs.replace(entry, plain_until=entry.due, due_from=None))

    def forget(self, names: Iterable[str]) -> int:
        """Make what *names* mean untrue from now on; how many entries memory held under keys and patterns of them."""
        dropped: list[Entry | None] = []  # Values die after the lock is released.
        with self.fences.lock:
            for name in names:
                kind, _, what = name.partition(":")
                if name == EVERYTHING:
                    self.fences.move_all()
                    dropped += [entry for _, entry in self.memory.items()]
                    self.memory.clear()
                elif kind == "k":
                    self.fences.move_keys([what])
                    dropped.append(self.memory.remove(what))
                elif kind == "t":
                    self.fences.move_tags([what])
                elif kind == "p":
                    dropped += self._forget_matching(what)
        return sum(entry is not None for entry in dropped)

    def _forget_matching(self, pattern: str) -> list[Entry | None]:
        matching = compiled(pattern)
        self.fences.move_matching(matching)
        return [self.memory.remove(key) for key, _ in self.memory.items() if matching.match(key)]

    def _alive(self, entry: Entry, now: float) -> bool:
        return now < entry.fresh_until and self.fences.valid(entry)

    def hear(self) -> None:
        """Take in what other caches announced, if they did."""
        if self.changed():
            self.listen()

    def listen(self) -> None:
        """Take it in."""
        if self._backplane is None:
            return
        try:
            said = self._backplane.heard()
        except Exception as error:  # noqa: BLE001 - the edge: whatever the host's call missed may have been about anything.
            self._counts.survived("the backplane", error)
            said = None
        if said is None:
            self._counts.add("gaps")
            self._heard(None)
            self.forget([EVERYTHING])
        elif names := [name for one in said for name in one.names]:
            self.forget(names)
            self._heard(names)
            self.forget(names)

    def announce(self, names: Sequence[str]) -> None:
        """Tell other caches that what *names* mean is no longer true."""
        if self._backplane is None:
            return
        try:
            self._backplane.announce(Said(tuple(names)))
        except Exception as error:  # noqa: BLE001 - the edge: the host's call goes on; the next gap empties the others' memory.
            self._counts.survived("the backplane", error)
