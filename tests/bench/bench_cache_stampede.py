"""How often a cold key, or one that fails, is loaded when all ask at once: threads of a process, and processes. Markdown.

python -m tests.bench.bench_cache_stampede
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import cachebox
import cachetools
from diskcache import Cache as DiskCache

from perf.cache import Cache, MemoryTier, cached
from perf.cache.tiers.file import FileTier
from perf.clock import SystemClock
from perf.errors import LoadFailed

CALLERS = 40
PROCESSES = 4
LOAD_SECONDS = 0.2
"""What a load takes: all come while it runs."""

Load = Callable[[str], int]


def loader(folder: Path, *, fails: bool) -> Load:
    """A function that leaves a file in *folder* for each time that it runs."""

    def load(_: str) -> int:
        (folder / f"{os.getpid()}.{threading.get_ident()}.{perf_counter_ns()}").touch()
        threading.Event().wait(LOAD_SECONDS)
        if fails:
            raise ValueError("no such order")
        return 1

    return load


def threads(*, fails: bool) -> dict[str, int]:
    """Executions for callers in threads, by who caches; ours first."""
    ours = Cache(memory=MemoryTier(2**20, SystemClock()), namespace="bench")
    contenders: dict[str, Callable[[Load], Load]] = {
        "ours": cached(cache=ours),
        "cachebox": cachebox.cached(cachebox.TTLCache(1000, 300)),
        "cachetools": cachetools.cached(cachetools.TTLCache(1000, 300), condition=threading.Condition()),
    }
    found = {}
    for name, decorate in contenders.items():
        with tempfile.TemporaryDirectory() as folder:
            call, ready = decorate(loader(Path(folder), fails=fails)), threading.Barrier(CALLERS)

            def ask(_: int, call: Load = call, ready: threading.Barrier = ready) -> None:
                ready.wait()
                with suppress(ValueError):
                    call("cold")

            with ThreadPoolExecutor(CALLERS) as pool:
                list(pool.map(ask, range(CALLERS)))
            found[name] = len(list(Path(folder).iterdir()))
    return found


def processes(*, fails: bool) -> dict[str, int]:
    """Likewise for processes that share a folder."""
    found = {}
    for name in ("ours", "diskcache"):
        with tempfile.TemporaryDirectory() as folder:
            (runs := Path(folder) / "runs").mkdir()
            context = multiprocessing.get_context("spawn")
            ready = context.Barrier(PROCESSES)
            started = [context.Process(target=_process, args=(name, folder, fails, ready)) for _ in range(PROCESSES)]
            for process in started:
                process.start()
            for process in started:
                process.join()
                assert process.exitcode == 0
            found[name] = len(list(runs.iterdir()))
    return found


def _process(name: str, folder: str, fails: bool, ready: Any) -> None:  # Any: multiprocessing's barrier has no type
    load, files = loader(Path(folder) / "runs", fails=fails), Path(folder) / "files"
    if name == "ours":
        clock = SystemClock()
        cache: Any = Cache(memory=MemoryTier(2**20, clock), outer=[FileTier(files, 2**24, clock)], namespace="bench")
        call = cached(cache=cache, key=lambda word: word)(load)
    else:
        cache = DiskCache(str(files))
        call = cache.memoize(name="bench")(load)
    ready.wait()
    with suppress(ValueError, LoadFailed):
        call("cold")
    cache.close()


def main() -> None:
    """Print the table."""
    print("| who asks | for a key | executions |\n|---|---|---|")
    for who, ask in ((f"{CALLERS} threads", threads), (f"{PROCESSES} processes", processes)):
        for fails in (False, True):
            found = ", ".join(f"{name} {count}" for name, count in ask(fails=fails).items())
            print(f"| {who} | {'that fails' if fails else 'cold'} | {found} |")


if __name__ == "__main__":
    main()
