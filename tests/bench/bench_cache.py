"""All targets of the cache in one table, then what its what-if costs and how far it is off; Markdown.

    python -m tests.bench.bench_cache [--quick]

Each time is the least of all rounds. `bench_cache_hits`, `bench_cache_tiers` and `bench_cache_redis` measure, and tell more alone.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from time import perf_counter_ns

from perf.cache import Cache, EntryOptions, MemoryTier
from perf.cache.entry import Entry
from perf.cache.ghost import Ghost
from perf.cache.metrics import Following
from perf.clock import ManualClock, SystemClock
from perf.record import Recorder
from tests.bench.bench_cache_targets import table

SIZE = 1_000
ENTRY = Entry(None, 1e12, 1e12, load_seconds=0.01, size=SIZE)


def least(call: Callable[[], object], rounds: int, calls: int) -> float:
    """Nanoseconds of one call, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        began = perf_counter_ns()
        for _ in range(calls):
            call()
        best = min(best, (perf_counter_ns() - began) / calls)
    return best


def costs(rounds: int) -> None:
    """A hit of a key that is followed, of one that isn't, and a reading of the statistics."""
    cache = Cache(memory=MemoryTier(2**24, SystemClock()), namespace="bench", defaults=EntryOptions(ttl=None))
    ghost = cache.local.ghost
    cache.set("followed", 1)
    followed = least(lambda: cache.get("followed"), rounds, 500)
    ghost.limit = 0
    cache.set("other", 1)
    other = least(lambda: cache.get("other"), rounds, 500)
    following = Following(Recorder(SystemClock()))
    following.follow(cache)
    poll = least(following.poll, rounds, 20)
    print("| what | ns |\n|---|---|")
    print(f"| `cache.get`, key not in the sample | {other:.0f} |")
    print(f"| `cache.get`, key in the sample | {followed:.0f} |")
    print(f"| telling the statistics of one cache to the recorder | {poll:.0f} |\n")


def errors(requests: int) -> None:
    """The what-if against the real tier at its real size."""
    clock = ManualClock()
    print("| zipf | keys sampled | largest error of the hit ratio |\n|---|---|---|")
    for exponent in (0.7, 0.9, 1.1):
        chance = random.Random(4)
        weights = [1.0 / (rank + 1) ** exponent for rank in range(20_000)]
        trace = [f"key-{number}" for number in chance.choices(range(20_000), weights, k=requests)]
        ghost = Ghost(2_000 * SIZE, clock, most_requests=float("inf"))
        ratio = played(trace, MemoryTier(ghost.bound, clock), ghost)
        found = ghost.answers(len(trace), ratio)
        worst = max(abs(one.ratio - played(trace, MemoryTier(one.bound, clock), None)) for one in found)
        print(f"| {exponent} | {100 * ghost.rate:.3g} % | {worst:.3f} |")


def played(trace: list[str], tier: MemoryTier, ghost: Ghost | None) -> float:
    """The hit ratio of *tier* over *trace*, followed by *ghost*."""
    hits = 0
    for key in trace:
        hit = tier.get(key) is not None
        hits += hit
        followed = ghost is not None and ghost.sampled(key)
        if followed and ghost is not None:
            ghost.asked(key, 0.0)
        if not hit:
            tier.put(key, ENTRY)
            if followed and ghost is not None:
                ghost.kept(key, ENTRY, 0.0)
    return hits / len(trace)


def main() -> int:
    """Print the tables; 1 when a target is missed by more than half."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    print("## The cache: targets\n")
    fine = table(100 if quick else 600)
    print("## The cache: statistics and the what-if\n")
    costs(5 if quick else 50)
    errors(20_000 if quick else 100_000)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
