"""Measures the DuckDB store against its targets and prints Markdown.

    python -m tests.bench.bench_store [--quick] [--only ingest,reads,size]

Every table says how its figures are taken. The files lie in a temporary folder (about 1.5 GB without --quick), which is
removed at the end.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

from perf.clock import ManualClock
from perf.model import Across, Aggregate, Kind, Metric, RangeQuery, RowOrder, RowsQuery, Sample, Selector, Window
from perf.settings import Retention, StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.duckdb.connection import run

T0 = 1_700_006_400.0
FOREVER = Retention(raw=1e9, minute=1e9, hour=1e9)


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description="Measure the DuckDB store.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--only", default="ingest,reads,size", help="parts, separated by commas")
    options = parser.parse_args()
    for part in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
            {"ingest": ingest, "reads": reads, "size": size}[part](Path(folder), quick=options.quick)


def ingest(folder: Path, *, quick: bool) -> None:
    """Sample values through `append`: 200-row commits beside two readers, then 2,000-row batches alone."""
    seconds = 3.0 if quick else 15.0
    metrics = [Metric(f"metric_{number}", Kind.GAUGE) for number in range(20)]
    labels = [(("core", str(number)),) for number in range(10)]

    def batch(tick: int, ticks: int) -> list[Sample]:
        return [
            Sample(T0 + tick + offset, metric, label, float((tick * 7 + index) % 1000))
            for offset in range(ticks)
            for index, metric in enumerate(metrics)
            for label in labels
        ]

    store, clock = opened(folder / "ingest.duckdb")
    stop = threading.Event()
    waits: list[float] = []
    readers = [threading.Thread(target=read_along, args=(store, clock, stop, waits)) for _ in range(2)]
    for reader in readers:
        reader.start()
    commits, upkeep, total = appended(store, clock, lambda tick: batch(tick, 1), 1, seconds)
    stop.set()
    for reader in readers:
        reader.join()
    heading("Ingest", "`append` of Sample values, upkeep every 60 ticks; rate over append time and upkeep together")
    row("200-row commits, 2 readers, samples/s", f"{total:,.0f}", ">= 100,000")
    row("200-row commits, p50 / p99 / max ms", triple(commits), "p99 <= 25")
    row("upkeep turn beside them, p50 / p99 / max ms", triple(upkeep), "max <= 500")
    row("readers' questions, p50 / p99 / max ms", triple(waits), "p95 <= 100")
    store.close()
    store, clock = opened(folder / "flat.duckdb")
    commits, _, total = appended(store, clock, lambda tick: batch(tick, 10), 10, seconds)
    row("2,000-row batches alone, samples/s", f"{total:,.0f}", ">= 400,000")
    row("2,000-row commits, p50 / p99 / max ms", triple(commits), "")
    store.close()


def appended(
    store: DuckDBStore, clock: ManualClock, batch: Callable[[int], list[Sample]], ticks: int, seconds: float
) -> tuple[list[float], list[float], float]:
    """Seconds of every commit and of every turn of upkeep, and samples per second; batches are made off the clock."""
    commits: list[float] = []
    upkeep: list[float] = []
    tick = samples = 0
    while sum(commits) + sum(upkeep) < seconds:
        given = batch(tick)
        started = perf_counter()
        store.append(given)
        commits.append(perf_counter() - started)
        samples += len(given)
        tick += ticks
        clock.move(ticks)
        if tick % 60 == 0:
            started = perf_counter()
            store.maintain(clock.now())
            upkeep.append(perf_counter() - started)
    return commits, upkeep, samples / (sum(commits) + sum(upkeep))


def read_along(store: DuckDBStore, clock: ManualClock, stop: threading.Event, waits: list[float]) -> None:
    """A dashboard that asks every 50 ms."""
    while not stop.wait(0.05):
        now = clock.now()
        started = perf_counter()
        store.read(RangeQuery(selector=Selector("metric_3"), window=Window(now - 900, now), step=3))
        waits.append(perf_counter() - started)


def reads(folder: Path, *, quick: bool) -> None:
    """Questions to a store of 1,000 series, written straight into the sealed table in runs of six hours."""
    series, ticks = 1000, 10_000 if quick else 100_000
    end = T0 + ticks
    store, clock = opened(folder / "reads.duckdb")
    infos = [Sample(T0 + ticks, Metric(f"metric_{n % 100}"), (("host", f"h{n // 100}"),), 1.0) for n in range(series)]
    counters = [Sample(T0 + ticks, Metric("sent_total", Kind.COUNTER), (), 1.0)]
    store.append(infos + counters)
    fill(store, series, ticks)
    clock.move(ticks + 120)
    started = perf_counter()
    while store._upkeep.marks.rolled_hour < (clock.now() - 3700) * 1e6:
        store.maintain(clock.now())
    rolled = perf_counter() - started
    heading("Reads", f"{series * ticks:,} sealed samples, 1,000 series x 1 s; cold first, then 30 times, ms")
    one, all_ = Window(T0, end), Window(end - 6 * 3600, end)
    selector = Selector("metric_3", (("host", "h3"),))
    rate = Aggregate.RATE
    questions: list[tuple[str, Callable[[], object], str]] = [
        (
            "one series, everything, 400 points from raw",
            lambda: store.read(RangeQuery(selector=selector, window=one, step=ticks / 400 + 0.5)),
            "p95 <= 20",
        ),
        (
            "one series, last 15 min",
            lambda: store.read(RangeQuery(selector=selector, window=Window(end - 900, end), step=3)),
            "<= 20",
        ),
        (
            "one series as rate, from raw",
            lambda: store.read(RangeQuery(selector=selector, window=one, step=251, aggregate=rate)),
            "<= 100",
        ),
        (
            "10 series summed, everything, from raw",
            lambda: store.read(RangeQuery(selector=Selector("metric_3"), window=one, step=251, across=Across.SUM)),
            "<= 100",
        ),
        (
            "10 series, 6 h, 1 min",
            lambda: store.read(RangeQuery(selector=Selector("metric_3"), window=all_, step=60)),
            "<= 100",
        ),
        ("overview, 20 questions of 10 series each, 24 h, 5 min, together", lambda: overview(store, end), ""),
        ("newest 50 rows", lambda: store.rows(RowsQuery(window=one)), "<= 100"),
        ("newest 50 rows, offset 9,950", lambda: store.rows(RowsQuery(window=one, offset=9_950)), "<= 100"),
        ("50 rows by metric", lambda: store.rows(RowsQuery(window=one, order=RowOrder.METRIC)), "<= 100"),
        (
            "50 largest values of one metric",
            lambda: store.rows(RowsQuery(window=one, order=RowOrder.VALUE, selectors=(Selector("metric_3"),))),
            "<= 100",
        ),
        ("50 largest values of all", lambda: store.rows(RowsQuery(window=one, order=RowOrder.VALUE)), ""),
        ("usage", store.usage, ""),
    ]
    for name, ask, target in questions:
        cold, warm = timed(ask), [timed(ask) for _ in range(30)]
        row(name, f"{cold * 1e3:.1f} cold, " + triple(warm), target)
    row("roll-up of everything, s", f"{rolled:.1f}", "")
    many = [threading.Thread(target=lambda: [ask() for _, ask, _ in questions[:6]]) for _ in range(10)]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    row("RSS after 10 readers at once, MB", f"{psutil.Process().memory_info().rss / 1e6:.0f}", "<= 400")
    store.close()
    started = perf_counter()
    store, _ = opened(folder / "reads.duckdb")
    row("reopen, s", f"{perf_counter() - started:.3f}", "<= 1")
    store.close()


def overview(store: DuckDBStore, end: float) -> None:
    """What a first page asks: 20 metrics of 10 series each."""
    for number in range(20):
        store.read(RangeQuery(selector=Selector(f"metric_{number}"), window=Window(end - 86_400, end), step=300))


def fill(store: DuckDBStore, series: int, ticks: int) -> None:
    """Sorted runs of six hours, and the minutes of each, as sealing and roll-up would leave them."""
    writer = store._database.writer
    for start in range(0, ticks, 21_600):
        parameters: dict[str, object] = {"from": start, "to": min(start + 21_600, ticks), "n": series, "t0": int(T0)}
        run(
            writer,
            "INSERT INTO samples SELECT make_timestamp(($t0::BIGINT + t.range) * 1000000), s.range::INTEGER + 1, "
            "round(50 + 40 * sin(t.range / 600 + s.range) + (hash(t.range * 1009 + s.range) % 100) / 10, 1) "
            "FROM range($n) AS s, range($from, $to) AS t ORDER BY s.range, t.range",
            parameters,
        )
        run(
            writer,
            "INSERT INTO roll_1m SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS m, sid, count(*), sum(value), min(value), "
            "max(value), max_by(value, ts), max(ts) FROM samples "
            "WHERE ts >= make_timestamp(($t0::BIGINT + $from) * 1000000) AND ts < make_timestamp(($t0::BIGINT + $to) * 1000000) "
            "GROUP BY m, sid ORDER BY sid, m",
            {key: parameters[key] for key in ("from", "to", "t0")},
        )
    # Whole minutes only: the last tick lies in a minute that is still open.
    mark = int((T0 + ticks // 60 * 60) * 1e6)
    run(writer, "DELETE FROM roll_1m WHERE ts >= make_timestamp($mark)", {"mark": mark})
    run(writer, "UPDATE watermark SET ts = make_timestamp($mark) WHERE name IN ('rolled_1m', 'sealed')", {"mark": mark})
    run(writer, "CHECKPOINT")
    store._upkeep.marks = store._upkeep.marks.moved("rolled_minute", mark).moved("sealed", mark)


def size(folder: Path, *, quick: bool) -> None:
    """Bytes a sample of ten kinds of series after sealing and a checkpoint, roll-ups apart."""
    ticks, each = (3600, 20) if quick else (21_600, 20)
    heading(
        "Size", f"{10 * each} series of ten kinds x 1 s x {ticks / 3600:g} h through `append`, sealed, checkpointed"
    )
    everything = list(kinds(ticks))
    store, clock = opened(folder / "size.duckdb", seal_every=float(ticks))
    slices = 60
    metrics = [Metric(name) for name, _ in everything]
    labels = [(("n", str(number)),) for number in range(each)]
    columns = [[column(number).tolist() for number in range(each)] for _, column in everything]
    for start in range(0, ticks, slices):
        store.append(
            [
                Sample(T0 + tick, metric, labels[number], columns[kind][number][tick])
                for tick in range(start, start + slices)
                for number in range(each)
                for kind, metric in enumerate(metrics)
            ]
        )
        clock.move(slices)
    turns: list[float] = []
    while store._upkeep.new_rows:
        clock.move(20)
        turns.append(timed(lambda: store.maintain(clock.now())))
    total = 10 * each * ticks
    row("sealed samples, B each", f"{blocks(store, 'samples') / total:.2f}", "<= 5.0, goal 3.0")
    rolled = blocks(store, "roll_1m") + blocks(store, "roll_1h")
    row("minutes and hours, B a sample", f"{rolled / total:.2f}", "")
    row(f"{len(turns)} turns of upkeep that roll up and seal it, p50 / p99 / max ms", triple(turns), "max <= 500")
    store.close()
    row(
        "file on disk with the room that the hot rows left, MB",
        f"{(folder / 'size.duckdb').stat().st_size / 1e6:.1f}",
        "",
    )


def blocks(store: DuckDBStore, table: str) -> int:
    """Bytes of the blocks that hold *table*; one that it shares with another counts whole."""
    with store._database.reading() as cursor:
        found = run(
            cursor,
            "SELECT 262144 * count(DISTINCT block) FROM (SELECT unnest(list_prepend(block_id, additional_block_ids)) "
            f"AS block FROM pragma_storage_info('{table}')) WHERE block >= 0",
        )
    return int(found[0][0])


def kinds(ticks: int) -> Iterator[tuple[str, Callable[[int], np.ndarray]]]:
    """Ten kinds of series as a monitor sees them: name and a function of the series' number."""

    def rng(number: int, kind: int) -> np.random.Generator:
        return np.random.default_rng(number * 100 + kind)

    walk = np.cumsum
    yield "cpu_percent", lambda n: np.round(np.clip(30 + walk(rng(n, 0).normal(0, 1, ticks)), 0, 100), 1)
    yield "memory_bytes", lambda n: 4096.0 * np.round(1e6 + walk(rng(n, 1).normal(0, 50, ticks)))
    yield "sent_bytes_total", lambda n: walk(rng(n, 2).integers(0, 100_000, ticks)).astype(np.float64)
    yield "requests_total", lambda n: walk(rng(n, 3).poisson(3, ticks)).astype(np.float64)
    yield "latency_seconds", lambda n: rng(n, 4).lognormal(-4, 0.5, ticks)
    yield "limit_bytes", lambda n: np.full(ticks, 8.0 * 2**30)
    yield "load", lambda n: np.round(np.abs(2 + walk(rng(n, 6).normal(0, 0.02, ticks))), 2)
    yield "threads", lambda n: 20.0 + (rng(n, 7).random(ticks) < 0.01)
    yield "pressure_ratio", lambda n: rng(n, 8).random(ticks)
    yield "temperature_celsius", lambda n: np.round(55 + 5 * np.sin(np.arange(ticks) / 900 + n)) + 0.5


def opened(path: Path, seal_every: float = 21_600.0) -> tuple[DuckDBStore, ManualClock]:
    """A store that keeps everything, and its clock."""
    clock = ManualClock(T0)
    return DuckDBStore(StoreSettings(path=str(path), retention=FOREVER, seal_every=seal_every), clock), clock


def timed(ask: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = perf_counter()
    ask()
    return perf_counter() - started


def triple(seconds: list[float]) -> str:
    """50th and 99th percentile (95th below 100 values) and maximum, in ms."""
    high = 99 if len(seconds) >= 100 else 95
    middle, top = np.percentile(seconds, [50, high]) * 1e3
    return f"{middle:.1f} / p{high} {top:.1f} / {max(seconds) * 1e3:.1f}"


def heading(title: str, how: str) -> None:
    """Begin a table."""
    print(f"\n### {title}\n\n{how}.\n\n| what | measured | target |\n|---|---|---|")


def row(what: str, measured: str, target: str) -> None:
    """A line of the table."""
    print(f"| {what} | {measured} | {target} |", flush=True)


if __name__ == "__main__":
    main()
