"""Threads, coroutines and another process use caches with all tiers, while Redis and the disk are taken from them.

The truth is a number per key that only grows. A factory returns what the truth was when it ran, so a caller who began to ask after
an invalidation was acknowledged must never see a number from before it: that is the promise that is watched, on the same node.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from perf.cache import Cache, EntryOptions, MemoryTier
from perf.cache.backplane.host import HostBackplane
from perf.cache.breaker import Breaker
from perf.cache.guarded import Guarded
from perf.cache.tiers.file import FileTier
from perf.cache.tiers.redis import RedisTier
from perf.clock import SystemClock
from perf.model import CacheStats
from tests.services import environment, program
from tests.soak.places import TMPFS_MB, Redis, small_disk

KEYS = 60
THREADS = 6
COROUTINES = 20
CALM_SECONDS = 1.0


class Report(msgspec.Struct, kw_only=True):
    """What happened: requests and faults by kind, problems in words, and the statistics of the cache at the end."""

    did: Counter[str]
    problems: list[str]
    stats: CacheStats
    slowest: float

    def text(self) -> str:
        """For people."""
        done = ", ".join(f"{name} {count:,}" for name, count in sorted(self.did.items()))
        stats = self.stats
        books = (
            f"hits {stats.hits:,} + stale {stats.stale_hits:,} + negative {stats.negative_hits:,} + misses {stats.misses:,}"
            f" (fenced {stats.fenced:,}, gaps {stats.gaps}, dropped {stats.dropped}, errors {stats.errors})"
        )
        found = "\n".join(f"PROBLEM {problem}" for problem in self.problems[:20]) or "every promise was kept"
        return f"{done}\n{books}\nslowest request {self.slowest:.3f} s\n{found}\n"


class Truth:
    """A number per key that only grows, and how far it was when an invalidation was last acknowledged."""

    def __init__(self) -> None:
        self.now = dict.fromkeys((f"key:{number}" for number in range(KEYS)), 0)
        self.acknowledged = dict(self.now)
        self.ways = dict.fromkeys(self.now, "")
        self._locks = {key: threading.Lock() for key in self.now}

    def change(self, key: str, way: str, forget: Callable[[], object]) -> None:
        """The truth moves on, then the cache is told in that *way*; from here on the old number is a lie."""
        with self._locks[key]:
            self.now[key] += 1
            number = self.now[key]
            forget()
            self.ways[key] = way
            self.acknowledged[key] = number


class Soak:
    """One run in *folder*."""

    def __init__(self, folder: Path, *, seed: int = 1) -> None:
        self.folder = folder
        self.truth = Truth()
        self.did: Counter[str] = Counter()
        self.problems: list[str] = []
        self.slowest = 0.0
        self._seed = seed
        self._stop = threading.Event()
        self._count = threading.Lock()

    def run(self, seconds: float) -> Report:
        """*seconds* of chaos, then the books."""
        with small_disk(self.folder / "disk") as disk, ExitStack() as stack:
            self.disk = disk
            self.redis = Redis(self.folder)
            stack.callback(self.redis.stop)
            self.cache = made(disk, self.redis.url, self.folder / "backplane")
            stack.callback(self.cache.close)
            child = stack.enter_context(self._child(seconds))
            threads = [threading.Thread(target=self._guarded, args=(work, n)) for n, work in enumerate(self._works())]
            for thread in threads:
                thread.start()
            try:
                self._faults(seconds)
            finally:
                self._stop.set()
                for thread in threads:
                    thread.join(30.0)
                    if thread.is_alive():
                        self.problems.append(f"{thread.name} hangs")
            if child.wait(60.0) != 0:
                self.problems.append(f"the other process failed: {(self.folder / 'neighbour.log').read_text()[-2000:]}")
            stats = self.cache.stats()
        self.problems += unbalanced(stats, self.did)
        return Report(did=self.did, problems=self.problems, stats=stats, slowest=self.slowest)

    def _works(self) -> list[Callable[[random.Random], None]]:
        return [*[self._asks] * THREADS, self._changes, self._coroutines]

    def _guarded(self, work: Callable[[random.Random], None], number: int) -> None:
        try:
            work(random.Random(self._seed * 1_000 + number))
        except Exception as error:  # noqa: BLE001 - whatever a cache lets through is what this looks for.
            self.problems.append(f"{work.__name__}: {type(error).__name__}: {error}")

    def _asks(self, chance: random.Random) -> None:
        """Requests, a little faster than the changes."""
        while not self._stop.wait(chance.random() * 0.002):
            key = chance.choice(list(self.truth.now))
            known, began = self.truth.acknowledged[key], time.perf_counter()
            value = self.cache.get_or_set(key, lambda key=key: self._load(key), tags=(f"tag:{key}", "all"))  # type: ignore[misc]
            self._seen(key, known, value, time.perf_counter() - began)

    def _coroutines(self, chance: random.Random) -> None:
        asyncio.run(self._all_coroutines(chance))

    async def _all_coroutines(self, chance: random.Random) -> None:
        async def one() -> None:
            while not self._stop.is_set():
                key = chance.choice(list(self.truth.now))
                known, began = self.truth.acknowledged[key], time.perf_counter()
                value = await self.cache.aget_or_set(
                    key,
                    lambda key=key: self._load(key),
                    tags=(f"tag:{key}", "all"),  # type: ignore[misc]
                )
                self._seen(key, known, value, time.perf_counter() - began)
                await asyncio.sleep(chance.random() * 0.02)

        await asyncio.gather(*(one() for _ in range(COROUTINES)))

    def _changes(self, chance: random.Random) -> None:
        """Changes of the truth, acknowledged in every way there is."""
        while not self._stop.wait(chance.random() * 0.01):
            key = chance.choice(list(self.truth.now))
            ways: dict[str, Callable[[], object]] = {
                "delete": partial(self.cache.delete, key),
                "tag": partial(self.cache.invalidate, tags=[f"tag:{key}"]),
                "pattern": partial(self.cache.invalidate, pattern=f"{key}*"),
                "set": lambda key=key: self.cache.set(key, self._load(key), tags=(f"tag:{key}", "all")),  # type: ignore[misc]
            }
            way = chance.choice(list(ways))
            self.truth.change(key, way, ways[way])
            self._did("changes")

    def _load(self, key: str) -> dict[str, object]:
        self._did("loads")
        return {"number": self.truth.now[key], "key": key, "padding": os.urandom(2_000)}

    def _seen(self, key: str, known: int, value: dict[str, object], seconds: float) -> None:
        self._did("requests")
        self.slowest = max(self.slowest, seconds)
        number = value["number"]
        if value["key"] != key:
            self.problems.append(f"{key}: got the value of {value['key']}")
        elif not isinstance(number, int) or number < known:
            self.problems.append(
                f"{key}: {number} after {known} was acknowledged (last change: {self.truth.ways[key]})"
            )

    def _did(self, what: str) -> None:
        with self._count:
            self.did[what] += 1

    def _faults(self, seconds: float) -> None:
        """One fault after the other, with a second of calm between them."""
        end = time.perf_counter() + seconds
        faults = [self._freeze, self._kill, self._fill_disk, self._fill_redis, self._corrupt]
        turn = 0
        while time.perf_counter() + 4.0 < end:
            self._stop.wait(CALM_SECONDS)
            fault = faults[turn % len(faults)]
            fault()
            self._did(f"fault {fault.__name__.strip('_')}")
            turn += 1
        self._stop.wait(max(0.0, end - time.perf_counter()))

    def _freeze(self) -> None:
        self.redis.signal(signal.SIGSTOP)
        self._stop.wait(1.5)
        self.redis.signal(signal.SIGCONT)

    def _kill(self) -> None:
        self.redis.signal(signal.SIGKILL)
        self._stop.wait(1.0)
        self.redis.start()

    def _fill_disk(self) -> None:
        ballast = self.disk / "ballast"
        try:
            with ballast.open("wb") as file:
                for _ in range(TMPFS_MB if self.disk.is_mount() else 1):
                    file.write(bytes(2**20))
        except OSError:
            pass  # Full, as was wanted.
        self._stop.wait(1.0)
        ballast.unlink()

    def _fill_redis(self) -> None:
        from redis import Redis as Client
        from redis.exceptions import RedisError

        client = Client(port=self.redis.port, socket_timeout=30.0)
        try:
            for number in range(200):
                client.set(f"ballast:{number}", bytes(50_000))
        except RedisError:
            pass  # Full, as was wanted.
        self._stop.wait(1.0)
        try:
            client.delete(*(f"ballast:{number}" for number in range(200)))
        except RedisError:
            self.problems.append("Redis could not be emptied again")
        client.close()

    def _corrupt(self) -> None:
        # Any of them may go at any time: the cache that has them is in full use.
        files = [Path(folder) / name for folder, _, names in os.walk(self.disk / "cache") for name in names]
        random.Random(self._seed).shuffle(files)
        damaged = 0
        for file in files:
            with suppress(OSError), file.open("r+b") as content:
                if (size := os.fstat(content.fileno()).st_size) > 1_000:
                    content.seek(size // 2)
                    content.write(b"damage")
                    damaged += 1
            if damaged == 5:
                break

    @contextmanager
    def _child(self, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
        """Another process on the same files, Redis and backplane."""
        words = [str(self.disk), self.redis.url, str(self.folder / "backplane"), str(max(1.0, seconds - 3.0))]
        command = [sys.executable, "-m", "tests.soak.neighbour", *words]
        with program(command, env=environment(), log=self.folder / "neighbour.log") as process:
            yield process


def made(disk: Path, url: str, backplane: Path) -> Cache:
    """A cache with every tier, a small memory and a small disk."""
    clock = SystemClock()
    defaults = EntryOptions(ttl=3.0, jitter=0.5, tier_hard_timeout=0.25)
    return Cache(
        memory=MemoryTier(60_000, clock),
        outer=[
            FileTier(disk / "cache", TMPFS_MB * 2**19, clock),
            Guarded(RedisTier(url, timeout=0.1), Breaker(clock, rest=1.0), clock, defaults),
        ],
        namespace="soak",
        defaults=defaults,
        backplane=HostBackplane(backplane),
        clock=clock,
    )


def unbalanced(stats: CacheStats, did: Counter[str]) -> list[str]:
    """What does not add up."""
    answered = stats.hits + stats.stale_hits + stats.negative_hits + stats.misses
    ways = stats.absent + stats.coalesced + stats.led
    found = []
    if did["requests"] != answered:
        found.append(f"{did['requests']} requests, but {answered} answers")
    if stats.misses != ways:
        found.append(f"{stats.misses} misses, but {ways} of them accounted for")
    if not 0 <= stats.loads <= did["loads"]:
        found.append(f"{did['loads']} loads ran, {stats.loads} were counted")
    return found
