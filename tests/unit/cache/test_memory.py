"""The memory tier: its bound to the byte, its hit ratio beside LRU, and finalizers that use the cache while it evicts."""

from __future__ import annotations

import gc
import random
import sys
import threading
import tracemalloc
from collections import OrderedDict
from itertools import accumulate

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from perf.cache.entry import Entry
from perf.cache.tiers.memory import OVERHEAD, MemoryTier
from perf.clock import ManualClock

FOREVER = float("inf")


def entry(size: int, value: object = None, until: float = FOREVER) -> Entry:
    return Entry(value=value, fresh_until=until, stale_until=until, size=size)


def charge(key: str, size: int) -> int:
    return size + sys.getsizeof(key) + OVERHEAD


def filled(tier: MemoryTier) -> int:
    return sum(charge(key, held.size) for key, held in tier.items())


class Bounded(RuleBasedStateMachine):
    """Law: whatever is done, bytes are the sum of the charges and within the bound, and what is found is what was put last."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.tier = MemoryTier(8_000, self.clock)
        self.put: dict[str, Entry] = {}

    @rule(key=st.sampled_from("abcdefghijklmnop"), size=st.integers(0, 1_500), life=st.sampled_from([5.0, FOREVER]))
    def keep(self, key: str, size: int, life: float) -> None:
        made = entry(size, until=self.clock.monotonic() + life)
        if self.tier.put(key, made):
            self.put[key] = made
        else:
            assert charge(key, size) > 2_000
            self.put.pop(key, None)
            assert self.tier.get(key) is None

    @rule(key=st.sampled_from("abcdefghijklmnop"))
    def look(self, key: str) -> None:
        found = self.tier.get(key)
        assert found is None or found is self.put[key]

    @rule(key=st.sampled_from("abcdefghijklmnop"))
    def remove(self, key: str) -> None:
        held = self.tier.get(key)
        assert self.tier.remove(key) is held
        assert self.tier.get(key) is None

    @rule()
    def wait(self) -> None:
        self.clock.move(3.0)
        self.tier.sweep()
        assert all(held.stale_until > self.clock.monotonic() for _, held in self.tier.items())

    @rule()
    def clear(self) -> None:
        self.tier.clear()
        assert self.tier.usage().bytes == 0

    @invariant()
    def adds_up(self) -> None:
        usage = self.tier.usage()
        assert usage.bytes == filled(self.tier) <= usage.bound
        assert usage.entries == len(self.tier.items())


Bounded.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestBounded = Bounded.TestCase


def test_bound_holds_under_eight_threads() -> None:
    tier = MemoryTier(200_000, ManualClock())
    over: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(3_000):
            key = f"key {chance.randrange(400)}"
            if tier.get(key) is None or chance.random() < 0.1:
                tier.put(key, entry(chance.randrange(3_000)))
            if chance.random() < 0.05:
                tier.remove(key)
            if tier.usage().bytes > 200_000:
                over.append(tier.usage().bytes)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not over
    assert tier.usage().bytes == filled(tier)


class Rude:
    """A value that uses the cache when it dies; in a cycle, it dies whenever the collector comes by."""

    def __init__(self, tier: MemoryTier, name: str, *, cycle: bool) -> None:
        self.tier, self.name = tier, name
        self.me = self if cycle else None

    def __del__(self) -> None:
        self.tier.get(self.name)
        self.tier.remove("another")
        if not self.name.startswith("reborn"):
            self.tier.put(f"reborn {self.name}", entry(10))


@pytest.mark.parametrize("cycle", [False, True])
def test_dying_values_may_use_the_cache(cycle: bool) -> None:
    tier = MemoryTier(20_000, ManualClock())
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            tier.put(f"key {number}", entry(500, Rude(tier, str(number), cycle=cycle)))
            tier.put("another", entry(10))
        gc.set_threshold(0)  # Between two looks at the tier nothing may die.
        gc.collect()
        usage = tier.usage()
        assert usage.bytes == filled(tier) <= usage.bound
    finally:
        gc.set_threshold(*before)
    tier.clear()


def test_a_removed_value_is_let_go_of_at_once() -> None:
    tier = MemoryTier(20_000, ManualClock())
    gone: list[str] = []

    class Noted:
        def __del__(self) -> None:
            gone.append("gone")

    for forget in (lambda: tier.remove("key"), tier.clear, lambda: tier.put("key", entry(1))):
        tier.put("key", entry(1, Noted()))
        forget()
        assert gone.pop() == "gone"


def test_an_entry_larger_than_a_quarter_of_the_bound_is_refused_and_takes_the_older_one_along() -> None:
    tier = MemoryTier(10_000, ManualClock())
    assert tier.put("key", entry(100))
    assert not tier.put("key", entry(2_500))
    assert tier.get("key") is None
    assert tier.usage().evictions == {"oversize": 1}


def test_what_is_gone_goes_before_what_is_in_use() -> None:
    clock = ManualClock()
    tier = MemoryTier(10_000, clock)
    for number in range(8):
        tier.put(f"short {number}", entry(500, until=1.0))
    clock.move(2.0)
    for number in range(8):
        tier.put(f"long {number}", entry(500))
    assert {key for key, _ in tier.items() if key.startswith("long")} == {f"long {number}" for number in range(8)}
    assert set(tier.usage().evictions) == {"expired"}


@pytest.mark.parametrize(("size", "bound"), [(100_000, 6_000_000), (50, 6_000_000)])
def test_memory_taken_stays_within_a_tenth_above_the_bound(size: int, bound: int) -> None:
    tier = MemoryTier(bound, ManualClock())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(3 * bound // (size + OVERHEAD)):
        value = bytes(size)
        tier.put(f"key {number}", entry(sys.getsizeof(value), value))
    taken = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert taken <= 1.1 * bound


def dashboard(requests: int, seed: int = 4) -> list[str]:
    """Keys that a dashboard asks for: 65 % panels by Zipf's law over 2,000, 35 % windows that move on and never come back."""
    chance = random.Random(seed)
    weights = list(accumulate(1 / rank**0.9 for rank in range(1, 2_001)))
    panels = chance.choices(range(2_000), cum_weights=weights, k=requests)
    return [f"panel {panel}" if chance.random() < 0.65 else f"window {at}" for at, panel in enumerate(panels)]


def lru(keys: list[str], capacity: int) -> float:
    """The hit ratio of the least recently used going first, by its definition."""
    held: OrderedDict[str, None] = OrderedDict()
    hits = 0
    for key in keys:
        hits += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > capacity:
            held.popitem(last=False)
    return hits / len(keys)


def ours(keys: list[str], capacity: int) -> float:
    size = 5_000
    tier = MemoryTier(capacity * charge("panel 1000", size), ManualClock())
    hits = 0
    for key in keys:
        if tier.get(key) is not None:
            hits += 1
        else:
            tier.put(key, entry(size))
    return hits / len(keys)


@pytest.mark.parametrize(("capacity", "times"), [(100, 1.4), (300, 1.15)])
def test_hit_ratio_of_a_dashboard_beats_lru(capacity: int, times: float) -> None:
    keys = dashboard(60_000)
    assert ours(keys, capacity) >= times * lru(keys, capacity)
