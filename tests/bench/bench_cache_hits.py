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

import cachebox
import cachetools

from perf.cache import Cache, MemoryTier, cached
from perf.clock import SystemClock

CALLS = 10_000
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


async def awaited(call: Callable[..., Awaitable[object]], *args: str) -> float:
    """One call, of many in a row."""
    began = perf_counter_ns()
    for _ in repeat(None, CALLS):
        await call(*args)
    return (perf_counter_ns() - began) / CALLS


async def asynchronous(cache: Cache, rounds: int) -> dict[str, float]:
    """The least of *rounds* for a coroutine function."""

    @cached(cache=cache)
    async def held(word: str) -> str:
        return word

    await warmed(held)
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, took in (("await empty()", await awaited(empty)), ("await @cached", await awaited(held, WORD))):
            best[name] = min(best.get(name, took), took)
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
    rounds = 10 if parser.parse_args().quick else 60
    gc.disable()
    for best in (synchronous(_cache(), rounds), asyncio.run(asynchronous(_cache(), rounds))):
        floor = next(iter(best.values()))
        print("| hit | ns | x floor |\n|---|---|---|")
        for name, took in best.items():
            print(f"| {name} | {took:.0f} | {took / floor:.1f} |")
        print()


if __name__ == "__main__":
    main()
