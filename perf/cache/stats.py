"""What a cache counts: exactly, cheaply on a hit, under a lock elsewhere."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from itertools import count

from perf.model import CacheStats, FunctionCounts, TierCounts, TierUsage

DIRECT = ""
"""The name under which questions that belong to no decorated function count."""
FUNCTIONS = 1_000
_CACHE = set(CacheStats.__struct_fields__) - {"name", "tiers", "functions", "saved_seconds", "load_seconds"}


_log = logging.getLogger(__name__)


class Tally:
    """A counter that any thread may tick without a lock: `tick` is one call into C, and can't lose a step."""

    def __init__(self) -> None:
        self.tick = count().__next__
        self._read = 0
        self._lock = threading.Lock()

    def forked(self) -> None:
        """In a child: nobody reads."""
        self._lock = threading.Lock()

    def value(self) -> int:
        """Ticks so far."""
        with self._lock:
            now = self.tick() - self._read  # Reading takes a step, too.
            self._read += 1
            return now


class FunctionTally:
    """What is counted for one function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hits = Tally()
        self.misses = self.loads = self.failures = 0
        self.load_seconds = 0.0

    def counts(self) -> FunctionCounts:
        """The counts so far."""
        return FunctionCounts(
            name=self.name,
            hits=self.hits.value(),
            misses=self.misses,
            loads=self.loads,
            load_seconds=self.load_seconds,
            failures=self.failures,
        )


class Counts:
    """All counters of one cache."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)
        self._tiers: dict[str, dict[str, int]] = {}
        self._refused: dict[str, dict[str, int]] = {}
        self._functions: dict[str, FunctionTally] = {}
        self._logged: set[tuple[str, str]] = set()
        self.direct = self.function(DIRECT)

    def forked(self) -> None:
        """In a child: nobody counts."""
        self._lock = threading.Lock()
        for function in self._functions.values():
            function.hits.forked()

    def function(self, name: str) -> FunctionTally:
        """The counters of function *name*; beyond a thousand names they share one."""
        with self._lock:
            if name not in self._functions and len(self._functions) > FUNCTIONS:
                name = DIRECT
            return self._functions.setdefault(name, FunctionTally(name))

    def add(self, what: str, amount: int = 1) -> None:
        """Count *what*, a field of `CacheStats`."""
        with self._lock:
            self._counts[what] += amount

    def survived(self, where: str, error: Exception) -> None:
        """Count *error* among `errors`; log it once for a type and place, as of texts there may be any number."""
        kind = where, type(error).__qualname__
        with self._lock:
            self._counts["errors"] += 1
            if kind in self._logged:
                return
            self._logged.add(kind)
        _log.error("%s failed (said once for a type)", where, exc_info=error)

    def tier(self, name: str, what: str, amount: int = 1) -> None:
        """Count *what*, a field of `TierCounts`, for tier *name*."""
        with self._lock:
            counts = self._tiers.setdefault(name, defaultdict(int))
            counts[what] += amount

    def refused(self, tier: str, reason: str) -> None:
        """Count an entry that *tier* did not take or give."""
        with self._lock:
            counts = self._refused.setdefault(tier, defaultdict(int))
            counts[reason] += 1

    def missed(self, function: FunctionTally, how: str) -> None:
        """Count a miss: *how* is absent, coalesced or led."""
        with self._lock:
            self._counts["misses"] += 1
            self._counts[how] += 1
            function.misses += 1

    def loaded(self, function: FunctionTally, seconds: float, *, failed: bool) -> None:
        """Count an execution of a factory."""
        with self._lock:
            if failed:
                function.failures += 1
            else:
                function.loads += 1
                function.load_seconds += seconds

    def stats(self, name: str, usages: Iterable[TierUsage], *, queued: int) -> CacheStats:
        """Everything so far."""
        with self._lock:
            counts = {what: number for what, number in self._counts.items() if what in _CACHE}
            tiers = {tier: dict(held) for tier, held in self._tiers.items()}
            refused = {tier: dict(held) for tier, held in self._refused.items()}
            tallies = list(self._functions.values())
        functions = tuple(tally.counts() for tally in tallies)
        outer_hits = sum(held.get("hits", 0) for held in tiers.values())
        hits = sum(function.hits for function in functions)
        memory = {"hits": hits - outer_hits, "misses": counts.get("misses", 0) + outer_hits}
        usages = list(usages)
        first = usages[0].name if usages else "memory"
        tiers[first] = {**memory, **tiers.get(first, {})}
        return CacheStats(
            name=name,
            **{**counts, "hits": hits, "queued": queued},
            loads=sum(function.loads for function in functions),
            failures=sum(function.failures for function in functions),
            load_seconds=sum(function.load_seconds for function in functions),
            saved_seconds=sum(function.saved_seconds for function in functions),
            tiers=tuple(
                TierCounts(
                    name=usage.name, **tiers.get(usage.name, {}), refused=refused.get(usage.name, {}), usage=usage
                )
                for usage in usages
            ),
            functions=tuple(function for function in functions if function.name or function.hits or function.misses),
        )
