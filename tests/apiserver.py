"""A real server of the HTTP interface on a free port, over a real store that has something of everything to tell."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from perf.api.app import build
from perf.clock import SystemClock
from perf.model import Exemplar, Histogram, HistogramSample, Kind, Labels, Measurement, Metric, Sample
from perf.runtime import Runtime
from perf.settings import HealthSettings, HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.settings.api import ApiSettings

CPU = Metric("cpu_usage_percent", unit="%", help="CPU in use.")
JOBS = Metric("jobs_total", Kind.COUNTER, "1")
CALLS = Metric("function_duration_seconds", Kind.HISTOGRAM, "s")
EDGES = Metric("trace_calls_total", Kind.COUNTER, "1")
SPENT = Metric("trace_seconds_total", Kind.COUNTER, "s")
SEARCH: Labels = (("category", "function"), ("function", "shop.search"))
_EDGE: Labels = (("callee", "shop.search"), ("caller", "shop.handle"), ("kind", "function"))


class Served(msgspec.Struct, frozen=True):
    """A running server: its address, and the runtime behind it."""

    url: str
    runtime: Runtime


@contextmanager
def served(folder: Path, api: ApiSettings | None = None) -> Iterator[Served]:
    """A server that answers until the block ends."""
    settings = Settings(
        store=StoreSettings(path=str(folder / "perf.duckdb"), free_space_floor=0),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
        api=api or ApiSettings(rate=0.0),
        health=HealthSettings(timeout=60.0),
    )
    runtime = Runtime(settings, SystemClock())
    runtime.start()
    runtime.writer.submit(told(runtime.clock.now())).result(30)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        build(runtime), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", runtime)
    finally:
        server.should_exit = True
        thread.join(20)
        runtime.stop()


def told(now: float) -> list[Measurement]:
    """Five minutes of a gauge, a counter, a function with traces, and one slow call."""
    found: list[Measurement] = []
    for back in range(300, 0, -10):
        ts = now - back
        found.append(Sample(ts, CPU, (), float(back % 70)))
        found.append(Sample(ts, JOBS, (("queue", "mail"),), 300.0 - back))
        found.append(HistogramSample(ts, CALLS, SEARCH, Histogram.of([0.01, 0.02, 0.3])))
        found.append(Sample(ts, EDGES, _EDGE, 300.0 - back))
        found.append(Sample(ts, SPENT, _EDGE, (300.0 - back) / 10))
    found.append(Exemplar(ts=now - 20, metric=CALLS, labels=SEARCH, seconds=0.3, arguments=("str(12)",)))
    return found
