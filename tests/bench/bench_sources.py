"""CPU time of one reading of each source, beside the target and beside the same questions asked naively.

python -m tests.bench.bench_sources
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from statistics import median
from threading import Event
from time import process_time_ns

import psutil

from perf.clock import SystemClock
from perf.model import Sample
from perf.ports import Source
from perf.settings import HostSettings, ProcessSettings
from perf.sources.disks import DiskSource
from perf.sources.host import HostSource
from perf.sources.pressure import PressureSource
from perf.sources.process import ProcessSource
from perf.sources.sampler import Scheduled

TARGET_MS = 1.0
ROUNDS = 30
REPEATS = 10
SECONDS = 9


def reading(source: Source) -> list[Sample]:
    """One whole reading."""
    return list(source.collect(1.0))


def naive_host() -> None:
    """The questions of the host source, one psutil call each, as monitors written on psutil ask them."""
    psutil.cpu_percent()
    psutil.cpu_percent(percpu=True)
    psutil.cpu_times_percent()
    psutil.cpu_times_percent(percpu=True)
    psutil.getloadavg()
    psutil.virtual_memory()
    psutil.swap_memory()
    psutil.disk_io_counters(perdisk=True)
    psutil.net_io_counters(pernic=True)
    psutil.net_if_stats()


def naive_disks() -> None:
    """Usage of every partition."""
    for partition in psutil.disk_partitions():
        psutil.disk_usage(partition.mountpoint)


def naive_processes() -> None:
    """Every process with the values a process table shows."""
    fields = ["cpu_percent", "memory_info", "num_threads", "num_fds", "io_counters", "name", "status", "username"]
    list(psutil.process_iter(fields))


def cpu_ms(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU milliseconds of one call of each: the least of interleaved rounds."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            begin = process_time_ns()
            for _ in range(REPEATS):
                call()
            best[name] = min(best[name], (process_time_ns() - begin) / REPEATS / 1e6)
    return best


def paced_ms(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU milliseconds of one call of each when they come once a second, with cold caches: the median."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    pause = Event()
    for _ in range(SECONDS):
        pause.wait(1.0)
        for name, call in calls.items():
            begin = process_time_ns()
            call()
            spent[name].append((process_time_ns() - begin) / 1e6)
    return {name: median(values) for name, values in spent.items()}


def main() -> None:
    """Print a table, and what it comes to at the default intervals."""
    clock, host, process = SystemClock(), HostSettings(), ProcessSettings()
    scheduled = [
        Scheduled("host", HostSource(host, clock), host.interval),
        Scheduled("pressure", PressureSource(host, clock), host.interval),
        Scheduled("disks", DiskSource(host, clock), host.slow_interval),
        Scheduled("process", ProcessSource(process, clock), process.interval),
        Scheduled("process by name", ProcessSource(ProcessSettings(names=("python",)), clock), process.interval),
    ]
    calls: dict[str, Callable[[], object]] = {one.name: partial(reading, one.source) for one in scheduled}
    calls |= {"naive host": naive_host, "naive disks": naive_disks, "naive processes": naive_processes}
    best, paced = cpu_ms(calls), paced_ms(calls)
    print(f"{os.cpu_count()} cores, {len(psutil.pids())} processes; CPU of one reading in ms")
    print(f"{'':<16} {'in a row':>9} {'each second':>12}")
    for name in calls:
        print(f"{name:<16} {best[name]:>9.3f} {paced[name]:>12.3f}")
    print(f"host cycle: {paced['host']:.3f} ms each second, target {TARGET_MS} ms")
    print(f"all sources: {sum(paced[one.name] / one.interval for one in scheduled):.3f} ms each second")


if __name__ == "__main__":
    main()
