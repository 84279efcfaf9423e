"""The end of a server by a signal, with real processes: not ready first, then nothing lost, all within the grace period."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from perf.clock import SystemClock
from perf.model import RowsQuery, Selector, Window
from perf.runtime import open_store
from perf.settings import StoreSettings
from tests.services import environment, eventually, free_port, program, ready

ENTRIES = {
    "serve": ("-m", "perf", "serve", "--port", "{port}"),
    "dashboard": ("-m", "perf", "dashboard", "--port", "{port}"),
}
each_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


class Server:
    """perf as a process of its own, with a health port."""

    def __init__(self, folder: Path, entry: tuple[str, ...]) -> None:
        self.port, self.health = free_port(), free_port()
        self.store, self.log = folder / "perf.duckdb", folder / "perf.log"
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, *(part.format(port=self.port) for part in entry)]

    @contextmanager
    def running(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        env = environment(
            PERF_STORE__PATH=str(self.store),
            PERF_STORE__FREE_SPACE_FLOOR="0",
            PERF_HEALTH_PORT=str(self.health),
            PERF_SOURCES__PROCESS__ENABLED="false",
            **variables,
        )
        with program(self._command, env=env, log=self.log) as process:
            ready(process, self.url, self.log)
            yield process

    def status(self, path: str) -> int | None:
        """The status of an answer; None when nothing answers."""
        try:
            with urlopen(self.url + path, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code
        except (URLError, OSError):
            return None

    def send(self, number: int) -> bool:
        """Whether sample *number* was acknowledged."""
        point = {"asDouble": float(number), "timeUnixNano": str(int(SystemClock().now() * 1e9))}
        point["attributes"] = [{"key": "number", "value": {"stringValue": str(number)}}]  # type: ignore[assignment]
        body = {
            "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "sent", "gauge": {"dataPoints": [point]}}]}]}]
        }
        request = Request(f"{self.url}/v1/metrics", json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except HTTPError as error:
            error.close()
            return False
        except (OSError, http.client.HTTPException):
            return False

    def kept(self) -> set[int]:
        """The numbers that the store holds, once the process is gone."""
        clock = SystemClock()
        with closing(open_store(StoreSettings(path=str(self.store), free_space_floor=0), clock)) as store:
            window = Window(clock.now() - 3600, clock.now() + 60)
            rows = store.rows(RowsQuery(window=window, descending=False, selectors=(Selector("sent"),), limit=100_000))
            return {int(value) for value in rows.values}


@each_entry
def test_the_end_is_announced_and_loses_no_acknowledged_sample(tmp_path: Path, entry: tuple[str, ...]) -> None:
    server = Server(tmp_path, entry)
    acknowledged: list[int] = []
    over = threading.Event()

    def producing() -> None:
        number = 0
        while not over.wait(0.02):
            if server.send(number):
                acknowledged.append(number)
            number += 1

    with server.running(PERF_PRODUCTION__PAUSE="8s") as process:
        producer = threading.Thread(target=producing)
        producer.start()
        eventually(lambda: len(acknowledged) > 5, seconds=30)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: server.status("/health/ready") == 503, seconds=10)
        before = len(acknowledged)
        # Load balancers still send; that is answered.
        eventually(lambda: len(acknowledged) > before or process.poll() is not None, seconds=20)
        assert process.poll() is None
        code = process.wait(timeout=60)
        over.set()
        producer.join()
    assert code in (0, -signal.SIGTERM)
    assert len(acknowledged) > before
    assert set(acknowledged) <= server.kept()
    assert not Path(f"{server.store}.wal").exists()
    assert not Path(f"{server.store}.owner").exists()


@each_entry
def test_a_second_signal_ends_at_once_and_keeps_what_was_acknowledged(tmp_path: Path, entry: tuple[str, ...]) -> None:
    server = Server(tmp_path, entry)
    with server.running(PERF_PRODUCTION__PAUSE="60s", PERF_PRODUCTION__GRACE="90s") as process:
        assert server.send(7)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: server.status("/health/ready") == 503, seconds=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=50) == 128 + signal.SIGTERM
    assert server.kept() == {7}


def test_a_keyboard_interrupt_has_no_load_balancer_to_wait_for(tmp_path: Path) -> None:
    server = Server(tmp_path, ENTRIES["serve"])
    with server.running(PERF_PRODUCTION__PAUSE="60s", PERF_PRODUCTION__GRACE="90s") as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=50) == 0


def test_a_request_that_hangs_does_not_keep_the_store_from_closing(tmp_path: Path) -> None:
    server = Server(tmp_path, ENTRIES["dashboard"])
    with server.running(PERF_PRODUCTION__GRACE="8s") as process:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.putrequest("POST", "/v1/metrics")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "1000")
        connection.endheaders()
        connection.send(b"{")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
        connection.close()
    assert not Path(f"{server.store}.owner").exists()


STUCK = """
import asyncio, signal, sys
from contextlib import asynccontextmanager
from starlette.applications import Starlette
import uvicorn
from perf.api.ending import take_over
from perf.clock import SystemClock
from perf.runtime.ending import Ending
from perf.settings import ProductionSettings

@asynccontextmanager
async def lifespan(app):
    take_over(Ending(ProductionSettings(grace=1.0), SystemClock(), leave=lambda: None, end_streams=lambda: None))
    print("ready", flush=True)
    yield
    await asyncio.sleep(600)

uvicorn.run(Starlette(lifespan=lifespan), port=int(sys.argv[1]), log_level="error")
"""


def test_what_never_closes_is_ended_by_force(tmp_path: Path) -> None:
    script, log = tmp_path / "stuck.py", tmp_path / "log"
    script.write_text(STUCK)
    with program([sys.executable, str(script), str(free_port())], env=environment(), log=log) as process:
        eventually(lambda: "ready" in log.read_text(), seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 1


def test_a_taken_health_port_is_said_in_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path, ENTRIES["dashboard"])
    env = environment(PERF_STORE__PATH=str(server.store), PERF_HEALTH_PORT=str(server.port))
    for entry in ENTRIES.values():
        with socket.create_server(("127.0.0.1", server.port)):
            command = [sys.executable, *(part.format(port=free_port()) for part in entry)]
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
        said = f"production.health_port: can't listen on 127.0.0.1:{server.port}: Address already in use"
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr


def test_the_health_port_serves_nothing_else(tmp_path: Path) -> None:
    server = Server(tmp_path, ENTRIES["serve"])
    with server.running():
        server.url = f"http://127.0.0.1:{server.health}"
        found = {
            path: server.status(path) for path in ("/health/ready", "/health/live", "/metrics", "/api/v1/series", "/")
        }
    assert found == {"/health/ready": 200, "/health/live": 200, "/metrics": 200, "/api/v1/series": 404, "/": 404}
