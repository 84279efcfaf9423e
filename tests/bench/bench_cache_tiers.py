"""What hits of the memory and file tiers cost beside their floors, and the hit ratio beside LRU. Prints Markdown.

python -m tests.bench.bench_cache_tiers            (one process, rounds interleaved, minimum of each)
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import pandas as pd

from perf.cache.copying import shared
from perf.cache.entry import Entry
from perf.cache.envelope import Secret, seal, unseal
from perf.cache.keys import FunctionKeys
from perf.cache.options import EntryOptions
from perf.cache.tiers.file import FileTier
from perf.cache.tiers.memory import MemoryTier
from perf.clock import SystemClock
from perf.model import Held

ROUNDS = 250
"""Many short ones: on a shared machine a long one is never undisturbed."""
FOREVER = float("inf")


class Row(msgspec.Struct):
    """What was measured: *seconds* beside those of *floor*, and the ratio that it may have."""

    name: str
    seconds: float
    floor: float
    target: float | None = None


def fastest(*calls: Callable[[], object], number: int) -> list[float]:
    """Seconds per call of each: *number* at a time, rounds interleaved, minimum."""
    best = [FOREVER] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            started = perf_counter()
            for _ in range(number):
                call()
            best[place] = min(best[place], (perf_counter() - started) / number)
    return best


def memory() -> list[Row]:
    tier = MemoryTier(1 << 20, SystemClock())
    tier.put("key", Entry(value=1, fresh_until=FOREVER, stale_until=FOREVER, size=28))
    plain, keys = {"key": 1}, FunctionKeys("n", "1", lambda text: text)
    keys(("text",), {})
    nothing, floor, hit, key = fastest(
        lambda: None, lambda: plain.get("key"), lambda: tier.get("key"), lambda: keys(("text",), {}), number=2_000
    )
    floor -= nothing
    return [Row("memory hit", hit - nothing, floor), Row("key of f(text)", key - nothing, floor)]


def frame() -> list[Row]:
    value = pd.DataFrame({f"c{place}": np.random.default_rng(place).random(11_500) for place in range(10)})
    value["name"] = [f"name {number % 50}" for number in range(11_500)]
    copier, pickled = shared(value), pickle.dumps(value, protocol=5)
    assert copier is not None
    floor, copied = fastest(lambda: pickle.loads(pickled), lambda: copier(value), number=3)
    return [Row("pandas frame, isolated", copied, floor, 0.25)]


def file(folder: Path) -> list[Row]:
    rows = []
    disk = _diskcache(folder)
    for size, target, number in ((1_000, 2.0, 50), (1_000_000, 1.6, 3)):
        tier, data = FileTier(folder / f"ours {size}", 64 << 20, SystemClock()), os.urandom(size)
        tier.write("key", Held(data, FOREVER, FOREVER), [], None)
        path = str(folder / f"plain {size}")
        Path(path).write_bytes(data)

        def plain(path: str = path, size: int = size) -> None:
            fd = os.open(path, os.O_RDONLY)
            os.read(fd, size + 1)
            os.close(fd)

        calls = [plain, lambda tier=tier: tier.read("key")]
        if disk is not None:
            disk.set(size, data)
            calls.append(lambda size=size: disk.get(size))
        floor, ours, *other = fastest(*calls, number=number)
        rows.append(Row(f"file hit {size:,} B", ours, floor, target))
        rows += [Row(f"file hit {size:,} B beside diskcache", ours, peer, 0.8) for peer in other]
        tier.close()
    return rows


def sealed() -> list[Row]:
    options, value = EntryOptions(compress_threshold=1 << 30), os.urandom(1_000)
    rows = []
    floor = fastest(lambda: msgspec.msgpack.decode(msgspec.msgpack.encode(value)), number=50)[0]
    for name, secret in (("checksum", None), ("GMAC", Secret(b"x")), ("GCM", Secret(b"x", encrypt=True))):
        data = seal(value, "key", options=options, secret=secret)
        taken = fastest(lambda data=data, secret=secret: unseal(data, "key", secret=secret), number=50)[0]
        rows.append(Row(f"unseal 1,000 B, {name}", taken, floor))
    return rows


def _diskcache(folder: Path):  # type: ignore[no-untyped-def]  # the peer is optional, and has no types
    try:
        from diskcache import Cache
    except ModuleNotFoundError:
        return None
    return Cache(str(folder / "diskcache"))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = [*memory(), *frame(), *file(Path(folder)), *sealed()]
    print("| path | µs | floor µs | ratio | target |\n|---|---|---|---|---|")
    late = 0
    for row in rows:
        ratio = row.seconds / row.floor
        print(f"| {row.name} | {row.seconds * 1e6:.2f} | {row.floor * 1e6:.2f} | {ratio:.2f} | {row.target or ''} |")
        late += row.target is not None and ratio > row.target * 1.5
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
