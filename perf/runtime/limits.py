"""What perf's own process may take, and whether it takes more: judged in steps, so that one spike changes nothing."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import msgspec
import psutil

from perf.model import Kind, Metric, Sample
from perf.ports import Clock
from perf.settings import ProductionSettings

USE = Metric("perf_limit_ratio", Kind.GAUGE, "1", "What perf's process takes of its limit, by resource.")
SHED = Metric("perf_shed_requests_total", Kind.COUNTER, "1", "Requests that were refused because perf took too much.")

_log = logging.getLogger(__name__)

LIMIT_SECONDS = 5.0
"""How often it is judged."""
SPAN = 30.0
"""Seconds over which CPU is averaged."""
TURNS = 2
"""Turns in a row that change the verdict."""
CALM = 0.9
"""The share of a limit below which it is kept again."""


class Strain(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one resource: whether it is *over* its limit, and for how many turns the opposite was seen."""

    over: bool = False
    against: int = 0


def step(before: Strain, ratio: float) -> Strain:
    """The verdict after a turn at *ratio* of the limit: two turns above it, or two below nine tenths, change it."""
    opposite = ratio < CALM if before.over else ratio > 1.0
    against = before.against + 1 if opposite else 0
    return Strain(over=not before.over) if against >= TURNS else Strain(over=before.over, against=against)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a process takes: resident memory in bytes, CPU time since its start in seconds."""

    memory: float
    cpu_seconds: float


def own_reading() -> Reading:
    """What our own process takes."""
    process = psutil.Process(os.getpid())
    times = process.cpu_times()
    return Reading(memory=float(process.memory_info().rss), cpu_seconds=times.user + times.system)


class OwnLimits:
    """The limits of this process in *settings*; *relieve* is called in every turn in which memory is over its limit."""

    def __init__(
        self,
        settings: ProductionSettings,
        clock: Clock,
        *,
        read: Callable[[], Reading] = own_reading,
        relieve: Callable[[], object],
    ) -> None:
        limits = {"memory": float(settings.max_memory), "cpu": settings.max_cpu_percent}
        self._limits = {name: limit for name, limit in limits.items() if limit}
        self._clock, self._read, self._relieve = clock, read, relieve
        self._spent: deque[tuple[float, float]] = deque()
        self._strains: dict[str, Strain] = dict.fromkeys(self._limits, Strain())
        self._use: dict[str, float] = {}
        self._shed = 0
        self._lock = threading.Lock()
        self.retry_after = settings.retry_after

    @property
    def set(self) -> bool:
        """Whether there is any limit."""
        return bool(self._limits)

    def turn(self) -> None:
        """Look, judge, and make room when memory is over its limit."""
        reading, moment = self._read(), self._clock.monotonic()
        self._spent.append((moment, reading.cpu_seconds))
        while len(self._spent) > 2 and moment - self._spent[1][0] >= SPAN:
            self._spent.popleft()
        first, spent = self._spent[0]
        use = {"memory": reading.memory}
        if moment > first:
            use["cpu"] = 100.0 * (reading.cpu_seconds - spent) / (moment - first)
        self._use = {name: value for name, value in use.items() if name in self._limits}
        for name, value in self._use.items():
            before = self._strains[name]
            self._strains[name] = after = step(before, value / self._limits[name])
            if after.over != before.over:
                _log.warning("%s: %s", "limit exceeded" if after.over else "limit kept again", self._sentence(name))
        if self._strains.get("memory", Strain()).over:
            self._relieve()

    def over(self) -> list[str]:
        """Which limits are exceeded, in sentences; none is said when perf keeps them."""
        return [self._sentence(name) for name, strain in self._strains.items() if strain.over]

    def use(self) -> Mapping[str, tuple[float, float]]:
        """Resource -> (what is taken, its limit): bytes of memory, percent of one core."""
        return {name: (value, self._limits[name]) for name, value in self._use.items()}

    def shed(self) -> None:
        """Count a request that was refused."""
        with self._lock:
            self._shed += 1

    def samples(self, ts: float) -> Iterable[Sample]:
        """What is taken of each limit, and how many requests were refused so far, stamped *ts*."""
        for name, (value, limit) in self.use().items():
            yield Sample(ts, USE, (("resource", name),), value / limit)
        yield Sample(ts, SHED, (), float(self._shed))

    def _sentence(self, name: str) -> str:
        value, limit = self.use()[name]
        if name == "memory":
            return f"perf takes {value / 2**20:.0f} MiB of memory (limit {limit / 2**20:.0f} MiB)"
        return f"perf takes {value:.0f} % of a core (limit {limit:g} %)"
