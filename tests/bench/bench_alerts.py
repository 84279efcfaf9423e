"""Measures the evaluation of alert rules and their preview against the targets and prints Markdown.

python -m tests.bench.bench_alerts
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

import numpy as np

from perf.alerts.evaluator import Evaluator
from perf.alerts.preview import preview
from perf.alertsettings import AlertSettings
from perf.clock import ManualClock
from perf.model import EVERY, AlertRule, Metric, Sample, Window
from perf.settings import Settings, StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.memory import MemoryStore

T0 = 1_700_006_400.0
RULES = SERIES = 1_000
WEEK = 7 * 86_400.0


def main() -> None:
    """Both parts."""
    print(
        "Evaluating 1,000 rules over 1,000 series, the best of 20 evaluations and the median of their\nprocessor time; target 50 ms.\n"
    )
    print(
        "| metrics | pairs of rule and series | open incidents | best | median of processor time |\n|---|---|---|---|---|"
    )
    for metrics, limit in ((1_000, 2.0), (10, 2.0), (1, 2.0), (10, 0.999)):
        best, median, incidents = evaluations(metrics, limit)
        pairs = RULES * SERIES // metrics
        print(f"| {metrics:,} | {pairs:,} | {incidents:,} | {best * 1e3:.1f} ms | {median * 1e3:.1f} ms |")
    print("\nThe preview of one rule over a week at 10 s (60,480 samples), the best of 5; target 100 ms.\n")
    print("| part | time | times fired |\n|---|---|---|")
    for name, alternatives in (("the rule alone", False), ("with its 15 alternatives", True)):
        with tempfile.TemporaryDirectory(prefix="bench-alerts-") as folder:
            seconds, times = previewed(Path(folder), alternatives=alternatives)
        print(f"| {name} | {seconds * 1e3:.1f} ms | {times} |")


def evaluations(metrics: int, limit: float) -> tuple[float, float, int]:
    """Best seconds, and median seconds of the processor, of an evaluation of RULES rules over SERIES series of *metrics* metrics, and what is open."""
    clock = ManualClock(T0 + 1.0)
    store = MemoryStore(Settings().store, clock)
    kinds = [Metric(f"metric_{number}_ratio") for number in range(metrics)]
    for number in range(RULES):
        metric = kinds[number % metrics].name
        store.alerts.put_rule(
            AlertRule(id=str(number), name=f"rule {number}", condition=f"name == '{metric}' and value > {limit}"),
            "bench",
        )
    evaluator = Evaluator(store, store.alerts.commit, AlertSettings(), clock)
    random = np.random.default_rng(1)
    taken, busy = [], []
    for tick in range(22):
        values = random.random(SERIES).tolist()
        ts = T0 + tick * EVERY
        store.append([Sample(ts, kinds[n % metrics], (("n", str(n)),), value) for n, value in enumerate(values)])
        began, worked = perf_counter(), thread_time()
        evaluator.turn()
        taken.append(perf_counter() - began)
        busy.append(thread_time() - worked)
        clock.move(EVERY)
    return min(taken[2:]), median(busy[2:]), len(evaluator.incidents())


def previewed(folder: Path, *, alternatives: bool) -> tuple[float, int]:
    """Best seconds of a preview over a week, and how often the rule would have fired."""
    clock = ManualClock(T0 + WEEK)
    store = DuckDBStore(StoreSettings(path=str(folder / "week.duckdb")), clock)
    random = np.random.default_rng(2)
    noise = np.convolve(random.normal(0.0, 6.0, 60_480 + 29), np.ones(30) / 30**0.5, "valid")
    values = 60.0 + 15.0 * np.sin(np.arange(60_480) / 8_640 * 2 * np.pi) + noise
    metric = Metric("cpu_usage_percent", unit="%")
    store.append([Sample(T0 + i * EVERY, metric, (), value) for i, value in enumerate(values.tolist())])
    rule = AlertRule(id="r", name="cpu", condition="name == 'cpu_usage_percent' and value > 85", for_seconds=60.0)
    window = Window(T0, T0 + WEEK)
    best = float("inf")
    for _ in range(5):
        began = perf_counter()
        found = preview(store, rule, window, alternatives=alternatives)
        best = min(best, perf_counter() - began)
    store.close()
    return best, found.times


if __name__ == "__main__":
    main()
