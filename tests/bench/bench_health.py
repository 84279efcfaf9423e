"""What health checks cost: their history over two weeks, and an answer while a probe hangs. Prints Markdown.

python -m tests.bench.bench_health
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from perf.clock import SystemClock
from perf.health import HealthChecker
from perf.health.plan import Plan
from perf.model import ProbeResult, Status
from perf.runtime import open_store
from perf.settings import StoreSettings
from perf.views import health

PROBES = [f"probe{n}" for n in range(12)]
MINUTES = 14 * 1_440
RANGES = ((86_400.0, 48), (604_800.0, 56), (2_592_000.0, 60))


class Quick:
    """Is well at once."""

    def check(self) -> ProbeResult:
        return ProbeResult(name="", status=Status.HEALTHY, message="", ts=0.0)


class Hanging:
    """Never answers."""

    def check(self) -> ProbeResult:
        threading.Event().wait()
        raise AssertionError


def timed(act: Callable[[], object], times: int = 7) -> float:
    """The median duration of *act* in seconds, after one run that doesn't count."""
    act()
    found = []
    for _ in range(times):
        began = perf_counter()
        act()
        found.append(perf_counter() - began)
    return median(found)


def main() -> None:
    """Print the table."""
    clock = SystemClock()
    now = clock.now()
    print("| what | took |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(StoreSettings(path=str(Path(folder) / "perf.duckdb")), clock)
        for minute in range(0, MINUTES, 1_440):
            moments = [now - 60.0 * (MINUTES - at) for at in range(minute, minute + 1_440)]
            status = [Status.HEALTHY, Status.UNHEALTHY]
            store.probes.keep(
                [
                    ProbeResult(name=name, status=status[n % 400 == 0], message="fine", ts=ts)
                    for n, ts in enumerate(moments)
                    for name in PROBES
                ]
            )
        for seconds, cells in RANGES:
            window, step = health.aligned(seconds, cells, now)
            took = timed(lambda: health.uptimes(store, PROBES, window, step, now))  # noqa: B023 - run at once
            print(f"| uptime of 12 probes, {seconds / 86_400:.0f} d in {cells} cells | {1e3 * took:.0f} ms |")
        took = timed(lambda: health.history(store, PROBES[0], window, 200))
        print(f"| states of one probe, 30 d | {1e3 * took:.0f} ms |")
        store.close()
    probes = {**{name: Quick() for name in PROBES}, "hanging": Hanging()}
    plans = {name: Plan(timeout=0.5) for name in probes}
    checker = HealthChecker(probes, clock, plans=plans)
    checker.check()
    checker.turn()
    print(f"| /health from memory while a probe hangs | {1e6 * timed(checker.check, 999):.0f} µs |")


if __name__ == "__main__":
    main()
