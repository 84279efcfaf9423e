"""Real processes over loopback: a stock OpenTelemetry program, and perf's own sender, into a real owner's store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pytest

from perf.clock import SystemClock
from perf.model import (
    Histogram,
    HistogramSample,
    Kind,
    Labels,
    Measurement,
    Metric,
    RangeQuery,
    RowsQuery,
    Sample,
    Selector,
    Window,
)
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.transport.client import Endpoint
from perf.transport.sender import Sender
from perf.transport.spool import Spool
from tests.integration.otlp_program import DURATIONS, ROUNDS
from tests.services import ROOT, answers, environment, eventually, free_port, program
from tests.unit.transport.collector import Collector

STOCK: Labels = (("host", "elsewhere"), ("service", "stock"))
EVENTS = Metric("events_total", Kind.COUNTER, "1")
WORK = Metric("function_duration_seconds", Kind.HISTOGRAM, "s")


@contextmanager
def owner(folder: Path, port: int) -> Iterator[str]:
    """A `python -m perf serve` on *port* that measures nothing by itself, once it answers."""
    env = environment(
        PERF_STORE__PATH=str(folder / "perf.duckdb"),
        PERF_SOURCES__HOST__ENABLED="false",
        PERF_SOURCES__PROCESS__ENABLED="false",
    )
    log = folder / f"serve{len(list(folder.glob('serve*')))}.log"
    url = f"http://127.0.0.1:{port}"
    with program([sys.executable, "-m", "perf", "serve", "--port", str(port)], env=env, log=log) as process:

        def up() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return answers(f"{url}/health/live")

        eventually(up, seconds=60.0)
        yield url


class Stored:
    """What lies in the file once its owner has gone."""

    def __init__(self, folder: Path, since: float) -> None:
        self.store = DuckDBStore(StoreSettings(path=str(folder / "perf.duckdb")), SystemClock())
        self.window = Window(since - 60.0, SystemClock().now() + 60.0)

    def numbers(self, name: str) -> tuple[Labels, list[float]]:
        """Labels and values of the one series of *name*."""
        rows = self.store.rows(
            RowsQuery(window=self.window, selectors=(Selector(name),), descending=False, limit=10_000)
        )
        ((_, info),) = rows.series.items()
        return info.labels, rows.values.tolist()

    def histogram(self, name: str, labels: Labels = ()) -> tuple[Labels, int, float, dict[int, int]]:
        """Labels, number, sum and buckets of the one series of *name* with *labels*."""
        query = RangeQuery(selector=Selector(name, labels), window=self.window, step=self.window.seconds)
        (found,) = self.store.distributions(query)
        counts = enumerate(found.buckets.sum(axis=0).tolist(), found.first)
        buckets = {index: n for index, n in counts if n}
        return found.labels, int(found.count.sum()), float(found.total.sum()), buckets

    def producers(self) -> dict[str, int]:
        """Who sent batches, and the highest number of each."""
        return self.store.producers()

    def close(self) -> None:
        self.store.close()


@contextmanager
def stored(folder: Path, since: float) -> Iterator[Stored]:
    made = Stored(folder, since)
    try:
        yield made
    finally:
        made.close()


def sent_on(spool: Path, url: str, headers: Mapping[str, str] | None = None) -> None:
    """Send to *url* what programs left in *spool* when they ended, as the next one would: an end doesn't wait for a slow answer."""
    with closing(Spool(spool, SystemClock())) as left, closing(Endpoint(url, headers)) as endpoint:

        def empty() -> bool:
            batch = left.oldest("the next program") if left.waiting() else None
            if batch is not None and not endpoint.post(batch.body, batch.producer, batch.seq).retry:
                left.remove(batch)
            return not left.waiting()

        eventually(empty, seconds=60.0)


def test_a_stock_opentelemetry_program_lands_in_the_store(tmp_path: Path) -> None:
    since = SystemClock().now()
    with owner(tmp_path, free_port()) as url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.otlp_program", url],
            cwd=ROOT, env=environment(), check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    with stored(tmp_path, since) as found:
        labels, jobs = found.numbers("jobs_total")
        assert labels == tuple(sorted((*STOCK, ("queue_name", "mail"))))
        assert (jobs[0], jobs[-1]) == (0.0, 5.0 * ROUNDS)
        assert jobs == sorted(jobs)
        assert found.numbers("queue_depth")[1][-1] == float(ROUNDS)
        assert found.numbers("active")[1][-1] == 2.0
        for name in ("work_duration_seconds", "exp_duration_seconds"):
            labels, count, total, buckets = found.histogram(name)
            assert (labels, count) == (STOCK, ROUNDS * len(DURATIONS))
            assert total == pytest.approx(ROUNDS * sum(DURATIONS))
        # The exponential one of the SDK merges exactly: the same buckets as if recorded here.
        assert buckets == Histogram.of(DURATIONS * ROUNDS).buckets
        assert found.histogram("span_duration_seconds")[0] == (*STOCK, ("span", "load"))


class Recording:
    """Ten events a drain: a counter's total, and a distribution of the same number."""

    def __init__(self) -> None:
        self.events = 0

    def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
        self.events += 10
        histogram = Histogram.of([0.001 * n for n in range(1, 11)])
        return [Sample(ts, EVENTS, (), float(self.events)), HistogramSample(ts, WORK, (), histogram)]


def test_nothing_is_lost_or_doubled_while_the_owner_is_away(tmp_path: Path) -> None:
    since, port, clock = SystemClock().now(), free_port(), SystemClock()
    recordings, spool = [Recording(), Recording()], Spool(tmp_path / "spool.db", clock)
    senders = [
        Sender(each, Endpoint(f"http://127.0.0.1:{port}"), Spool(tmp_path / "spool.db", clock), clock, service="shop")
        for each in recordings
    ]

    def turns(count: int) -> None:
        for _ in range(count):
            for each in senders:
                each.turn()

    with owner(tmp_path, port):
        turns(3)
    turns(4)
    assert all(each.stats().waiting for each in senders)
    with owner(tmp_path, port):

        def drained() -> bool:
            turns(1)
            return spool.waiting() == 0

        eventually(drained, seconds=60.0, every=0.3)
        turns(2)
        eventually(drained, seconds=60.0, every=0.3)
    for each in (*senders, spool):
        each.close()
    events = sum(each.events for each in recordings)
    with stored(tmp_path, since) as found:
        assert found.histogram("function_duration_seconds")[1] == events
        _, values = found.numbers("events_total")
        # A counter that begins anew after the owner's end: each part from its own zero.
        increases = [now - then if now >= then else now for then, now in pairwise(values)]
        assert sum(increases) == events


PROGRAM = """
from perf.monitoring import start_performance_monitoring, track_performance
start_performance_monitoring("shop")
@track_performance("slow")
def slow(text):
    return text
slow("abc")
"""


def test_short_programs_leave_their_slow_calls_and_their_releases(tmp_path: Path) -> None:
    since = SystemClock().now()
    with owner(tmp_path, free_port()) as url:
        for release in ("1.0", "1.0", "1.1"):
            env = environment(PERF_SEND__URL=url, PERF_SEND__SPOOL=str(tmp_path / "spool"), PERF_RELEASE=release)
            subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=env, check=True, timeout=60)
            sent_on(tmp_path / "spool", url)
    with stored(tmp_path, since) as found:
        calls = found.store.exemplars(Selector("function_duration_seconds"), found.window, 10)
        assert sorted((call.release, call.arguments) for call in calls) == [
            ("1.0", ("str(3)",)), ("1.0", ("str(3)",)), ("1.1", ("str(3)",)),
        ]  # fmt: skip
        assert {dict(call.labels)["service"] for call in calls} == {"shop"}
        deploys = [each for each in found.store.annotations(found.window) if each.service == "shop"]
        assert [each.title for each in deploys] == ["1.0", "1.1"]


IMPORTING = """
import sys
from perf import default
from perf.monitoring import start_performance_monitoring, track_performance
start_performance_monitoring("shop")
known = set(sys.modules)
track_performance("work")(int)()
default.sender().turn()
print(default.sender().stats().sent > 0, sorted(set(sys.modules) - known))
"""


def test_a_sender_that_runs_imports_nothing_more(tmp_path: Path) -> None:
    """A child that is forked in the middle of an import, such as that of the codec for names of hosts, could send nothing."""
    with closing(Collector()) as collector:
        env = environment(PERF_SEND__URL=collector.url, PERF_SEND__SPOOL=str(tmp_path / "spool"))
        command = [sys.executable, "-c", IMPORTING]
        done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True []\n"


def test_both_addresses_take_json(tmp_path: Path) -> None:
    with owner(tmp_path, free_port()) as url:
        for path in ("/v1/metrics", "/v1/traces"):
            request = Request(f"{url}{path}", b"{}", {"content-type": "application/json"})
            with urlopen(request, timeout=30.0) as answer:
                assert (answer.status, msgspec.json.decode(answer.read())) == (200, {})
