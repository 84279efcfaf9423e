"""Measures the evaluation of alert rules and their preview against the targets and prints Markdown.

python -m tests.bench.bench_alerts
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, thread_time

import numpy as np

from perf.alerts.evaluator import Evaluator
from perf.alerts.preview import preview
from perf.alertsettings import AlertSettings, TargetSettings, WebhookSettings
from perf.clock import ManualClock, SystemClock
from perf.model import EVERY, AlertRule, Array, Metric, Sample, Severity, Window
from perf.runtime import Runtime
from perf.settings import Settings, StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.memory import MemoryStore
from tests.receivers import Request, receiver

T0 = 1_700_006_400.0
RULES = SERIES = 1_000
BREACHES = 60
WEEK = 7 * 86_400.0


def main() -> None:
    """All parts."""
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
    print(
        "\nThe preview of one rule over a week at 10 s (60,480 samples), the best of 5 in\nprocessor time; target 100 ms.\n"
    )
    print("| part | time | times fired |\n|---|---|---|")
    for name, values, alternatives in (
        ("the rule alone", rhythm(), False),
        ("with its 15 alternatives", rhythm(), True),
        ("pure noise around the limit, with its 15 alternatives", noise(), True),
    ):
        with tempfile.TemporaryDirectory(prefix="bench-alerts-") as folder:
            seconds, times = previewed(Path(folder), values, alternatives=alternatives)
        print(f"| {name} | {seconds * 1e3:.1f} ms | {times} |")
    print(
        f"\nFrom a sample that breaches to the receiver's socket, through the whole runtime: {BREACHES} at any moment; target 2 s.\n"
    )
    print("| p50 | p95 | max |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-alerts-") as folder:
        taken = told(Path(folder))
    print(f"| {np.percentile(taken, 50):.2f} s | {np.percentile(taken, 95):.2f} s | {max(taken):.2f} s |")


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


def rhythm() -> Array:
    """A week of days and nights, with some noise."""
    rough = np.convolve(np.random.default_rng(2).normal(0.0, 6.0, 60_480 + 29), np.ones(30) / 30**0.5, "valid")
    return np.asarray(60.0 + 15.0 * np.sin(np.arange(60_480) / 8_640 * 2 * np.pi) + rough)


def noise() -> Array:
    """A week that crosses the limit with every other sample."""
    return np.random.default_rng(2).normal(85.0, 6.0, 60_480)


def previewed(folder: Path, values: Array, *, alternatives: bool) -> tuple[float, int]:
    """Best seconds of the processor for a preview over a week of *values*, and how often the rule would have fired."""
    clock = ManualClock(T0 + WEEK)
    store = DuckDBStore(StoreSettings(path=str(folder / "week.duckdb")), clock)
    metric = Metric("cpu_usage_percent", unit="%")
    store.append([Sample(T0 + i * EVERY, metric, (), value) for i, value in enumerate(values.tolist())])
    rule = AlertRule(
        id="r", name="cpu", condition="name == 'cpu_usage_percent' and value > 85", for_seconds=60.0, keep_firing=30.0
    )
    window = Window(T0, T0 + WEEK)
    best = float("inf")
    for _ in range(5):
        began = process_time()
        found = preview(store, rule, window, alternatives=alternatives)
        best = min(best, process_time() - began)
    store.close()
    return best, found.times


def told(folder: Path) -> list[float]:
    """Seconds from handing in a sample of a new series to its notification at an HTTP receiver, of `BREACHES`."""
    clock = SystemClock()
    arrived: list[float] = []
    pause, random = threading.Event(), np.random.default_rng(3)

    def take(_: Request) -> tuple[int, dict[str, str]]:
        arrived.append(clock.monotonic())
        return 200, {}

    with receiver() as there:
        there.behave = take
        alerts = AlertSettings(
            webhook=WebhookSettings(urls=(there.url,)),
            targets=TargetSettings(plain_http=True, private=("127.0.0.0/8",)),
            channels=("webhook",),
            rate=1_000,
        )
        runtime = Runtime(Settings(store=StoreSettings(path=str(folder / "told.duckdb")), alerts=alerts))
        runtime.start()
        condition = "name == 'queue_depth' and value > 5"
        rule = AlertRule(id="r", name="deep", condition=condition, severity=Severity.CRITICAL)
        runtime.alerts.rules.save(rule, author="bench")
        pause.wait(EVERY + 2.0)  # A new rule is first looked at by an evaluation of everything.
        taken = []
        for number in range(BREACHES):
            pause.wait(float(random.uniform(0.0, 1.5)))
            began, count = clock.monotonic(), len(arrived)
            runtime.writer.submit([Sample(clock.now(), Metric("queue_depth"), (("queue", str(number)),), 99.0)])
            while len(arrived) == count and clock.monotonic() - began < EVERY * 3:
                pause.wait(0.005)
            taken.append(arrived[-1] - began)
        runtime.stop()
    return taken


if __name__ == "__main__":
    main()
