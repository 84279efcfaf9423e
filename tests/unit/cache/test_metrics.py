"""Statistics of caches as metrics: exact, once, and summed over caches of one name."""

from __future__ import annotations

import gc
from pathlib import Path

from perf.cache.cache import Cache
from perf.cache.metrics import RECOVERY, TIER_SECONDS, Following, gauges
from perf.cache.options import EntryOptions
from perf.cache.stats import Counts
from perf.cache.tiers.file import FileTier
from perf.cache.tiers.memory import MemoryTier
from perf.clock import ManualClock, SystemClock
from perf.model import TierUsage
from perf.record import Recorder
from tests.services import eventually


def made(clock: ManualClock, namespace: str = "shop", **options: object) -> Cache:
    return Cache(
        memory=MemoryTier(2**20, clock),
        namespace=namespace,
        defaults=EntryOptions(**options),
        clock=clock,  # type: ignore[arg-type]
    )


def told(recorder: Recorder) -> dict[str, float]:
    """``name{label values}`` -> value of everything that is recorded."""
    return {
        f"{metric.name}{{{','.join(value for _, value in labels)}}}": float(value)
        for metric, labels, value in recorder.totals()
        if isinstance(value, (int, float))
    }


def test_requests_count_once_at_the_tier_that_answered(clock: ManualClock) -> None:
    recorder, cache = Recorder(clock), made(clock, negative_ttl=60.0)
    Following(recorder).follow(cache)
    cache.get("absent")
    for _ in range(3):
        cache.get_or_set("key", lambda: 1)
        cache.get_or_set("nothing", lambda: None)
    found = {name: value for name, value in told(recorder).items() if name.startswith("cache_requests_total")}
    assert found == {
        "cache_requests_total{shop,hit,memory}": 2.0,
        "cache_requests_total{shop,negative,memory}": 2.0,
        "cache_requests_total{shop,miss,load}": 3.0,
    }


def test_counters_grow_by_what_is_new(clock: ManualClock) -> None:
    recorder, cache = Recorder(clock), made(clock)
    Following(recorder).follow(cache)
    for total in (1.0, 2.0):
        cache.get("absent")
        assert told(recorder)["cache_requests_total{shop,miss,load}"] == total
    assert told(recorder)["cache_requests_total{shop,miss,load}"] == 2.0


def test_caches_of_one_name_are_shown_as_one(clock: ManualClock) -> None:
    recorder = Recorder(clock)
    following = Following(recorder)
    caches = [made(clock), made(clock)]
    for cache in caches:
        following.follow(cache)
        cache.set("key", b"value")
    found = told(recorder)
    assert found["cache_entries{shop,memory}"] == 2.0
    assert found["cache_bound_bytes{shop,memory}"] == 2.0 * 2**20


def test_time_saved_is_hits_times_the_mean_load(clock: ManualClock) -> None:
    recorder, cache = Recorder(clock), made(clock)
    Following(recorder).follow(cache)
    for _ in range(4):
        cache.get_or_set("key", lambda: 1)
    found = told(recorder)
    assert found["cache_saved_seconds_total{shop,}"] == 3 * found["cache_load_seconds_total{shop,}"]
    assert found["cache_hit_percent{shop}"] == 75.0


def test_what_a_tier_has_yet_to_hear_is_told() -> None:
    usages = [TierUsage(name=name, entries=0, bytes=0, bound=0, waiting=7) for name in ("memory", "redis")]
    stats = Counts().stats("shop", usages, queued=0)
    waiting = [(dict(labels)["tier"], value) for (metric, labels), value in gauges(stats) if metric is RECOVERY]
    assert waiting == [("redis", 7.0)]


def test_a_cache_that_is_gone_is_not_kept(clock: ManualClock) -> None:
    following = Following(Recorder(clock))
    following.follow(made(clock))
    # Not at once where another thread reads the statistics, or collects garbage itself.
    eventually(lambda: gc.collect() >= 0 and following.caches() == [])


def test_every_read_and_write_of_an_outer_tier_is_timed(tmp_path: Path) -> None:
    clock = SystemClock()
    recorder, files = Recorder(clock), FileTier(tmp_path, 2**20, clock)
    cache = Cache(memory=MemoryTier(2**20, clock), outer=[files], namespace="shop", clock=clock)
    Following(recorder).follow(cache)
    cache.get("absent")
    cache.set("key", 1)
    assert cache.flush(20)
    cache.get("absent")
    found = {labels: value for metric, labels, value in recorder.totals() if metric is TIER_SECONDS}
    assert {dict(labels)["operation"]: value.count for labels, value in found.items()} == {"read": 2, "write": 1}
    assert {dict(labels)["tier"] for labels in found} == {"file"}
    cache.close()
