"""Processes without a store against an owner that is killed and started again: with real processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from perf.clock import SystemClock
from perf.model import Kind, Metric, Sample
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.remote import RemoteStore
from perf.transport.client import Endpoint
from perf.transport.encode import requests
from tests.integration.remote_child import BATCH
from tests.services import ROOT, environment, eventually, free_port, program, ready

CHILD = Path(__file__).parent / "remote_child.py"
DEATHS = 3


@contextmanager
def owner(path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A running owner of *path* that measures nothing but itself."""
    env = environment(
        PERF_STORE__PATH=str(path),
        PERF_SERVER__PORT=str(port),
        PERF_SOURCES__HOST__ENABLED="false",
        PERF_STORE__FREE_SPACE_FLOOR="0",
        PYTHONFAULTHANDLER="1",  # a crash tells in the log where
    )
    log = path.with_suffix(".log")
    with program([sys.executable, "-m", "perf", "serve"], env=env, log=log) as process:
        ready(process, f"http://127.0.0.1:{port}", log)
        yield process


@pytest.mark.timeout(300)
def test_an_owner_that_dies_under_load_loses_and_doubles_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path, port, chance, pause = tmp_path / "perf.duckdb", free_port(), random.Random(5), threading.Event()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(CHILD), url, name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=environment(),
                )
            )
            for name in ("a", "b")
        ]
        for death in range(DEATHS):
            with owner(path, port) as process:
                pause.wait(chance.uniform(0.5, 2.0))
                # Half of them end in good order, as in a rolling restart.
                os.kill(process.pid, signal.SIGKILL if death % 2 else signal.SIGTERM)
                process.wait(60)
        with owner(path, port) as process:
            said = [[int(line) for line in child.communicate("", timeout=100)[0].split()] for child in children]
            assert process.poll() is None, path.with_suffix(".log").read_text(encoding="utf-8")
    store = DuckDBStore(StoreSettings(path=str(path)), SystemClock())
    try:
        for name, (given, *confirmed) in zip(("a", "b"), said, strict=True):
            found = dict(
                store.sql(
                    "SELECT value::INTEGER, count(*) FROM perf.metrics "
                    f"WHERE metric = 'm' AND labels['name'] = '{name}' GROUP BY ALL",
                    max_rows=100_000,
                ).rows
            )
            assert given > 50
            assert confirmed == list(range(given))
            assert found == dict.fromkeys(range(given), BATCH)
        wide = store.sql("SELECT sum(n) FROM (FROM hist UNION ALL FROM hot_hist)").rows
        assert wide == [(sum(given for given, *_ in said),)]
    finally:
        store.close()


def test_a_remote_process_passes_otlp_on_and_confirms_what_the_owner_has(tmp_path: Path) -> None:
    path, port, way = tmp_path / "perf.duckdb", free_port(), free_port()
    env = environment(
        PERF_STORE__BACKEND="remote",
        PERF_STORE__URL=f"http://127.0.0.1:{port}",
        PERF_SERVER__PORT=str(way),
    )
    jobs = Sample(SystemClock().now(), Metric("jobs_total", Kind.COUNTER, "1"), (), 5.0)
    (body,) = requests([jobs], {"service.name": "shop"}, jobs.ts - 1.0)
    endpoint = Endpoint(f"http://127.0.0.1:{way}")
    endpoint.timeout = 30.0
    endpoint._headers.pop("content-encoding")
    with program([sys.executable, "-m", "perf", "serve"], env=env, log=tmp_path / "way.log") as process:
        ready(process, f"http://127.0.0.1:{way}", tmp_path / "way.log")
        assert endpoint.post(body.SerializeToString(), "p", 1).retry  # nobody owns it yet
        with owner(path, port):
            eventually(lambda: not endpoint.post(body.SerializeToString(), "p", 1).retry, seconds=30, every=0.2)
            assert not endpoint.post(body.SerializeToString(), "p", 1).reason
            store = RemoteStore(StoreSettings(url=f"http://127.0.0.1:{port}"), SystemClock())
            found = [info for info in store.series() if info.metric.name == "jobs_total"]
            assert [(info.last_value, dict(info.labels)["service"]) for info in found] == [(5.0, "shop")]
            assert store.producers()["p"] == 1
            instances = eventually(lambda: _instances(store), seconds=30, every=1.0)
            assert all(name.endswith(f":{way}") for name in instances)
            store.close()
    endpoint.close()


def _instances(store: RemoteStore) -> set[str]:
    """Who tells of a process."""
    labels = [dict(info.labels) for info in store.series() if info.metric.name == "process_cpu_percent"]
    return {one["instance"] for one in labels if "instance" in one}
