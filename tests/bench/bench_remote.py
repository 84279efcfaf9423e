"""Measures what an owner elsewhere costs: the same questions to a store in this process and over HTTP to another one. Prints Markdown.

    python -m tests.bench.bench_remote [--quick]

The file (about 30 MB) lies in a temporary folder. A process owns it, and is asked in turns from within and over HTTP.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import uvicorn

from perf.api.app import build
from perf.clock import SystemClock
from perf.model import Kind, Metric, RowsQuery, Sample, Window
from perf.plugins import STORES, resolve
from perf.ports import MetricStore
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.views.series import answer, known
from tests.bench.bench_store import heading, row, timed
from tests.services import ROOT, environment, eventually

METRICS, SERIES = 20, 5
ROUNDS = 60


def main() -> None:
    """Fill; then ask in turns: the owner itself, and from here over HTTP."""
    parser = argparse.ArgumentParser(description="Measure a remote store.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time")
    parser.add_argument(
        "--own", nargs=3, metavar=("FILE", "END", "SECONDS"), help="be the owner: for the program itself"
    )
    options = parser.parse_args()
    if options.own:
        own(Path(options.own[0]), float(options.own[1]), float(options.own[2]))
        return
    ticks = 1_080 if options.quick else 10_800
    clock = SystemClock()
    end = float(int(clock.now()) - 10)
    with tempfile.TemporaryDirectory(prefix="bench-remote-") as folder:
        path = Path(folder) / "perf.duckdb"
        store = resolve("store", "duckdb", STORES)(StoreSettings(path=str(path)), clock)
        fill(store, end, ticks)
        for _ in range(5):
            store.maintain(clock.now())
        store.close()
        command = [sys.executable, "-m", "tests.bench.bench_remote", "--own", str(path), str(end), str(ticks)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
        ) as owner:
            compare(owner, questions(end, float(ticks)), ticks)


def compare(owner: subprocess.Popen[str], asked: dict[str, Callable[[MetricStore], object]], ticks: int) -> None:
    """Every question in turns, so that what else the machine does falls on both sides."""
    assert owner.stdin is not None
    assert owner.stdout is not None
    away = resolve("store", "remote", STORES)(StoreSettings(url=owner.stdout.readline().strip()), SystemClock())
    heading(
        "An owner elsewhere",
        f"{METRICS * SERIES} series x 1 s x {ticks / 3600:g} h; p50 / p95 of {ROUNDS} rounds in ms, the owner on loopback",
    )
    for number, (what, ask) in enumerate(asked.items()):
        here, there = [], []
        for _ in range(ROUNDS + 2):
            print(number, file=owner.stdin, flush=True)
            here.append(float(owner.stdout.readline()))
            there.append(timed(lambda ask=ask: ask(away)))
        (middle, high), (middle_there, high_there) = (
            np.percentile(times[2:], [50, 95]) * 1e3 for times in (here, there)
        )
        found = f"there {middle:.1f} / {high:.1f}, from here {middle_there:.1f} / {high_there:.1f}"
        row(what, f"{found}: {middle_there / middle:.1f} times", "<= 2 times")
    owner.stdin.close()


def own(path: Path, end: float, seconds: float) -> None:
    """Serve the store; answer the number of a question with the seconds that it takes in this process."""
    quiet = SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False))
    runtime = Runtime(Settings(store=StoreSettings(path=str(path)), sources=quiet))
    runtime.start()
    config = uvicorn.Config(build(runtime), port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    print(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", flush=True)
    asked = list(questions(end, seconds).values())
    for line in sys.stdin:
        print(timed(lambda number=int(line): asked[number](runtime.store)), flush=True)
    server.should_exit = True
    thread.join(10)
    runtime.stop()


def fill(store: MetricStore, end: float, ticks: int) -> None:
    """Every second of *ticks* up to *end*."""
    metrics = [Metric(f"metric_{number}", Kind.GAUGE, "1") for number in range(METRICS)]
    labels = [(("core", str(number)),) for number in range(SERIES)]
    for start in range(0, ticks, 20):
        store.append(
            [
                Sample(end - ticks + tick, metric, label, float((tick * 7 + index) % 1000))
                for tick in range(start, min(start + 20, ticks))
                for index, metric in enumerate(metrics)
                for label in labels
            ]
        )


def questions(end: float, seconds: float) -> dict[str, Callable[[MetricStore], object]]:
    """What is asked, by what it is."""
    whole, recent = Window(end - seconds, end), Window(end - 900.0, end)
    tiles = [f"max(metric_{number})" for number in range(12)]
    return {
        "one series to 400 points": lambda store: answer(store, ['metric_3{core="1"}'], whole),
        "five series to 400 points": lambda store: answer(store, ["metric_3"], whole),
        "the last 15 min of one series, every 3 s": lambda store: answer(
            store, ['metric_3{core="1"}'], recent, step=3.0
        ),
        "Overview: twelve questions to 400 points": lambda store: answer(store, tiles, whole),
        "every known series": known,
        "a page of 50 samples": lambda store: store.rows(RowsQuery(window=recent)),
    }


if __name__ == "__main__":
    main()
