"""The statistics of this process's caches as metrics: read before every drain, so that counting stays cheap where it is hot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from perf.model import CacheStats, FunctionCounts, Kind, Labels, Metric, TierCounts, TierUsage
from perf.record import Recorder, current

if TYPE_CHECKING:
    from perf.cache.events import CacheEvent
    from perf.cache.threaded import Threaded

REQUESTS = Metric(
    "cache_requests_total", Kind.COUNTER, "1", "Requests by the tier that answered (load: none did) and by result."
)
SETS = Metric("cache_sets_total", Kind.COUNTER, "1", "Values stored, by tier.")
LOADS = Metric("cache_loads_total", Kind.COUNTER, "1", "Executions of a factory, by function.")
LOAD_SECONDS = Metric("cache_load_seconds_total", Kind.COUNTER, "s", "Time that factories took, by function.")
FAILURES = Metric("cache_load_failures_total", Kind.COUNTER, "1", "Executions of a factory that raised, by function.")
SAVED = Metric("cache_saved_seconds_total", Kind.COUNTER, "s", "Hits times the mean time of a load, by function.")
FUNCTION = Metric("cache_function_requests_total", Kind.COUNTER, "1", "Requests of a cached function, by result.")
COALESCED = Metric("cache_coalesced_total", Kind.COUNTER, "1", "Callers that waited for somebody else's load.")
FENCED = Metric("cache_fenced_total", Kind.COUNTER, "1", "Loaded values not stored: invalidated while they loaded.")
FAIL_SAFE = Metric("cache_fail_safe_total", Kind.COUNTER, "1", "Stale values served instead of an error.")
TIMEOUTS = Metric("cache_timeouts_total", Kind.COUNTER, "1", "Factories not waited for any longer, by kind of timeout.")
DROPPED = Metric("cache_dropped_total", Kind.COUNTER, "1", "Writes to outer tiers that found no room in the queue.")
GAPS = Metric("cache_backplane_gaps_total", Kind.COUNTER, "1", "Times that announcements were missed: memory emptied.")
EVICTIONS = Metric("cache_evictions_total", Kind.COUNTER, "1", "Entries that left a tier, by reason.")
FORGED = Metric("cache_authentication_failures_total", Kind.COUNTER, "1", "Entries whose seal was not ours, by tier.")
CORRUPT = Metric("cache_corrupt_total", Kind.COUNTER, "1", "Damaged or foreign entries, by tier.")
OVERSIZE = Metric("cache_oversize_total", Kind.COUNTER, "1", "Values too large for a tier.")
TIER_ERRORS = Metric("cache_tier_errors_total", Kind.COUNTER, "1", "Requests that a tier failed to answer.")
QUEUE = Metric("cache_queue_depth", Kind.GAUGE, "1", "Writes to outer tiers that wait.")
RECOVERY = Metric("cache_recovery_queue", Kind.GAUGE, "1", "Invalidations that an outer tier has yet to hear.")
BYTES = Metric("cache_bytes", Kind.GAUGE, "By", "Size of what a tier holds.")
BOUND = Metric("cache_bound_bytes", Kind.GAUGE, "By", "What a tier may hold.")
ENTRIES = Metric("cache_entries", Kind.GAUGE, "1", "Values that a tier holds.")
BREAKER = Metric("cache_breaker_state", Kind.GAUGE, "1", "0: the tier is used; 1: it isn't, because it fails.")
HIT = Metric("cache_hit_percent", Kind.GAUGE, "%", "Hits among the requests since the reading before.")
LOAD = Metric("cache_load_duration_seconds", Kind.HISTOGRAM, "s", "Time that a factory took.")
TIER_SECONDS = Metric(
    "cache_tier_duration_seconds", Kind.HISTOGRAM, "s", "Time that an outer tier took, by operation: read or write."
)
WHAT_IF = Metric(
    "cache_whatif_hit_ratio", Kind.GAUGE, "1", "Hit ratio of memory at a multiple of its bound, simulated."
)

USAGE_SECONDS = 10.0

_REASONS = {"corrupt": CORRUPT, "foreign": CORRUPT, "codec": CORRUPT, "forged": FORGED, "oversize": OVERSIZE}
_Key: TypeAlias = tuple[Metric, Labels]


class Following:
    """Brings the series of *recorder* up to date with what the followed caches count. They are held weakly."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._told: WeakKeyDictionary[Threaded, dict[_Key, float]] = WeakKeyDictionary()
        self._usages: WeakKeyDictionary[Threaded, tuple[float, list[TierUsage]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def follow(self, cache: Threaded) -> None:
        """Tell the statistics of *cache* from now on."""
        with self._lock:
            self._told.setdefault(cache, {})
        cache.events.on("loaded", self._recording(cache.namespace))
        cache.outer.timed.append(self._timing(cache.namespace))
        self._recorder.polls.add(self.poll)

    def caches(self) -> list[Threaded]:
        """Those that are followed and still there."""
        with self._lock:
            return list(self._told)

    def poll(self) -> None:
        """One reading of every cache."""
        with self._lock:
            found = list(self._told.items())
        present: dict[_Key, float] = {}
        answered: dict[str, tuple[float, float]] = {}
        for cache, told in found:
            stats = self._read(cache)
            hits, asked = self._counted(told, stats)
            before = answered.get(stats.name, (0.0, 0.0))
            answered[stats.name] = before[0] + hits, before[1] + asked
            for key, value in gauges(stats):
                # Caches of one name are shown as one.
                present[key] = present.get(key, 0.0) + value
            present.update(what_if(cache, stats))
        for name, (hits, asked) in answered.items():
            if asked:
                present[HIT, _labels(cache=name)] = 100.0 * hits / asked
        for (metric, labels), value in present.items():
            self._recorder.gauge(metric, dict(labels)).set(value)

    def _read(self, cache: Threaded) -> CacheStats:
        """Its statistics; what outer tiers hold is asked every ten seconds only, as it may take them a request."""
        now = self._recorder.clock.monotonic()
        when, usages = self._usages.get(cache, (0.0, []))
        if not usages or not 0.0 <= now - when < USAGE_SECONDS:
            usages = cache.outer.usages()
            self._usages[cache] = now, usages
        return cache.stats([cache.local.memory.usage(), *usages])

    def _counted(self, told: dict[_Key, float], stats: CacheStats) -> tuple[float, float]:
        """Bring the counters up to date; hits and requests since the reading before."""
        hits = asked = 0.0
        for key, value in counters(stats):
            grown = self._count(told, key, value)
            if key[0] is REQUESTS:
                asked += grown
                hits += 0.0 if ("tier", "load") in key[1] else grown
        self._save(told, stats)
        return hits, asked

    def _recording(self, name: str) -> Callable[[CacheEvent], None]:
        observe = self._recorder.distribution(LOAD, {"cache": name}).record
        return lambda event: observe(event.seconds)

    def _timing(self, name: str) -> Callable[[str, str, float], None]:
        distribution = self._recorder.distribution
        return lambda tier, what, seconds: distribution(
            TIER_SECONDS, {"cache": name, "operation": what, "tier": tier}
        ).record(seconds)

    def _count(self, told: dict[_Key, float], key: _Key, value: float) -> float:
        grown = value - told.get(key, 0.0)
        if grown <= 0:
            return 0.0
        told[key] = value
        self._recorder.counter(key[0], dict(key[1])).add(grown)
        return grown

    def _save(self, told: dict[_Key, float], stats: CacheStats) -> None:
        """The hits since the last reading at the mean time of a load as it is now: so the sum never falls."""
        for function in stats.functions:
            key = (SAVED, _labels(cache=stats.name, function=function.name))
            hits = function.hits - told.get(key, 0.0)
            if hits > 0 and function.loads:
                told[key] = function.hits
                self._recorder.counter(SAVED, dict(key[1])).add(hits * function.load_seconds / function.loads)


def counters(stats: CacheStats) -> Iterator[tuple[_Key, float]]:
    """Everything in *stats* that only grows."""
    name = stats.name
    own = {
        COALESCED: stats.coalesced,
        FENCED: stats.fenced,
        FAIL_SAFE: stats.fail_safe,
        DROPPED: stats.dropped,
        GAPS: stats.gaps,
    }
    for metric, value in own.items():
        yield (metric, _labels(cache=name)), float(value)
    for kind, count in (("soft", stats.soft_timeouts), ("hard", stats.hard_timeouts)):
        yield (TIMEOUTS, _labels(cache=name, kind=kind)), float(count)
    yield from _requests(stats)
    for tier in stats.tiers:
        yield from _tier(name, tier)
    for function in stats.functions:
        yield from _function(name, function)


def _requests(stats: CacheStats) -> Iterator[tuple[_Key, float]]:
    """Every request once, at the tier that answered it; a stale answer comes from memory."""
    for place, tier in enumerate(stats.tiers):
        elsewhere = sum(other.negative_hits for other in stats.tiers[1:])
        results = {
            "hit": tier.hits,
            "negative": tier.negative_hits if place else stats.negative_hits - elsewhere,
            "stale": 0 if place else stats.stale_hits,
        }
        for result, count in results.items():
            yield (REQUESTS, _labels(cache=stats.name, result=result, tier=tier.name)), float(count)
    yield (REQUESTS, _labels(cache=stats.name, result="miss", tier="load")), float(stats.misses)


def gauges(stats: CacheStats) -> Iterator[tuple[_Key, float]]:
    """Everything in *stats* that is as it is now."""
    yield (QUEUE, _labels(cache=stats.name)), float(stats.queued)
    for place, tier in enumerate(stats.tiers):
        usage = tier.usage
        if usage is None:
            continue
        labels = _labels(cache=stats.name, tier=tier.name)
        yield (BYTES, labels), float(usage.bytes)
        yield (ENTRIES, labels), float(usage.entries)
        yield (BREAKER, labels), 1.0 if usage.state else 0.0
        if usage.bound:
            yield (BOUND, labels), float(usage.bound)
        if place:
            yield (RECOVERY, labels), float(usage.waiting)


def what_if(cache: Threaded, stats: CacheStats) -> Iterator[tuple[_Key, float]]:
    """The hit ratio of memory at multiples of its bound."""
    memory = next((tier for tier in stats.tiers if tier.name == "memory"), None)
    requests = stats.hits + stats.misses
    if memory is not None and requests:
        for one in cache.local.ghost.answers(requests, memory.hits / requests):
            yield (WHAT_IF, _labels(cache=stats.name, scale=f"{one.scale:g}")), one.ratio


def _tier(name: str, tier: TierCounts) -> Iterator[tuple[_Key, float]]:
    labels = _labels(cache=name, tier=tier.name)
    yield (SETS, labels), float(tier.sets)
    yield (TIER_ERRORS, labels), float(tier.errors)
    refused: dict[Metric, float] = {}
    for reason, count in tier.refused.items():
        if (metric := _REASONS.get(reason)) is not None:
            refused[metric] = refused.get(metric, 0.0) + count
    for metric, value in refused.items():
        yield (metric, labels), value
    for reason, count in (tier.usage.evictions if tier.usage else {}).items():
        yield (EVICTIONS, _labels(cache=name, reason=reason, tier=tier.name)), float(count)


def _function(name: str, function: FunctionCounts) -> Iterator[tuple[_Key, float]]:
    labels = _labels(cache=name, function=function.name)
    for result, count in (("hit", function.hits), ("miss", function.misses)):
        yield (FUNCTION, _labels(cache=name, function=function.name, result=result)), float(count)
    yield (LOADS, labels), float(function.loads)
    yield (LOAD_SECONDS, labels), function.load_seconds
    yield (FAILURES, labels), float(function.failures)


def _labels(**labels: str) -> Labels:
    return tuple(labels.items())


def following() -> Following:
    """The process's own."""
    global _following  # noqa: PLW0603 - the one process-wide value; tests make their own.
    with _making:
        if _following is None:
            _following = Following(current())
        return _following


_making = threading.Lock()
_following: Following | None = None
