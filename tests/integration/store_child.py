"""A program that appends numbered batches until it is killed: prints each number after its commit."""

from __future__ import annotations

import sys

from perf.clock import SystemClock
from perf.model import Exemplar, Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore

BATCH = 100
T0 = 1_700_000_000.0
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")


def say(line: str) -> None:
    """Tell the test, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def batch(number: int, metrics: list[Metric]) -> list[Measurement]:
    """`BATCH` samples, a distribution of as many observations, and a slow call; each tells the *number*."""
    ts, told = T0 + number, float(number)
    samples = [Sample(ts, metrics[n % 10], (("n", str(n)),), told) for n in range(BATCH)]
    return [
        *samples,
        HistogramSample(ts, WAIT, (), Histogram.of([told] * BATCH)),
        Exemplar(ts=ts, metric=WAIT, labels=(), seconds=told),
    ]


def main() -> None:
    """Arguments: path of the store, first number; upkeep and tiny logs keep checkpoints coming."""
    path, number = sys.argv[1], int(sys.argv[2])
    store = DuckDBStore(StoreSettings(path=path, wal_limit=20_000, seal_every=60.0), SystemClock())
    metrics = [Metric(f"m{index}") for index in range(10)]
    say("ready")
    while True:
        store.append(batch(number, metrics), [("child", number)])
        say(str(number))
        if number % 5 == 0:
            store.maintain(T0 + number)
        number += 1


if __name__ == "__main__":
    main()
