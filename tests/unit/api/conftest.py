"""An HTTP interface over a real store on a clock that stands still, with samples that are put in by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from perf.api import loglevel
from perf.api.app import build
from perf.clock import ManualClock
from perf.model import Kind, Labels, Metric, Sample
from perf.runtime import Runtime
from perf.settings import HealthSettings, HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from tests.emptystore import empty

NOW = 1_700_000_000.0
"""The time of the clock: 2023-11-14T22:13:20Z, a multiple of 100 s."""

DEPTH = Metric("queue_depth", unit="1", help="Jobs that wait.")
JOBS = Metric("jobs_total", Kind.COUNTER, "1")
MAIL: Labels = (("queue", "mail"),)
PATIENT = HealthSettings(timeout=60.0)
"""No probe is given up because this process was held up."""


class Api:
    """The client, and the runtime behind it. The threads are not started: a test writes to the store itself, unless it
    starts the writer and says so in *writes*.
    """

    def __init__(self, runtime: Runtime, client: TestClient) -> None:
        self.runtime, self.client, self.writes = runtime, client, False

    def get(self, path: str, query: str = "", **headers: str) -> httpx2.Response:
        """The answer to ``GET path?query``; *query* as it stands in the address."""
        return self.client.get(f"{path}?{query}" if query else path, headers=headers, follow_redirects=False)

    def keep(self, metric: Metric, labels: Labels, values: Mapping[float, float]) -> None:
        """Store *values* by their seconds relative to NOW."""
        samples = [Sample(NOW + at, metric, labels, value) for at, value in values.items()]
        if self.writes:
            self.runtime.writer.call(lambda: self.runtime.store.append(samples)).result(30.0)
        else:
            self.runtime.store.append(samples)

    def sql(self, body: object, token: str | None = None) -> httpx2.Response:
        """The answer to a statement with *token* (default: the right one)."""
        bearer = f"Bearer {self.runtime.token if token is None else token}"
        headers = {b"authorization": bearer.encode("latin-1")}
        return self.client.post("/api/v1/sql", json=body, headers=headers)


@pytest.fixture(autouse=True)
def _level_of_logs() -> Iterator[None]:
    """The level belongs to the process: one that a test sets ends with it."""
    yield
    loglevel._CHANGE.reset()


def quiet(path: Path, backend: str = "duckdb") -> Settings:
    """Settings of a runtime that measures nothing by itself."""
    return Settings(
        store=StoreSettings(path=str(path), backend=backend, free_space_floor=0),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
        health=PATIENT,
    )


def opened(runtime: Runtime) -> Iterator[Api]:
    with TestClient(build(runtime), base_url="http://127.0.0.1:8503", raise_server_exceptions=False) as client:
        yield Api(runtime, client)
    runtime.stop()


@pytest.fixture
def api(tmp_path: Path, clock: ManualClock) -> Iterator[Api]:
    """An empty store."""
    yield from opened(Runtime(quiet(empty(tmp_path / "perf.duckdb")), clock))


@pytest.fixture
def filled(api: Api) -> Api:
    """A gauge and a counter, four samples each, ten seconds apart."""
    api.keep(DEPTH, MAIL, {-40: 1.0, -30: 2.0, -20: 3.0, -10: 4.0})
    api.keep(JOBS, MAIL, {-40: 0.0, -30: 10.0, -20: 30.0, -10: 70.0})
    return api
