"""What a process holds while it is under load, and whether any of it grows."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, Self
from urllib.request import urlopen

import numpy as np
import psutil

WARM = 0.4
"""Share of the time in which caches fill and allocators settle; growth is looked for after it."""


class Held(NamedTuple):
    """What the process held at a moment: seconds since the start, MiB, threads, file handles, MiB of the write-ahead log."""

    at: float
    memory: float
    threads: float
    handles: float
    log: float


class Growth:
    """Looks at the process *pid* and its store's file every *every* seconds until it is told to stop."""

    def __init__(self, pid: int, store: Path, *, every: float = 2.0) -> None:
        self._process, self._log = psutil.Process(pid), store.with_name(store.name + ".wal")
        self._every, self._stop = every, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: list[Held] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        began = perf_counter()
        while not self._stop.wait(self._every):
            with self._process.oneshot():
                memory, threads = self._process.memory_info().rss / 2**20, self._process.num_threads()
            log = self._log.stat().st_size / 2**20 if self._log.exists() else 0.0
            self.seen.append(Held(perf_counter() - began, memory, threads, self._process.num_fds(), log))

    def change(self, name: str) -> tuple[float, float]:
        """Median of *name* in the first and the last third of what comes after warming up."""
        warm = [one for one in self.seen if one.at >= WARM * self.seen[-1].at]
        third = max(1, len(warm) // 3)
        values = np.array([getattr(one, name) for one in warm])
        return float(np.median(values[:third])), float(np.median(values[-third:]))


def metric(url: str, name: str) -> float:
    """The newest value of the metric *name*, which has one series, from ``/metrics`` of the process at *url*."""
    with urlopen(f"{url}/metrics", timeout=10.0) as answer:
        found = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)", answer.read().decode(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{url}/metrics has no {name}")
    return float(found[1])
