"""What a cache holds and did: what its tiers and its backplane hand each other, and its statistics."""

from __future__ import annotations

import msgspec


class Held(msgspec.Struct, frozen=True):
    """A sealed value on its way to or from an outer tier."""

    data: bytes | memoryview
    fresh: float
    """Seconds left from now until it is stale; negative when it is stale already, inf for ever."""
    stale: float
    """Seconds left from now until it is gone."""


class TierUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier holds."""

    name: str
    entries: int
    bytes: int
    bound: int
    """In bytes; 0 when the tier has none of its own."""
    evictions: dict[str, int] = {}
    """Reason (size, expired, invalidated, corrupt, ...) -> entries."""
    state: str = ""
    """Empty when all is well; otherwise what is wrong: ``read-only: no space left``, ``open``."""
    waiting: int = 0
    """Invalidations that it has yet to hear."""


class Said(msgspec.Struct, frozen=True):
    """What one cache tells the others on its backplane."""

    names: tuple[str, ...]
    """``k:<key>``, ``t:<tag>``, ``p:<pattern>`` or ``*`` for everything."""


class TierCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What one tier was asked, and how it answered."""

    name: str
    hits: int = 0
    stale_hits: int = 0
    negative_hits: int = 0
    misses: int = 0
    sets: int = 0
    set_bytes: int = 0
    errors: int = 0
    refused: dict[str, int] = {}
    """Reason (fenced, oversize, unencodable, corrupt, foreign, forged, codec) -> entries that it did not take or give."""
    usage: TierUsage | None = None


class FunctionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache did for one decorated function."""

    name: str
    hits: int = 0
    misses: int = 0
    loads: int = 0
    load_seconds: float = 0.0
    failures: int = 0

    @property
    def saved_seconds(self) -> float:
        """Hits times the mean time of a load."""
        return self.hits * self.load_seconds / self.loads if self.loads else 0.0


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a cache did since it was made. Every question counts once among hits, stale_hits, negative_hits and misses;
    every miss once among absent, coalesced and led.
    """

    name: str
    hits: int = 0
    """Answered with a fresh value by any tier."""
    stale_hits: int = 0
    negative_hits: int = 0
    """Answered with a remembered None."""
    misses: int = 0
    absent: int = 0
    """Misses of questions without a factory."""
    coalesced: int = 0
    """Misses that waited for the load of another."""
    led: int = 0
    """Misses that ran the factory."""
    sets: int = 0
    """Values stored by a caller; not those loaded."""
    loads: int = 0
    """Executions of a factory that returned."""
    failures: int = 0
    """Executions of a factory that raised."""
    load_seconds: float = 0.0
    fenced: int = 0
    """Values that were not stored, because they were invalidated on the way."""
    fail_safe: int = 0
    """Failed loads that were covered with a stale value."""
    soft_timeouts: int = 0
    hard_timeouts: int = 0
    eager_refreshes: int = 0
    invalidations: int = 0
    unencodable: int = 0
    """Values that no codec can hold; they stay in memory."""
    uncacheable: int = 0
    """Values larger than the bound of memory allows."""
    gaps: int = 0
    """Times that the backplane missed something, and memory was emptied."""
    queued: int = 0
    dropped: int = 0
    """Writes to outer tiers that did not fit into the background queue."""
    errors: int = 0
    """Failures of tiers and of the cache itself; logged once each."""
    saved_seconds: float = 0.0
    """Hits times the mean time of a load, summed over functions."""
    tiers: tuple[TierCounts, ...] = ()
    functions: tuple[FunctionCounts, ...] = ()

    @property
    def answered(self) -> int:
        """Questions answered without waiting for a factory."""
        return self.hits + self.stale_hits + self.negative_hits

    @property
    def hit_ratio(self) -> float | None:
        """Answered among all questions; None before the first."""
        asked = self.answered + self.misses
        return self.answered / asked if asked else None
