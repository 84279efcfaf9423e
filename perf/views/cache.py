"""Does the cache pay? What the caches of all programs answered, saved and threw away in a window."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perf.model import Labels, SeriesInfo, Window
from perf.ports import Store
from perf.views.counters import increases
from perf.views.series import newest

REQUESTS = "cache_requests_total"
LOADED = "load"
"""The tier of requests that no tier answered."""
OWN = "perf-dashboard"
"""The dashboard's cache of its own answers: shown when it is asked for by name, and else not among those of programs."""
_AGE = 60.0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one function (or of none: those that were set by name): requests, loads and times in seconds."""

    service: str
    cache: str
    function: str
    hits: float = 0.0
    misses: float = 0.0
    loads: float = 0.0
    failures: float = 0.0
    load_seconds: float = 0.0
    saved_seconds: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Hits among all requests; None without any."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    @property
    def mean(self) -> float | None:
        """Seconds of an average load; None without any."""
        return self.load_seconds / self.loads if self.loads else None


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What caches were worth in a window: requests by the tier that answered, seconds saved and spent, evictions by
    (tier, reason), and groups, the largest saving first.
    """

    served: dict[str, float]
    stale: float
    saved_seconds: float
    load_seconds: float
    evictions: dict[tuple[str, str], float]
    groups: list[Group]

    @property
    def requests(self) -> float:
        """All of them."""
        return sum(self.served.values())

    @property
    def ratio(self) -> float | None:
        """Requests that a tier answered, among all; None without any."""
        total = self.requests
        return 1.0 - self.served.get(LOADED, 0.0) / total if total else None


class TierNow(msgspec.Struct, frozen=True, kw_only=True):
    """A tier as it was when it was last heard of; *bound* is None for one without, *failing*: its breaker is open."""

    service: str
    cache: str
    tier: str
    bytes: float
    bound: float | None
    entries: float
    failing: bool


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """The hit ratio (0 to 1) of memory at *scale* times its bound, in bytes."""

    service: str
    cache: str
    scale: float
    bound: float | None
    ratio: float


def worth(store: Store, window: Window, cache: str = "") -> Worth:
    """What the caches called *cache* (those of programs without one) were worth in *window*."""
    served: dict[str, float] = {}
    stale = 0.0
    for labels, count in _grown(store, REQUESTS, window, cache):
        served[labels.get("tier", "")] = served.get(labels.get("tier", ""), 0.0) + count
        stale += count if labels.get("result") == "stale" else 0.0
    evictions: dict[tuple[str, str], float] = {}
    for labels, count in _grown(store, "cache_evictions_total", window, cache):
        key = labels.get("tier", ""), labels.get("reason", "")
        evictions[key] = evictions.get(key, 0.0) + count
    groups = _groups(store, window, cache)
    return Worth(
        served={tier: count for tier, count in served.items() if count},
        stale=stale,
        saved_seconds=sum(group.saved_seconds for group in groups),
        load_seconds=sum(group.load_seconds for group in groups),
        evictions={key: count for key, count in evictions.items() if count},
        groups=groups,
    )


def names(store: Store) -> list[str]:
    """Every cache that was ever heard of."""
    found = {dict(info.labels).get("cache", "") for info in store.series() if info.metric.name == REQUESTS}
    return sorted(found - {""})


def tiers(store: Store, now: float, cache: str = "") -> list[TierNow]:
    """The tiers of every cache that still reports, by service, cache and tier."""
    sizes, bounds, entries, breakers = (
        _newest(store, f"cache_{what}", now) for what in ("bytes", "bound_bytes", "entries", "breaker_state")
    )
    return [
        TierNow(
            service=dict(labels).get("service", ""),
            cache=dict(labels).get("cache", ""),
            tier=dict(labels).get("tier", ""),
            bytes=size,
            bound=bounds.get(labels),
            entries=entries.get(labels, 0.0),
            failing=breakers.get(labels, 0.0) > 0,
        )
        for labels, size in sorted(sizes.items())
        if _meant(dict(labels), cache)
    ]


def what_if(store: Store, now: float, cache: str = "") -> list[Simulated]:
    """What other bounds of memory would have brought, by service, cache and bound."""
    bounds = {
        (one.service, one.cache): one.bound for one in tiers(store, now, cache) if one.tier == "memory" and one.bound
    }
    found = []
    for labels, ratio in _newest(store, "cache_whatif_hit_ratio", now).items():
        told = dict(labels)
        if not _meant(told, cache):
            continue
        service, name, scale = told.get("service", ""), told.get("cache", ""), float(told["scale"])
        bound = bounds.get((service, name))
        found.append(Simulated(service=service, cache=name, scale=scale, bound=bound and bound * scale, ratio=ratio))
    return sorted(found, key=lambda one: (one.service, one.cache, one.scale))


def _groups(store: Store, window: Window, cache: str) -> list[Group]:
    """Every function that was asked for, the largest saving first."""
    sums: dict[tuple[str, str, str], dict[str, float]] = {}

    def add(field: str, labels: dict[str, str], count: float) -> None:
        key = labels.get("service", ""), labels.get("cache", ""), labels.get("function", "")
        of = sums.setdefault(key, {})
        of[field] = of.get(field, 0.0) + count

    for labels, count in _grown(store, "cache_function_requests_total", window, cache):
        add("hits" if labels.get("result") == "hit" else "misses", labels, count)
    for field, metric in (
        ("loads", "cache_loads_total"),
        ("failures", "cache_load_failures_total"),
        ("load_seconds", "cache_load_seconds_total"),
        ("saved_seconds", "cache_saved_seconds_total"),
    ):
        for labels, count in _grown(store, metric, window, cache):
            add(field, labels, count)
    groups = [
        Group(service=service, cache=name, function=function, **of)
        for (service, name, function), of in sums.items()
        if any(of.values())
    ]
    return sorted(groups, key=lambda one: (-one.saved_seconds, -one.hits, one.cache, one.function))


def _grown(store: Store, metric: str, window: Window, cache: str) -> list[tuple[dict[str, str], float]]:
    """(labels, increase) of every series of *metric* that belongs to *cache*."""
    if not any(info.metric.name == metric for info in store.series()):
        return []
    grown = ((dict(labels), count) for labels, count in increases(store, metric, window))
    return [(labels, count) for labels, count in grown if _meant(labels, cache)]


def _meant(labels: dict[str, str], cache: str) -> bool:
    """Whether a series with *labels* belongs to *cache*, or to any program's."""
    found = labels.get("cache", "")
    return found == cache if cache else found != OWN


def _newest(store: Store, metric: str, now: float) -> dict[Labels, float]:
    found: Sequence[SeriesInfo] = newest(store, metric, now, age=_AGE)
    return {info.labels: info.last_value for info in found if info.last_value is not None}
