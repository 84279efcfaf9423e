"""Measures distributions in the DuckDB store and prints Markdown: size, percentiles, heatmaps and tables, roll-up, append.

    python -m tests.bench.bench_distributions [--quick]

Twenty series of lognormal durations, 200 observations a second each; 14 hours of rolled-up minutes, and one hour of raw
seconds. The file lies in a temporary folder, which is removed at the end.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from perf.clock import ManualClock
from perf.model import (
    Across,
    Aggregate,
    Histogram,
    HistogramSample,
    Kind,
    Measurement,
    Metric,
    RangeQuery,
    Selector,
    Window,
)
from perf.settings import Retention, StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.views.distributions import distribution, heatmap, totals

T0 = 1_700_006_400.0
HOUR = 3_600.0
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
SERIES = 20
FOREVER = Retention(raw=1e9, minute=1e9, hour=1e9)


def main() -> None:
    """Fill, keep up, and ask."""
    parser = argparse.ArgumentParser(description="Measure distributions in the DuckDB store.")
    parser.add_argument("--quick", action="store_true", help="two hours of minutes, ten minutes of seconds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="bench-distributions-") as folder:
        minutes(Path(folder), hours=2 if quick else 14)
        seconds(Path(folder), span=600 if quick else 3600)


def minutes(folder: Path, *, hours: int) -> None:
    """Rows of a minute: bytes, and questions over all of them."""
    store, clock = opened(folder / "minutes.duckdb")
    empty = size(store)
    batches = [batch(T0 + 60 * minute, 12_000) for minute in range(60 * hours)]
    for samples in batches:
        store.append(samples)
    clock.move(hours * HOUR + 60)
    spent = timed(lambda: kept_up(store, clock))
    store._database.checkpoint()
    rows = SERIES * 60 * hours
    raw = DuckDBStore.sql(store, "SELECT count(*) FROM roll_1m_hist").rows[0][0]
    print(f"| what ({SERIES} series, {hours} h of minutes of 12,000 observations) | figure |\n|---|---|")
    print(f"| bytes a series-minute (raw row, minute and hour together) | {(size(store) - empty) / rows:.0f} |")
    print(f"| buckets a row | {buckets(store):.0f} |")
    print(f"| roll-up of {raw:,} rows to minutes, these to hours, and sealing | {spent * 1e6 / rows:.1f} µs a row |")
    window = Window(T0, T0 + hours * HOUR)

    def ask(aggregate: Aggregate, across: Across | None) -> Callable[[], object]:
        query = RangeQuery(selector=Selector(WAIT.name), window=window, step=120, aggregate=aggregate, across=across)
        return lambda: store.read(query)

    for what, question in (
        ("p95 of each series, steps of 2 min", ask(Aggregate.P95, None)),
        ("p95 of all merged, steps of 2 min", ask(Aggregate.P95, Across.MERGE)),
        ("count of each series, steps of 2 min", ask(Aggregate.COUNT, None)),
        ("heatmap of all, steps of 5 min", lambda: heatmap(store, Selector(WAIT.name), window, 300)),
        ("one distribution of all", lambda: distribution(store, Selector(WAIT.name), window)),
        ("table by total time", lambda: totals(store, WAIT.name, window, ["route"])),
    ):
        print(f"| {what} | {min(timed(question) for _ in range(7)) * 1e3:.1f} ms |")
    store.close()


def seconds(folder: Path, *, span: int) -> None:
    """Rows of a second: what appending and rolling up cost, and their size."""
    store, clock = opened(folder / "seconds.duckdb")
    empty = size(store)
    batches = [batch(T0 + second, 200) for second in range(span)]
    commits = [timed(lambda samples=samples: store.append(samples)) for samples in batches]
    clock.move(span + 60)
    spent = timed(lambda: kept_up(store, clock))
    rows = SERIES * span
    print(f"\n| what ({SERIES} series, {span} seconds of 200 observations) | figure |\n|---|---|")
    print(f"| commit of {SERIES} distributions, median | {np.median(commits) * 1e3:.2f} ms |")
    print(f"| roll-up | {spent * 1e6 / rows:.1f} µs a row, {spent / span * 100:.2f} % of a core |")
    clock.move(2 * 86_400.0)
    kept_up(store, clock)
    store._database.checkpoint()
    print(f"| bytes a row, sealed | {(size(store) - empty) / rows:.0f} |")
    window = Window(T0, T0 + span)
    query = RangeQuery(selector=Selector(WAIT.name), window=window, step=10, aggregate=Aggregate.P95)
    print(
        f"| p95 of each series, steps of 10 s | {min(timed(lambda: store.read(query)) for _ in range(5)) * 1e3:.1f} ms |"
    )
    store.close()


def batch(ts: float, observations: int) -> list[Measurement]:
    """One distribution a series."""
    source = np.random.default_rng(int(ts))
    return [
        HistogramSample(ts, WAIT, (("route", f"/{number}"),), histogram(source.lognormal(-4, 0.6, observations)))
        for number in range(SERIES)
    ]


def histogram(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Histogram:
    """`Histogram.of`, faster."""
    indexes, counts = np.unique(np.ceil(np.log2(values) * 16).astype(int) - 1, return_counts=True)
    return Histogram(
        count=len(values),
        total=float(values.sum()),
        low=float(values.min()),
        high=float(values.max()),
        buckets=dict(zip(indexes.tolist(), counts.tolist(), strict=True)),
    )


def opened(path: Path) -> tuple[DuckDBStore, ManualClock]:
    """A new store that keeps everything."""
    clock = ManualClock(T0)
    return DuckDBStore(StoreSettings(path=str(path), retention=FOREVER, free_space_floor=0), clock), clock


def kept_up(store: DuckDBStore, clock: ManualClock) -> None:
    """Upkeep until nothing is due."""
    marks = None
    while marks != (marks := (store._upkeep.marks, store._upkeep.new_rows)):
        store.maintain(clock.now())


def buckets(store: DuckDBStore) -> float:
    """Mean number of buckets of a minute."""
    return float(str(store.sql("SELECT avg(cardinality(h))::DOUBLE FROM roll_1m_hist").rows[0][0]))


def size(store: DuckDBStore) -> int:
    """Bytes of the file in use."""
    text = "SELECT used_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()"
    return int(str(store.sql(text).rows[0][0]))


def timed(work: Callable[[], object]) -> float:
    """Seconds that *work* takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


if __name__ == "__main__":
    main()
