"""Recording against its targets, and against prometheus_client, OpenTelemetry and Sentry in the same process; Markdown.

    python -m tests.bench.bench_recording [--quick]

Interleaved rounds; each figure is the least of all rounds. Ratios are to two clocks and a wrapper, which is what any timing costs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from itertools import repeat
from time import perf_counter_ns, process_time
from typing import Any

import numpy as np
import prometheus_client
import sentry_sdk
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from perf.clock import SystemClock
from perf.model import Kind, Metric
from perf.monitoring import PerformanceTimer
from perf.record import Recorder
from perf.record.timers import Timer, recorded
from perf.record.watch import Watch

JOB = Metric("job_seconds", Kind.HISTOGRAM, "s")
EVENTS = 10_000


def nothing() -> None:
    """What is measured around."""


async def nothing_async() -> None:
    """Likewise."""


def floor(function: Callable[[], object]) -> Callable[[], object]:
    """Two clocks and a wrapper."""

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:  # any signature
        began = perf_counter_ns()
        result = function(*args, **kwargs)
        took = perf_counter_ns() - began  # noqa: F841 - what is measured
        return result

    return timed


class Nowhere(SpanExporter):
    """Takes every span, and keeps none."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def peers() -> dict[str, Callable[[], object]]:
    """The same function, recorded by others as their guides say."""
    registry = prometheus_client.CollectorRegistry()
    prometheus = prometheus_client.Histogram("job_seconds", "A job.", registry=registry)
    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench")
    histogram = meter.create_histogram("job", unit="s")
    attributes = {"function": "nothing"}
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    tracer = provider.get_tracer("bench")
    sentry_sdk.init(dsn="", traces_sample_rate=1.0, default_integrations=False, auto_enabling_integrations=False)

    def otel_histogram() -> None:
        began = perf_counter_ns()
        nothing()
        histogram.record((perf_counter_ns() - began) / 1e9, attributes)

    def otel_span() -> None:
        with tracer.start_as_current_span("nothing"):
            nothing()

    return {
        "prometheus_client @Histogram.time()": prometheus.time()(nothing),
        "OpenTelemetry histogram": otel_histogram,
        "OpenTelemetry span": otel_span,
        "Sentry @trace in a transaction": sentry_sdk.trace(nothing),
    }


def least(
    calls: dict[str, Callable[[], object]], rounds: int, number: int, between: Callable[[], object]
) -> dict[str, float]:
    """Nanoseconds of one call of each; *between* comes after every round, off the clock."""
    best = dict.fromkeys(calls, float("inf"))
    with sentry_sdk.start_transaction(name="bench"):
        for _ in range(rounds):
            for name, call in calls.items():
                count = (
                    number if name in ("bare", "two clocks and a wrapper") or name.startswith("perf") else number // 10
                )
                began = perf_counter_ns()
                for _ in repeat(None, count):
                    call()
                best[name] = min(best[name], (perf_counter_ns() - began) / count)
            between()
    return best


def sync_table(rounds: int) -> None:
    """What one recorded call costs."""
    recorder = Recorder(SystemClock(), capacity=16_384)
    recorder.max_share = float("inf")  # Else it would begin to sample.
    watch = Watch(recorder, JOB, {"function": "block"})
    series = recorder.distribution(JOB)
    apart = Recorder(SystemClock(), capacity=16_384)  # The drain would end its sampling.
    sampled = recorded(nothing, apart, name="sampled")
    sampled()
    apart._distributions()[0].sample(100)

    def block() -> None:
        with Timer(watch):
            nothing()

    def timer() -> None:
        with PerformanceTimer("block", "bench", recorder=recorder):
            nothing()

    calls: dict[str, Callable[[], object]] = {
        "bare": nothing,
        "two clocks and a wrapper": floor(nothing),
        "perf @track_performance": recorded(nothing, recorder),
        "perf, one call in 100 measured": sampled,
        "perf with Timer, made before": block,
        "perf with PerformanceTimer": timer,
        "perf Distribution.record()": lambda: series.record(0.5),
        **peers(),
    }
    best = least(calls, rounds, 5_000, between=lambda: recorder.drain(1.0))
    base = best["two clocks and a wrapper"]
    print("| one call | ns | ratio | target |\n|---|---:|---:|---|")
    for name, nanoseconds in best.items():
        target = "<= 1.5" if name == "perf @track_performance" else ""
        print(f"| {name} | {nanoseconds:,.0f} | {nanoseconds / base:.2f} | {target} |")


def async_table(rounds: int) -> None:
    """What a recorded coroutine costs more than a bare one."""
    recorder = Recorder(SystemClock(), capacity=16_384)

    async def timed(function: Callable[[], Awaitable[object]], number: int) -> float:
        began = perf_counter_ns()
        for _ in repeat(None, number):
            await function()
        return (perf_counter_ns() - began) / number

    async def main() -> list[float]:
        functions = (nothing_async, recorded(nothing_async, recorder))
        best = [float("inf"), float("inf")]
        for _ in range(rounds):
            for index, function in enumerate(functions):
                best[index] = min(best[index], await timed(function, 5_000))
        return best

    bare, with_perf = asyncio.run(main())
    print("\n| one coroutine | ns | target |\n|---|---:|---|")
    print(f"| bare | {bare:,.0f} | |\n| perf @track_performance | +{with_perf - bare:,.0f} | <= +600 |")


def drain_table(rounds: int) -> None:
    """What the drain costs."""
    print("\n| drain | ns an event | target |\n|---|---:|---|")
    raw = [int(value) for value in np.random.default_rng(1).lognormal(14, 1.5, 100_000)]
    for series, events in ((1, 100_000), (10, 10_000), (100, 1_000), (100, 100), (1_000, 10)):
        recorder = Recorder(SystemClock())
        made = [recorder.distribution(JOB, {"job": str(number)}) for number in range(series)]
        best = float("inf")
        for _ in range(rounds):
            for one in made:
                one.mode = 0
                for value in raw[:events]:
                    one.record_ns(value)
            began = perf_counter_ns()
            recorder.drain(1.0)
            best = min(best, (perf_counter_ns() - began) / (series * events))
        target = "<= 60" if events >= 1_000 else ""
        print(f"| {series:,} series, {events:,} events each | {best:.0f} | {target} |")


def share_table(seconds: int) -> None:
    """CPU of recording and draining 10,000 events a second, against the same work without."""
    recorder = Recorder(SystemClock(), capacity=16_384)
    functions = [recorded(nothing, recorder, name=f"job {number}") for number in range(20)]
    plain = [nothing] * 20

    def second(work: list[Callable[[], None]], *, drain: bool) -> float:
        gc.collect()
        began = process_time()
        for index in range(EVENTS):
            work[index % 20]()
        if drain:
            recorder.drain(1.0)
        return process_time() - began

    with_perf, without = [], []
    second(functions, drain=True)
    for _ in range(seconds):
        without.append(second(plain, drain=False))
        with_perf.append(second(functions, drain=True))
    share = float(np.median(with_perf) - np.median(without))
    print("\n| perf at 10,000 events/s, 20 functions | target |\n|---|---|")
    print(f"| {share:.2%} of a core, one drain a second included (median of {seconds}) | <= 1 % |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Measure recording.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 10 if parser.parse_args().quick else 60
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} rounds\n")
    sync_table(rounds)
    async_table(rounds)
    drain_table(3 if rounds == 10 else 8)
    share_table(10 if rounds == 10 else 30)


if __name__ == "__main__":
    main()
