"""What the caches were worth, out of a store with known samples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perf.clock import ManualClock
from perf.model import Kind, Metric, Sample, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views import cache

NOW = 1_700_000_000.0
WINDOW = Window(NOW - 600.0, NOW)


def counted(metric: str, total: float, **labels: str) -> Iterator[Sample]:
    """A counter that goes from 0 to *total* in the window."""
    found = Metric(metric, Kind.COUNTER, "1")
    for at, value in ((-600.0, 0.0), (-300.0, total / 2), (-1.0, total)):
        yield Sample(NOW + at, found, tuple(sorted(labels.items())), value)


def gauged(metric: str, value: float, **labels: str) -> Sample:
    """A gauge that was just told."""
    return Sample(NOW - 1.0, Metric(metric), tuple(sorted(labels.items())), value)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    """Two caches: *shop* with three tiers, *reports* with memory only."""
    found = MemoryStore(StoreSettings(), clock)
    of = {"cache": "shop", "function": "shop.orders", "service": "web"}
    samples = [
        *counted("cache_requests_total", 80.0, cache="shop", tier="memory", result="hit"),
        *counted("cache_requests_total", 2.0, cache="shop", tier="memory", result="stale"),
        *counted("cache_requests_total", 8.0, cache="shop", tier="redis", result="hit"),
        *counted("cache_requests_total", 10.0, cache="shop", tier="load", result="miss"),
        *counted("cache_requests_total", 100.0, cache="reports", tier="load", result="miss"),
        *counted("cache_function_requests_total", 90.0, result="hit", **of),
        *counted("cache_function_requests_total", 10.0, result="miss", **of),
        *counted("cache_loads_total", 10.0, **of),
        *counted("cache_load_seconds_total", 5.0, **of),
        *counted("cache_saved_seconds_total", 45.0, **of),
        *counted("cache_evictions_total", 7.0, cache="shop", tier="memory", reason="size"),
        gauged("cache_bytes", 50.0, cache="shop", tier="memory"),
        gauged("cache_bound_bytes", 100.0, cache="shop", tier="memory"),
        gauged("cache_entries", 5.0, cache="shop", tier="memory"),
        gauged("cache_breaker_state", 1.0, cache="shop", tier="redis"),
        gauged("cache_bytes", 0.0, cache="shop", tier="redis"),
        gauged("cache_whatif_hit_ratio", 0.9, cache="shop", scale="2"),
        gauged("cache_whatif_hit_ratio", 0.8, cache="shop", scale="1"),
    ]
    found.append(sorted(samples, key=lambda one: one.ts))
    return found


def test_the_ratio_is_that_of_all_tiers(store: MemoryStore) -> None:
    found = cache.worth(store, WINDOW, "shop")
    assert found.served == {"memory": 82.0, "redis": 8.0, "load": 10.0}
    assert (found.requests, found.ratio, found.stale) == (100.0, pytest.approx(0.9), 2.0)


def test_all_caches_together(store: MemoryStore) -> None:
    assert cache.worth(store, WINDOW).ratio == pytest.approx(0.45)
    assert cache.names(store) == ["reports", "shop"]


def test_groups_tell_hits_loads_and_savings(store: MemoryStore) -> None:
    found = cache.worth(store, WINDOW)
    (group,) = found.groups
    assert (group.service, group.cache, group.function) == ("web", "shop", "shop.orders")
    assert (group.ratio, group.mean, group.saved_seconds) == (pytest.approx(0.9), 0.5, 45.0)
    assert (found.saved_seconds, found.load_seconds) == (45.0, 5.0)
    assert found.evictions == {("memory", "size"): 7.0}


def test_tiers_are_as_they_are_now(store: MemoryStore) -> None:
    memory, redis = cache.tiers(store, NOW, "shop")
    assert (memory.tier, memory.bytes, memory.bound, memory.entries, memory.failing) == (
        "memory",
        50.0,
        100.0,
        5.0,
        False,
    )
    assert (redis.tier, redis.bound, redis.failing) == ("redis", None, True)


def test_what_if_comes_with_its_bound(store: MemoryStore) -> None:
    assert [(one.scale, one.bound, one.ratio) for one in cache.what_if(store, NOW)] == [
        (1.0, 100.0, 0.8),
        (2.0, 200.0, 0.9),
    ]


def test_without_any_cache_there_is_nothing(clock: ManualClock) -> None:
    empty = MemoryStore(StoreSettings(), clock)
    assert cache.worth(empty, WINDOW).ratio is None
    assert cache.tiers(empty, NOW) == cache.what_if(empty, NOW) == []


def test_the_dashboards_own_cache_counts_only_when_asked_for(store: MemoryStore) -> None:
    before = cache.worth(store, WINDOW)
    store.append(list(counted("cache_requests_total", 1_000.0, cache=cache.OWN, tier="memory", result="hit")))
    store.append([gauged("cache_bytes", 1.0, cache=cache.OWN, tier="memory")])
    assert cache.worth(store, WINDOW) == before
    assert cache.OWN not in {one.cache for one in cache.tiers(store, NOW)}
    assert cache.worth(store, WINDOW, cache.OWN).ratio == 1.0
    assert cache.OWN in cache.names(store)
