"""The what-if against brute force: every key, every request, the real tier at its real size."""

from __future__ import annotations

import random

import pytest

from perf.cache.entry import Entry
from perf.cache.ghost import ENOUGH_KEYS, Ghost
from perf.cache.tiers.memory import MemoryTier
from perf.clock import ManualClock

SIZE = 1_000
ENTRY = Entry(None, 1e12, 1e12, load_seconds=0.5, size=SIZE)
MANY = 1e9
"""Requests a second that no test reaches."""


def zipf(keys: int, requests: int, seed: int, exponent: float = 0.9) -> list[str]:
    """Requests for *keys* keys, the first the most popular."""
    chance = random.Random(seed)
    weights = [1.0 / (rank + 1) ** exponent for rank in range(keys)]
    return [f"key-{number}" for number in chance.choices(range(keys), weights, k=requests)]


def brute_force(trace: list[str], bound: int, clock: ManualClock) -> float:
    """The hit ratio of the real tier over the whole trace."""
    tier = MemoryTier(bound, clock)
    hits = 0
    for key in trace:
        if tier.get(key) is not None:
            hits += 1
        else:
            tier.put(key, ENTRY)
    return hits / len(trace)


def played(trace: list[str], ghost: Ghost, clock: ManualClock) -> float:
    """The hit ratio of a cache with the bound of *ghost*, which follows it, over *trace*; a request a millisecond."""
    tier = MemoryTier(ghost.bound, clock)
    hits = 0
    for number, key in enumerate(trace):
        now = number / 1_000
        hit = tier.get(key) is not None
        hits += hit
        if ghost.sampled(key):
            ghost.asked(key, now)
        if not hit:
            tier.put(key, ENTRY)
            if ghost.sampled(key):
                ghost.kept(key, ENTRY, now)
    return hits / len(trace)


@pytest.mark.parametrize(("most_keys", "allowed"), [(20_000, 0.002), (2_048, 0.03)])
def test_it_agrees_with_brute_force_at_every_size(clock: ManualClock, most_keys: int, allowed: float) -> None:
    trace = zipf(8_000, 40_000, seed=7)
    ghost = Ghost(1_000 * SIZE, clock, most_keys=most_keys, most_requests=MANY)
    ratio = played(trace, ghost, clock)
    found = {one.scale: one for one in ghost.answers(len(trace), ratio)}
    assert sorted(found) == list(ghost.scales)
    for scale, one in found.items():
        assert one.bound == int(scale * ghost.bound)
        assert one.ratio == pytest.approx(brute_force(trace, one.bound, clock), abs=allowed), scale


def test_sampled_keys_stay_below_their_number(clock: ManualClock) -> None:
    ghost = Ghost(100 * SIZE, clock, most_keys=500, most_requests=MANY)
    played(zipf(5_000, 20_000, seed=1), ghost, clock)
    ghost.turn()
    assert 100 < len(ghost._known) <= 500
    assert ghost.rate < 0.2


def test_too_many_requests_halve_the_rate(clock: ManualClock) -> None:
    ghost = Ghost(100 * SIZE, clock, most_requests=100.0)
    for number in range(10_000):
        key = f"key-{number % 50}"
        if ghost.sampled(key):
            ghost.asked(key, number / 10_000)
    assert ghost.rate <= 0.25


def test_an_expired_entry_is_a_miss_at_any_bound(clock: ManualClock) -> None:
    ghost = Ghost(1_000 * SIZE, clock)
    for number in range(ENOUGH_KEYS):
        ghost.kept(f"key-{number}", Entry(None, 10.0, 10.0, size=SIZE), 0.0)
    for now in (5.0, 11.0):
        for number in range(ENOUGH_KEYS):
            ghost.asked(f"key-{number}", now)
    assert [one.ratio for one in ghost.answers(2 * ENOUGH_KEYS, 0.5)] == [0.5] * len(ghost.scales)


def test_few_keys_tell_nothing(clock: ManualClock) -> None:
    ghost = Ghost(1_000 * SIZE, clock)
    ghost.kept("key", ENTRY, 0.0)
    ghost.asked("key", 1.0)
    assert ghost.answers(1, 1.0) == []


def test_savings_name_the_keys_that_saved_most(clock: ManualClock) -> None:
    ghost = Ghost(1_000 * SIZE, clock)
    for key, asked in (("a", 1), ("b", 3)):
        ghost.kept(key, ENTRY, 0.0)
        for _ in range(asked):
            ghost.asked(key, 1.0)
    found = [(one.key, one.hits, one.seconds, one.size) for one in ghost.savings()]
    assert found == [("b", 3, 1.5, SIZE), ("a", 1, 0.5, SIZE)]


def test_it_keeps_no_value_alive(clock: ManualClock) -> None:
    ghost = Ghost(1_000 * SIZE, clock)
    ghost.kept("key", Entry(["large"], 1e12, 1e12, size=SIZE), 0.0)
    ghost.turn()
    assert ghost._known["key"].value is None
