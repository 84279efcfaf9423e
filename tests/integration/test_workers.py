"""Four workers under load send to an owner that is killed and started again: everything arrives, nothing twice."""

from __future__ import annotations

import http.client
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from perf import ownerfile
from perf.clock import SystemClock
from perf.transport.spool import Spool
from tests.integration.test_transport import owner, sent_on, stored
from tests.integration.worker_load import EVENTS
from tests.services import answers, environment, eventually, free_port, program

WORKERS = 4
REQUESTS = 100_000 // EVENTS
FUNCTIONS = "function_duration_seconds"
CLIENTS, EACH = 8, 10


@contextmanager
def workers(folder: Path, owned: int, server: str) -> Iterator[int]:
    """The port of the program, its workers forked from one that began to send before."""
    port, log = free_port(), folder / "workers.log"
    env = environment(PERF_SEND__URL=f"http://127.0.0.1:{owned}", PERF_SEND__SPOOL=str(folder / "spool"))
    app = "tests.integration.worker_app:app"
    command = {
        "gunicorn": ["gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS),
                     "--worker-class", "uvicorn.workers.UvicornWorker", "--keep-alive", "60", app],
        # Uvicorn kills a worker that is silent for 5 s otherwise, and what it has recorded is gone.
        "uvicorn": ["uvicorn", "--port", str(port), "--workers", str(WORKERS), "--no-access-log",
                    "--timeout-worker-healthcheck", "60", "--timeout-keep-alive", "60", app],
    }[server]  # fmt: skip
    with program([sys.executable, "-m", *command], env=env, log=log) as process:

        def up() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return answers(f"http://127.0.0.1:{port}/up")

        eventually(up, seconds=90.0)
        yield port
        process.terminate()
        process.wait(60.0)  # `program` is less patient
    assert "Traceback" not in log.read_text(encoding="utf-8")


def ask(port: int, numbers: range) -> int:
    """A request for each of *numbers*, a connection for `EACH`, so that every worker gets some; how many were answered."""

    def some(first: int) -> int:
        part = numbers[first : first + EACH]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)) as connection:
            for number in part:
                connection.request("GET", f"/task/{number}")
                assert connection.getresponse().read() == b"done"
        return len(part)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(some, range(0, len(numbers), EACH)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_every_event_of_four_workers_is_counted_once_while_the_owner_is_killed(tmp_path: Path, server: str) -> None:
    since, port = SystemClock().now(), free_port()
    first, second, third = (
        range(REQUESTS // 4),
        range(REQUESTS // 4, REQUESTS * 3 // 4),
        range(REQUESTS * 3 // 4, REQUESTS),
    )
    with (
        closing(Spool(tmp_path / "spool", SystemClock())) as spool,
        ThreadPoolExecutor(1) as aside,
        ExitStack() as load,
    ):
        with owner(tmp_path, port):
            program_port = load.enter_context(workers(tmp_path, port, server))
            ask(program_port, first)
            asking = aside.submit(ask, program_port, second)
            kill_owner(tmp_path)
            eventually(spool.waiting, seconds=60.0)
        with owner(tmp_path, port) as url:
            asking.result(100.0)
            ask(program_port, third)
            eventually(lambda: not spool.waiting(), seconds=60.0, every=0.2)
            load.close()
            sent_on(tmp_path / "spool", url)
    with stored(tmp_path, since) as found:
        for metric, label, expected in (
            (FUNCTIONS, ("function", "event"), REQUESTS * EVENTS),
            (FUNCTIONS, ("function", "work"), REQUESTS),
            ("http_server_request_duration_seconds", ("http_route", "/task/{number}"), REQUESTS),
        ):
            # One series: what tells workers apart isn't a label.
            labels, count, _, _ = found.histogram(metric, (label,))
            assert (dict(labels)["service"], count) == ("workers", expected)
        _, totals = found.numbers("processing_items_total")
        # Each owner's counter begins at zero.
        assert sum(now - then if now >= then else now for then, now in pairwise(totals)) == REQUESTS * EVENTS
        assert len(found.producers()) >= WORKERS


def kill_owner(folder: Path) -> None:
    note = ownerfile.read(str(folder / "perf.duckdb"))
    assert note is not None
    os.kill(note.pid, signal.SIGKILL)
