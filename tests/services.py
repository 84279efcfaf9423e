"""Starts real things for tests: free ports, programs of ours, Chromium; everything started is stopped again."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--process-per-site",
]

FIRST_PORT, PORTS, PORT_RANGES = 12_000, 5_000, 4
_given: set[int] = set()

T = TypeVar("T")


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago: below those that the system gives out, and no other test process's.

    Given once: a program takes seconds until it listens, and the next one must not be told the same port meanwhile.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_RANGES
    while True:
        port = FIRST_PORT + PORTS * worker + secrets.randbelow(PORTS)
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def eventually(ask: Callable[[], T | Literal[False] | None], *, seconds: float = 10.0, every: float = 0.05) -> T:
    """The first truthy answer of *ask*, asked again *every* seconds.

    Raises: AssertionError with the last answer when *seconds* had passed before it was asked for: who was held up meanwhile looks again.
    """
    deadline = time.perf_counter() + seconds
    pause = threading.Event()
    while True:
        late = time.perf_counter() > deadline
        answer = ask()
        if answer:
            return answer
        assert not late, f"not within {seconds:g} s; last answer: {answer!r}"
        pause.wait(every)


def chromium() -> str:
    """The path of the system's Chromium; skips the test without one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without its ``PERF_`` and ``STREAMLIT_`` variables, and with *changes*."""
    # A program that starts again and again need not be compiled each time; one that crashes says where it was.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PERF_", "STREAMLIT_", "PYTHONDONTWRITE"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1", **changes}


def answers(url: str) -> bool:
    """Whether *url* answers with a status below 400."""
    try:
        with urlopen(url, timeout=2.0) as response:
            return bool(response.status < 400)
    except HTTPError as error:
        error.close()
        return False
    except (URLError, OSError):
        return False


def ready(process: subprocess.Popen[bytes], url: str, log: Path, *, seconds: float = 90.0) -> None:
    """Waits until ``/health/ready`` at *url* says so; *log* is where `program` put its output.

    Raises: AssertionError with what it wrote and where each of its threads was, when it ended or *seconds* have passed.
    """

    def up() -> bool:
        assert process.poll() is None, f"ended with {process.returncode}"
        return answers(f"{url}/health/ready")

    try:
        eventually(up, seconds=seconds)
    except AssertionError as error:
        process.send_signal(signal.SIGABRT)
        process.wait(timeout=10.0)
        raise AssertionError(f"{error}\n{log.read_text(encoding='utf-8', errors='replace')}") from error


@contextmanager
def program(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path = ROOT, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """*command* running in its own process group; stopped with SIGTERM, after 10 s with SIGKILL. Its output goes to *log*."""
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


class Site(NamedTuple):
    """A running dashboard: its address and its process."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def site(folder: Path, *, port: int | None = None, **variables: str) -> Iterator[Site]:
    """The whole application, its store and log in *folder*, once ``/health/ready`` says so; *port*: a free one by default."""
    chosen = port or free_port()
    log = folder / "dashboard.log"
    env = environment(PERF_STORE__PATH=str(folder / "perf.duckdb"), **variables)
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(chosen)]
    with program(command, env=env, log=log) as process:
        url = f"http://127.0.0.1:{chosen}"
        ready(process, url, log)
        yield Site(url, process)


@contextmanager
def dashboard(folder: Path, **variables: str) -> Iterator[str]:
    """The address of a `site`."""
    with site(folder, port=None, **variables) as found:
        yield found.url


def redis_server() -> str:
    """The path of redis-server; skips the test without one."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed")
    return found


def postgres_program(name: str) -> str:
    """The path of one of PostgreSQL's server programs, which Debian keeps off PATH; skips the test without one."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def forked(work: Callable[[], bool]) -> int:
    """The process id of a child that does *work* and ends: with 0 when it answers True, never as a second run of the tests."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = 0 if work() else 1
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here.
        traceback.print_exc()
    finally:
        os._exit(code)


class RedisServer(NamedTuple):
    """A running Redis: its port and its process."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def redis_server_with(*options: str, port: int | None = None, ready: bool = True) -> Iterator[RedisServer]:
    """A Redis of our own with *options* of its command line, without persistence, once it answers (unless not *ready*)."""
    chosen = port or free_port()
    with TemporaryDirectory(prefix="perf-redis-") as folder:
        fixed = ["--port", str(chosen), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        with program([redis_server(), *fixed, *options], env=environment()) as process:
            if ready:
                eventually(lambda: _listens(chosen), seconds=30.0)
            yield RedisServer(chosen, process)


@contextmanager
def redis() -> Iterator[int]:
    """The port of a Redis of our own, without persistence, once it answers."""
    with redis_server_with() as server:
        yield server.port


@contextmanager
def postgres() -> Iterator[str]:
    """The connection string of a PostgreSQL of our own, reached by a Unix socket, once it takes connections.

    It refuses to run as root: then the system's user postgres runs it.
    """
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with TemporaryDirectory(prefix="perf-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        make = [initdb, "--pgdata", data, "--auth=trust", "--username=perf", "--encoding=UTF8", "--no-sync"]
        subprocess.run([*user, *make, "--locale=C"], check=True, cwd=folder, env=environment(), capture_output=True)
        options = ["-D", data, "-k", name, "-c", "listen_addresses=", "-c", "fsync=off"]
        log = folder / "postgres.log"
        with program([*user, server, *options], env=environment(), cwd=folder, log=log) as process:
            eventually(lambda: _takes_connections(process, folder, log), seconds=60.0)
            yield f"host={name} user=perf dbname=postgres"


def _takes_connections(process: subprocess.Popen[bytes], folder: Path, log: Path) -> bool:
    assert process.poll() is None, f"ended with {process.returncode}:\n{log.read_text(encoding='utf-8')}"
    note = folder / "data" / "postmaster.pid"
    return note.exists() and note.read_text(encoding="ascii").rstrip().endswith("ready")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10.0)
    # Children that outlived it, such as a browser's; the group is its own. macOS refuses when it has just ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30.0)
