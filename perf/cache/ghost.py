"""What the hit ratio would have been with another bound: the memory tier itself, run small over a sample of the keys.

A key is sampled by its hash, so all requests for it count or none (SHARDS: Waldspurger et al., FAST 2015). Each candidate bound is
played by a real `MemoryTier` of bound x rate that holds sizes instead of values (miniature simulation: Waldspurger et al., ATC 2017),
so the answer is about our policy and not about LRU. The rate halves when too many keys are sampled, or too many requests are seen.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import xxhash

from perf.cache.entry import Entry
from perf.cache.tiers.memory import MemoryTier
from perf.ports import Clock

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Candidate bounds, as multiples of the present one."""
MOST_KEYS = 2_048
"""Sampled keys at most: about 2 MB of ghosts."""
MOST_REQUESTS = 1_000.0
"""Requests a second that are followed: about 1 % of a core."""
ENOUGH_KEYS = 30
"""Sampled keys below which the answer would be a guess."""
_SPACE = 1 << 32
_BATCH = 64


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """The hit ratio (0 to 1) that a memory tier of *bound* bytes would have had; *scale* is its share of the present bound."""

    scale: float
    bound: int
    ratio: float


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What a sampled key saved: its hits, times what its newest load took (seconds)."""

    key: str
    hits: int
    seconds: float
    size: int


class Ghost:
    """Follows the sampled keys of one cache. Nothing here waits for a lock where callers pass: they leave a note."""

    def __init__(
        self,
        bound: int,
        clock: Clock,
        *,
        alive: Callable[[Entry, float], bool] | None = None,
        scales: Sequence[float] = SCALES,
        most_keys: int = MOST_KEYS,
        most_requests: float = MOST_REQUESTS,
    ) -> None:
        """*alive* says whether an entry could be served at a time (monotonic): one that is dead is a miss at any bound."""
        self.bound = bound
        self.scales = tuple(scales)
        self.limit = _SPACE
        self._clock = clock
        self._alive = alive or _fresh
        self._most_keys = most_keys
        self._most_requests = most_requests
        self._known: dict[str, Entry] = {}
        self._key_hits: dict[str, int] = {}
        self._tiers = [self._tier(scale) for scale in self.scales]
        self._hits = [0.0] * len(self.scales)
        self._asked = 0.0
        self._second = (0.0, 0)
        self._notes: deque[tuple[str, float, Entry | None]] = deque(maxlen=100 * _BATCH)
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """The share of all keys that is sampled."""
        return self.limit / _SPACE

    def sampled(self, key: str) -> bool:
        """Whether requests for *key* are followed. For where it is stored; a hit should remember the answer."""
        return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), 1) % _SPACE < self.limit

    def asked(self, key: str, now: float) -> None:
        """Somebody asked for *key*, a sampled one, at *now* (monotonic), and found it or not."""
        self._notes.append((key, now, None))
        if len(self._notes) >= _BATCH:
            self.turn()

    def kept(self, key: str, entry: Entry, now: float) -> None:
        """*entry* was stored under *key*, a sampled one."""
        self._notes.append((key, now, msgspec.structs.replace(entry, value=None, copier=None)))

    def turn(self) -> None:
        """Play what was noted; unless another thread does, or this one does already, below a finalizer."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._play()
        finally:
            self._lock.release()

    def answers(self, requests: float, ratio: float) -> list[WhatIf]:
        """What each candidate bound would have brought, the smallest first, given how many *requests* there were for all keys
        and the hit *ratio* of memory as it is; empty while there is too little to tell.
        """
        with self._lock:
            self._play()
            if not self._asked or not requests or len(self._known) < ENOUGH_KEYS:
                return []
            # A sample that misses, or holds, one of the hottest keys would be off by all its requests. Those are hits at any
            # bound, so the difference to the true number of requests is counted as hits (SHARDS-adj, the same paper).
            found = [(hits + requests - self._asked) / requests for hits in self._hits]
        # What remains is nearly the same at all bounds, and known at the present one.
        offset = ratio - found[self.scales.index(1.0)]
        return [
            WhatIf(scale=scale, bound=int(scale * self.bound), ratio=min(1.0, max(0.0, one + offset)))
            for scale, one in zip(self.scales, found, strict=True)
        ]

    def savings(self, count: int = 20) -> list[Saving]:
        """The sampled keys that saved most time, the first first; all keys are sampled while they are few."""
        with self._lock:
            self._play()
            found = [
                Saving(key=key, hits=hits, seconds=hits * entry.load_seconds, size=entry.size)
                for key, hits in self._key_hits.items()
                if (entry := self._known.get(key)) is not None
            ]
        return sorted(found, key=lambda one: (-one.seconds, -one.hits, one.key))[:count]

    def _play(self) -> None:
        for _ in range(len(self._notes)):
            key, now, entry = self._notes.popleft()
            if not self.sampled(key):
                continue  # The rate has fallen since.
            if entry is None:
                self._ask(key, now)
                continue
            self._known[key] = entry
            for tier in self._tiers:
                tier.put(key, entry)
            if len(self._known) > self._most_keys:
                self._halve()

    def _ask(self, key: str, now: float) -> None:
        self._brake(now)
        # A request stands for all those of the keys that aren't sampled, at the rate of its time.
        weight = 1.0 / self.rate
        self._asked += weight
        known = self._known.get(key)
        if known is None:
            return
        if not self._alive(known, now):
            self._forget(key)
            return
        self._key_hits[key] = self._key_hits.get(key, 0) + 1
        for place, tier in enumerate(self._tiers):
            if tier.get(key) is not None:
                self._hits[place] += weight
            else:
                tier.put(key, known)

    def _forget(self, key: str) -> None:
        for tier in self._tiers:
            tier.remove(key)

    def _brake(self, now: float) -> None:
        """Halve the rate after a second in which more was asked than may be followed."""
        began, count = self._second
        if now - began >= 1.0 or now < began:
            self._second = (now, 1)
            return
        self._second = (began, count + 1)
        if count >= self._most_requests:
            self._second = (now, 0)
            self._halve()

    def _halve(self) -> None:
        """Sample half as many keys: the miniature caches get half as large, and keep what is still sampled."""
        self.limit = max(1, self.limit // 2)
        self._known = {key: entry for key, entry in self._known.items() if self.sampled(key)}
        self._key_hits = {key: hits for key, hits in self._key_hits.items() if key in self._known}
        old, self._tiers = self._tiers, [self._tier(scale) for scale in self.scales]
        for before, after in zip(old, self._tiers, strict=True):
            for key, entry in before.items():
                if key in self._known:
                    after.put(key, entry)

    def _tier(self, scale: float) -> MemoryTier:
        return MemoryTier(max(1, int(self.bound * scale * self.rate)), self._clock)


def _fresh(entry: Entry, now: float) -> bool:
    return now < entry.fresh_until
