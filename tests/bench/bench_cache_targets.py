"""The targets of the cache: floor, ours, the peers of the same run, and whether it is met. `bench_cache` prints them."""

from __future__ import annotations

import asyncio
import tempfile
import tracemalloc
from pathlib import Path

import msgspec

from perf.cache import Cache, MemoryTier
from perf.cache.entry import Entry
from perf.clock import SystemClock
from tests import services
from tests.bench import bench_cache_hits, bench_cache_redis, bench_cache_tiers
from tests.bench.bench_cache_stampede import CALLERS, PROCESSES, processes, threads
from tests.unit.cache import test_memory

PANELS = 100
"""Results that the memory has room for."""


class Target(msgspec.Struct):
    """*ours* beside *floor*, in *unit*; *most* is the ratio that it may have, or with *least* must have."""

    path: str
    floor: float
    ours: float
    most: float
    unit: str = "ns"
    peer: str = ""
    least: bool = False

    @property
    def ratio(self) -> float:
        """Ours to the floor."""
        return self.ours / self.floor

    @property
    def met(self) -> bool:
        """Whether the ratio is as it should be."""
        return self.ratio >= self.most if self.least else self.ratio <= self.most


def hits(rounds: int) -> list[Target]:
    """Decorated functions."""
    cache = Cache(memory=MemoryTier(64 * 2**20, SystemClock()), namespace="bench")
    sync = bench_cache_hits.synchronous(cache, rounds)
    loop = asyncio.run(bench_cache_hits.asynchronous(cache, rounds))
    floor, ours = sync["dict.get"], sync["@cached"]
    alone = loop.pop("await empty()")
    peers = {name: cost for name, cost in sync.items() if "cachebox" in name or "cachetools" in name}
    return [
        Target("`@cached` hit, sync, beside dict.get", floor, ours, 16.0, peer=_others(peers, floor)),
        Target("`@cached` hit, sync, beside cachebox", peers["@cachebox.cached"], ours, 0.85),
        Target("`@cached` hit, async", alone, loop.pop("await @cached"), 6.0, peer=_others(loop, alone)),
    ]


def tiers() -> list[Target]:
    """Frames and files."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*bench_cache_tiers.frame(), *bench_cache_tiers.file(Path(folder))]
    return [Target(row.name, row.floor * 1e6, row.seconds * 1e6, row.target, "us") for row in rows if row.target]


def redis() -> list[Target]:
    """Redis, and without it."""
    rows = []
    with services.redis() as port:
        for size, number, most in ((1_024, 30, 4.5), (1 << 20, 2, 1.4)):
            found = bench_cache_redis.hits(port, size, number)
            floor, ours = found["raw socket GET"], found["tier, guarded, enveloped"]
            peer = _others({name: found[name] for name in ("redis-py get", "cashews, signed")}, floor)
            rows.append(Target(f"Redis hit {size:,} B, enveloped", floor, ours, most, "us", peer))
        seen = bench_cache_redis.seen(port)
    opened = bench_cache_redis.opened()
    return [
        *rows,
        Target("invalidation seen, beside Redis", seen["redis"], seen["host"], 0.2, "us"),
        Target("breaker open, read", opened["dict.get"] * 1e3, opened["breaker open, read"] * 1e3, 50.0),
    ]


def memory() -> list[Target]:
    """How much more than its bound a full memory tier takes, and how often it has what a dashboard asks for."""
    bound = 32 * 2**20
    tier = MemoryTier(bound, SystemClock())
    tracemalloc.start()
    for number in range(3 * bound // 10_000):
        tier.put(f"key-{number}", Entry(bytes(10_000), 1e12, 1e12, size=10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    keys = test_memory.dashboard(60_000)
    ours, theirs = test_memory.ours(keys, PANELS) * 100, test_memory.lru(keys, PANELS) * 100
    return [
        Target("peak memory beside the bound", bound / 2**20, peak / 2**20, 1.1, "MiB"),
        Target("hit ratio of a dashboard, beside LRU", theirs, ours, 1.4, "%", least=True),
    ]


def stampede() -> list[Target]:
    """Executions for one key that all ask for at once."""
    rows = []
    for who, ask in ((f"{CALLERS} threads", threads), (f"{PROCESSES} processes", processes)):
        for fails in (False, True):
            found = ask(fails=fails)
            path = f"executions for {who}, {'failing' if fails else 'cold'} key"
            rows.append(Target(path, 1.0, float(found.pop("ours")), 1.0, "", _others(dict(found), 1.0)))
    return rows


def table(rounds: int) -> bool:
    """Print it; whether all are within half as much again, which is what the build demands."""
    print("| path | floor | ours | ratio | target | | peers beside the floor |\n|---|---|---|---|---|---|---|")
    fine = True
    for row in (*hits(rounds), *tiers(), *redis(), *memory(), *stampede()):
        sign, slack = (">=", row.ratio * 1.5 >= row.most) if row.least else ("<=", row.ratio <= 1.5 * row.most)
        fine = fine and slack
        numbers = f"{row.floor:.3g} {row.unit} | {row.ours:.3g} {row.unit} | {row.ratio:.2f}x | {sign} {row.most:g}x"
        print(f"| {row.path} | {numbers} | {'met' if row.met else 'missed'} | {row.peer} |")
    print()
    return fine


def _others(peers: dict[str, float], floor: float) -> str:
    return ", ".join(f"{name} {peers[name] / floor:.1f}x" for name in sorted(peers, key=peers.__getitem__))
