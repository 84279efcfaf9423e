"""A program that appends numbered batches to an owner elsewhere through a writer, as a dashboard does; prints what is confirmed."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future

from perf.clock import SystemClock
from perf.model import Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.settings import StoreSettings
from perf.store.remote import RemoteStore
from perf.store.writer import Writer

BATCH = 20
M = Metric("m")
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")


def main() -> None:
    """Arguments: address of the owner, a name; runs until standard input ends, then until all is confirmed."""
    url, name = sys.argv[1], sys.argv[2]
    clock = SystemClock()
    store = RemoteStore(StoreSettings(url=url), clock)
    writer = Writer(store, clock)
    stop, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,), daemon=True)
    thread.start()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    began, number, given = clock.now(), 0, []
    while not ended.wait(0.02):
        given.append((number, writer.submit(batch(began, name, number))))
        number += 1
    confirmed = [number for number, done in given if kept(done)]
    stop.set()
    writer.wake()
    thread.join(30)
    sys.stdout.write("\n".join(map(str, [len(given), *confirmed])) + "\n")
    store.close()


def batch(began: float, name: str, number: int) -> list[Measurement]:
    """Samples and a distribution that tell their *number*."""
    ts = began + number * 0.001
    samples = [Sample(ts, M, (("n", str(n)), ("name", name)), float(number)) for n in range(BATCH)]
    return [*samples, HistogramSample(ts, WAIT, (("name", name),), Histogram.of([1.0]))]


def kept(done: Future[None]) -> bool:
    """Whether the owner has it."""
    return done.exception(timeout=90) is None


if __name__ == "__main__":
    main()
