"""CPU, memory, threads, open files and disk traffic of perf's own process and of chosen others."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator

import psutil

from perf.model import Kind, Labels, Metric, Sample
from perf.ports import Clock
from perf.settings import ProcessSettings

CPU = Metric("process_cpu_percent", Kind.GAUGE, "%", "CPU time a process used, of one core.")
MEMORY = Metric("process_memory_bytes", Kind.GAUGE, "By", "Memory of a process that is in RAM.")
THREADS = Metric("process_threads", Kind.GAUGE, "1", "Threads of a process.")
FILES = Metric("process_open_files", Kind.GAUGE, "1", "Files, sockets and pipes a process has open.")
READ = Metric("process_read_bytes_total", Kind.COUNTER, "By", "Bytes a process caused to be read from disks.")
WRITTEN = Metric("process_write_bytes_total", Kind.COUNTER, "By", "Bytes a process caused to be written to disks.")

OWN = "perf"
_FORGET_NAMES = 60.0


class _Watched:
    """One process, the name it is shown under, and its last CPU reading: (monotonic seconds, CPU seconds)."""

    def __init__(self, process: psutil.Process, name: str) -> None:
        self.process = process
        self.name = name
        self.reading: tuple[float, float] | None = None


class ProcessSource:
    """Watches processes by pid and start time: one that ends disappears, and its pid's next owner is another."""

    def __init__(self, options: ProcessSettings, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._own = os.getpid()
        self._watched = {self._own: _Watched(psutil.Process(self._own), OWN)}
        self._awaited = set(options.pids) - {self._own}
        self._names: dict[int, str] = {}
        self._names_since = clock.monotonic()

    def collect(self, ts: float) -> Iterable[Sample]:
        """Samples of every watched process that runs, stamped *ts*. CPU is absent from a process's first one."""
        self._watched = {pid: one for pid, one in self._watched.items() if one.process.is_running()}
        self._find_pids()
        if self._options.names:
            self._find_names()
        namesakes = Counter(one.name for one in self._watched.values())
        for pid, one in self._watched.items():
            labels: Labels = (("process", one.name),)
            if namesakes[one.name] > 1 and pid != self._own:
                labels = (("pid", str(pid)), *labels)
            try:
                with one.process.oneshot():
                    yield from self._read(ts, one, labels)
            except psutil.Error:  # It ended, or belongs to somebody who hides it.
                continue

    def _find_pids(self) -> None:
        """Take each chosen pid when it is seen first; its later owners are not meant."""
        for pid in tuple(self._awaited):
            try:
                process = psutil.Process(pid)
                name = process.name()
            except psutil.Error:
                continue
            self._watched[pid] = _Watched(process, name)
            self._awaited.discard(pid)

    def _find_names(self) -> None:
        """Take every process with a chosen name.

        Names of known pids are read again only once a minute: reading all costs 20 microseconds each, and a process
        gets its final name within moments, when it executes its program.
        """
        moment = self._clock.monotonic()
        if moment - self._names_since >= _FORGET_NAMES:
            self._names, self._names_since = {}, moment
        known, self._names = self._names, {}
        for pid in psutil.pids():
            try:
                if pid not in known:
                    known[pid] = psutil.Process(pid).name()
                self._names[pid] = known[pid]
                if known[pid] in self._options.names and pid not in self._watched:
                    self._take(pid)
            except psutil.Error:
                continue

    def _take(self, pid: int) -> None:
        process = psutil.Process(pid)
        name = process.name()
        if name in self._options.names:  # The pid may have a new owner since its name was read.
            self._watched[pid] = _Watched(process, name)

    def _read(self, ts: float, one: _Watched, labels: Labels) -> Iterator[Sample]:
        cpu = self._cpu_percent(one)
        if cpu is not None:
            yield Sample(ts, CPU, labels, cpu)
        yield Sample(ts, MEMORY, labels, float(one.process.memory_info().rss))
        yield Sample(ts, THREADS, labels, float(one.process.num_threads()))
        with contextlib.suppress(psutil.AccessDenied):
            yield Sample(ts, FILES, labels, float(one.process.num_fds()))
        yield from _traffic(ts, one.process, labels)

    def _cpu_percent(self, one: _Watched) -> float | None:
        times, moment = one.process.cpu_times(), self._clock.monotonic()
        now = (moment, times.user + times.system)
        before, one.reading = one.reading, now
        return None if before is None else cpu_percent(before, now)


def cpu_percent(before: tuple[float, float], after: tuple[float, float]) -> float | None:
    """CPU use between two readings (monotonic seconds, CPU seconds), in percent of one core; None without a span."""
    elapsed = after[0] - before[0]
    return round(max(0.0, 100.0 * (after[1] - before[1]) / elapsed), 2) if elapsed > 0.0 else None


def _traffic(ts: float, process: psutil.Process, labels: Labels) -> Iterator[Sample]:
    if not hasattr(process, "io_counters"):  # macOS
        return
    try:
        traffic = process.io_counters()
    except (psutil.AccessDenied, OSError):  # Some kernels have no /proc/<pid>/io.
        return
    yield Sample(ts, READ, labels, float(traffic.read_bytes))
    yield Sample(ts, WRITTEN, labels, float(traffic.write_bytes))
