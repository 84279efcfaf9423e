"""What a hit of a decorated function costs, against dict.get, an empty coroutine, and other caches in the same process; Markdown.

    python -m tests.bench.bench_cache_hits [--quick]

Interleaved rounds; each figure is the least of all rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Awaitable, Callable
from itertools import repeat
from time import perf_counter_ns

import aiocache
import cachebox
import cachetools
import cashews

from perf.cache import Cache, MemoryTier, cached
from perf.clock import SystemClock

CALLS = 1_000
"""In a round. Many short ones: on a shared machine a long one is never undisturbed."""
WARM_NS = 2_000_000_000
"""Until then the cache follows every key for its what-if table; it must see traffic to follow fewer."""
WORD = "a" * 20 + "5"


async def empty() -> None:
    """The floor of what is awaited."""


def _cache() -> Cache:
    return Cache(memory=MemoryTier(64 * 2**20, SystemClock()), namespace="bench")


def contenders(cache: Cache) -> dict[str, Callable[[str], object]]:
    """Functions whose result for one word is held."""

    def same(word: str) -> str:
        return word

    def plain(word: str) -> str:
        return word

    def tagged(word: str) -> str:
        return word

    words = {WORD + str(i): i for i in range(1000)} | {WORD: 0}
    return {
        "dict.get": words.get,
        "@cached": cached(cache=cache)(plain),
        "@cached, tagged": cached(cache=cache, tags=["a"])(tagged),
        "@cachebox.cached": cachebox.cached(cachebox.TTLCache(1000, 300))(same),
        "@cachetools.cached": cachetools.cached(cachetools.TTLCache(1000, 300))(same),
    }


def nanoseconds(call: Callable[[str], object]) -> float:
    """One call, of many in a row."""
    began = perf_counter_ns()
    for _ in repeat(None, CALLS):
        call(WORD)
    return (perf_counter_ns() - began) / CALLS


async def awaited(call: Callable[..., Awaitable[object]], *args: str, calls: int = CALLS) -> float:
    """One call, of many in a row."""
    began = perf_counter_ns()
    for _ in repeat(None, calls):
        await call(*args)
    return (perf_counter_ns() - began) / calls


async def asynchronous(cache: Cache, rounds: int) -> dict[str, float]:
    """The least of *rounds* for a coroutine function."""

    async def same(word: str) -> str:
        return word

    in_memory = cashews.Cache()
    in_memory.setup("mem://")
    held = cached(cache=cache)(same)
    slow: dict[str, Callable[[str], Awaitable[object]]] = {
        "await @aiocache.cached": aiocache.cached(ttl=300)(same),
        "await @cashews, in memory": in_memory(ttl=300)(same),
    }
    await warmed(held)
    best: dict[str, float] = {}
    for _ in range(rounds):
        took = {"await empty()": await awaited(empty), "await @cached": await awaited(held, WORD)}
        took |= {name: await awaited(call, WORD, calls=CALLS // 20) for name, call in slow.items()}
        best = {name: min(best.get(name, cost), cost) for name, cost in took.items()}
    await in_memory.close()
    return best


async def warmed(call: Callable[[str], Awaitable[object]]) -> None:
    """Call it until the cache follows only some keys."""
    began = perf_counter_ns()
    while perf_counter_ns() - began < WARM_NS:
        await call(WORD)


def synchronous(cache: Cache, rounds: int) -> dict[str, float]:
    """The least of *rounds* for plain functions."""
    calls = contenders(cache)
    began = perf_counter_ns()
    while perf_counter_ns() - began < WARM_NS:
        for call in calls.values():
            call(WORD)
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best.get(name, 1e9), nanoseconds(call))
    return best


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rounds = 100 if parser.parse_args().quick else 600
    gc.disable()
    for best in (synchronous(_cache(), rounds), asyncio.run(asynchronous(_cache(), rounds))):
        floor = next(iter(best.values()))
        print("| hit | ns | x floor |\n|---|---|---|")
        for name, took in best.items():
            print(f"| {name} | {took:.0f} | {took / floor:.1f} |")
        print()


if __name__ == "__main__":
    main()
