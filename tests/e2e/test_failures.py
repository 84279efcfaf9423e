"""Bad luck: killed processes, full disks, broken files and wrong settings. Each is survived, or said in one clear line."""

from __future__ import annotations

import csv
import hashlib
import io
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from perf import ownerfile
from tests.services import ROOT, answers, environment, eventually, free_port, program, ready

CALM = """
[store]
free_space_floor = 0
[health]
interval = "1s"
timeout = "60s"
[sources.host]
interval = "100ms"
[thresholds]
cpu_usage_percent = { warning = 101, critical = 101 }
memory_usage_percent = { warning = 101, critical = 101 }
disk_usage_percent = { warning = 101, critical = 101 }
swap_usage_percent = { warning = 101, critical = 101 }
"""
"""Limits and times that no machine reaches, and a sample often enough that something is always being written."""

ENTRIES = {
    "serve": ("-m", "perf", "serve", "--port", "{port}"),
    "dashboard": ("-m", "perf", "dashboard", "--port", "{port}"),
}
STREAMLIT = ("-m", "streamlit", "run", "app.py", "--server.port", "{port}")
each_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)

Key = tuple[str, str, str]


class Product:
    """perf as a process of its own, on a store in *folder*."""

    def __init__(self, folder: Path, entry: tuple[str, ...] = ENTRIES["serve"], config: str = CALM) -> None:
        self.folder, self.port = folder, free_port()
        self.store = folder / "perf.duckdb"
        self.log = folder / "perf.log"
        self.config = folder / "perf.toml"
        self.config.write_text(config)
        self._entry = entry

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        return [sys.executable, *(part.format(port=self.port) for part in self._entry)]

    def env(self, **variables: str) -> dict[str, str]:
        return environment(PERF_STORE__PATH=str(self.store), PERF_CONFIG=str(self.config), **variables)

    @contextmanager
    def running(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """The process, once it has stored something."""
        with program(self.command, env=self.env(**variables), log=self.log) as process:
            ready(process, self.url, self.log)
            yield process

    def refused(self, **variables: str) -> str:
        """The one line on standard error with which it ends by itself, with exit code 2."""
        done = subprocess.run(
            self.command,
            env=self.env(**variables),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("perf: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("perf: ").rstrip("\n")

    def ask(self, path: str, *pairs: tuple[str, str]) -> tuple[int, str]:
        """Status and body of an answer."""
        try:
            with urlopen(f"{self.url}{path}?{urlencode(pairs)}", timeout=60) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self) -> tuple[int, dict[str, Any]]:  # Any: a JSON answer
        """Status and body of ``/health``."""
        code, body = self.ask("/health")
        return code, msgspec.json.decode(body)

    def samples(self, *pairs: tuple[str, str]) -> list[Key]:
        """Time, metric and labels of every stored sample."""
        code, text = self.ask("/api/v1/export", ("raw", "1"), ("from", "now-1h"), ("to", "now"), *pairs)
        assert code == 200, text
        return [(row[1], row[2], row[3]) for row in list(csv.reader(io.StringIO(text)))[1:]]

    def grown(self, count: int) -> list[Key]:
        """The stored samples, once there are *count*."""
        found: list[Key] = []

        def enough() -> bool:
            found[:] = self.samples()
            return len(found) >= count

        eventually(enough, seconds=60)
        return found

    def unhealthy(self) -> dict[str, Any]:  # Any: a JSON answer
        """The body of ``/health``, once it answers 503."""
        found: list[dict[str, Any]] = []  # Any: as above

        def ill() -> bool:
            code, body = self.health()
            found.append(body)
            return code == 503

        eventually(ill, seconds=60)
        return found[-1]

    def metric(self, name: str, **labels: str) -> float | None:
        """One number of ``/metrics``."""
        samples = (sample for family in parse_metrics(self.ask("/metrics")[1]) for sample in family.samples)
        return next((s.value for s in samples if s.name == name and labels.items() <= s.labels.items()), None)


def fingerprint(*paths: Path) -> list[str]:
    """A hash of each file's content, and which files there are beside them."""
    beside = sorted({str(found) for path in paths for found in path.parent.iterdir()})
    return [*beside, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)]


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 16 MiB."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "perf-test", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.timeout(300)
def test_a_kill_loses_nothing_that_was_stored_and_doubles_nothing(tmp_path: Path) -> None:
    product = Product(tmp_path)
    stored: set[Key] = set()
    restarts = []
    for _ in range(4):
        with product.running(PERF_SOURCES__HOST__INTERVAL="20ms") as process:
            # Of a processor: by the clock, a start takes as long as others let it.
            spent = psutil.Process(process.pid).cpu_times()
            restarts.append(spent.user + spent.system)
            seen = product.grown(len(stored) + 500)
            process.kill()
            assert process.wait(timeout=10) == -signal.SIGKILL
        assert len(set(seen)) == len(seen)
        assert stored <= set(seen)
        stored = set(seen)
    with product.running():
        eventually(lambda: product.metric("perf_samples_stored_total") is not None, seconds=30)
        counted = product.metric("perf_samples_stored_total")
        after = product.samples()
    assert len(set(after)) == len(after)
    assert stored <= set(after)
    # The count is this process's own: what it stored so far is among what came after the last kill.
    assert counted is not None
    assert counted <= len(after) - len(stored)
    assert max(restarts[1:]) < max(5.0, 2 * restarts[0]), restarts


@each_entry
def test_sigterm_stores_what_is_queued_and_tidies_up(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    with product.running() as process:
        seen = product.samples()
        assert ownerfile.read(str(product.store)) is not None
        process.terminate()
        code = process.wait(timeout=60)
    # Streamlit's server ends by the signal that stopped it, once everything is tidied up; by force it ends with another code.
    assert code in (0, -signal.SIGTERM)
    assert "Traceback" not in product.log.read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("perf.duckdb")) == ["perf.duckdb"]
    after = Product(tmp_path)
    with after.running():
        assert set(seen) <= set(after.samples())


def filled(folder: Path) -> Path:
    """A file that takes all the room that is left in *folder*."""
    path = folder / "filler"
    with suppress(OSError), path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


@pytest.mark.timeout(300)
def test_a_full_disk_is_told_reads_go_on_and_nothing_is_lost(volume: Path, tmp_path: Path) -> None:
    product = Product(tmp_path)
    product.store = volume / "perf.duckdb"
    with product.running() as process:
        eventually(lambda: product.health()[1]["status"] == "healthy", seconds=60)
        before = product.samples()
        filler = filled(volume)
        body = product.unhealthy()
        assert body["checks"]["store"]["status"] == "unhealthy"
        assert f"nothing can be written: {product.store}: no space left on its volume" in body["message"]
        assert product.ask("/health/ready")[0] == 503
        assert product.ask("/health/live")[0] == 200
        assert set(before) <= set(product.samples())
        full = len(product.samples())
        assert product.ask("/api/v1/query", ("query", "memory_usage_percent"))[0] == 200
        waiting = eventually(lambda: (n := queued(product)) >= 200 and n, seconds=60)
        filler.unlink()
        eventually(lambda: product.health()[1]["status"] == "healthy", seconds=60)
        assert product.ask("/health/ready")[0] == 200
        after = product.grown(full + waiting)
        assert len(set(after)) == len(after)
        eventually(lambda: product.metric("perf_samples_dropped_total", reason="store_failed") == 0.0, seconds=20)
        assert product.metric("perf_samples_dropped_total", reason="queue_full") == 0.0
        assert process.poll() is None


def queued(product: Product) -> int:
    """How many samples wait for the store."""
    return int(product.health()[1]["checks"]["store"]["evidence"]["queued_samples"])


@pytest.mark.timeout(300)
def test_what_a_full_queue_can_not_take_is_told_and_counted(volume: Path, tmp_path: Path) -> None:
    product = Product(tmp_path)
    product.store = volume / "perf.duckdb"
    with product.running(PERF_STORE__QUEUE_SAMPLES="1000", PERF_SOURCES__HOST__INTERVAL="20ms"):
        filler = filled(volume)
        told = "samples are being dropped (queue_full: "
        eventually(lambda: told in product.health()[1]["message"], seconds=60, every=0.5)
        filler.unlink()
        eventually(lambda: product.ask("/health/ready")[0] == 200, seconds=60)
        eventually(lambda: product.metric("perf_samples_dropped_total", reason="queue_full"), seconds=30, every=0.5)


@pytest.mark.timeout(300)
def test_a_start_on_a_full_disk_serves_what_there_is_and_recovers(volume: Path, tmp_path: Path) -> None:
    product = Product(tmp_path)
    product.store = volume / "perf.duckdb"
    with product.running() as process:
        before = product.samples()
        filler = filled(volume)
        product.unhealthy()
        process.kill()
        process.wait(timeout=10)
    with program(product.command, env=product.env(), log=product.log) as process:
        eventually(lambda: answers(f"{product.url}/health/live"), seconds=90)
        assert "no space left on its volume" in product.unhealthy()["message"]
        assert set(before) <= set(product.samples())
        filler.unlink()
        eventually(lambda: product.health()[1]["status"] == "healthy", seconds=60, every=0.5)
        # The note needs room, too: until it is left, nobody else finds the address and the token.
        eventually(lambda: (note := ownerfile.read(str(product.store))) and note.pid == process.pid, seconds=30)
        assert set(before) <= set(product.samples())
    assert "Traceback" not in product.log.read_text()


@each_entry
def test_a_store_that_is_another_file_is_left_alone(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    product.store.write_text("my notes\n")
    before = fingerprint(product.store, product.config)
    line = product.refused()
    assert line == f"{product.store}: is not a DuckDB file and was left alone; set store.path to another name"
    assert fingerprint(product.store, product.config) == before


@each_entry
def test_a_store_that_is_a_folder_is_refused(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    product.store.mkdir()
    assert product.refused() == f"{product.store}: is a folder; store.path must name a file"
    assert list(product.store.iterdir()) == []


@each_entry
def test_a_folder_that_can_not_be_written_is_named(volume: Path, tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    product.store = volume / "perf.duckdb"
    # Not by its mode: that stops no root.
    subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
    line = product.refused()
    assert line.startswith(f"{volume}: can't write there; ")
    assert "set store.path" in line
    assert list(volume.iterdir()) == []


@each_entry
def test_a_store_that_another_process_has_open_names_it_and_its_address(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path)
    with product.running() as process:
        note = ownerfile.read(str(product.store))
        line = Product(tmp_path, entry).refused()
        assert f"process {process.pid} has the store open" in line
        assert product.url in line
        assert ownerfile.read(str(product.store)) == note
        assert product.health()[0] in (200, 503)


@each_entry
def test_a_taken_port_is_named_before_the_store_is_touched(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    with socket.create_server(("127.0.0.1", product.port)):
        line = product.refused()
    assert line.startswith(f"can't listen on 127.0.0.1:{product.port}: Address already in use; ")
    assert not product.store.exists()


def test_streamlit_itself_refuses_a_taken_port_before_the_store_is_touched(tmp_path: Path) -> None:
    product = Product(tmp_path, STREAMLIT)
    with socket.create_server(("127.0.0.1", product.port)):
        done = subprocess.run(
            product.command, env=product.env(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert f"Port {product.port} is not available" in done.stderr
    assert not product.store.exists()


@each_entry
def test_an_unknown_setting_is_named_with_the_nearest(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry, "[store]\nfree_space_flor = 0\n")
    line = product.refused()
    assert line == f"{product.config}: unknown setting 'store.free_space_flor'; did you mean 'free_space_floor'?"
    assert not product.store.exists()


@each_entry
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PERF_SOURCES__HOST__INTERVAL", "soon", "not a number of seconds: 'soon'"),
        ("PERF_STORE__THREADS", "many", "Expected `int`, got `str`"),
        ("PERF_STORE__PAHT", "x", "did you mean 'path'?"),
    ],
)
def test_a_variable_that_can_not_be_understood_is_named(
    tmp_path: Path, entry: tuple[str, ...], name: str, value: str, said: str
) -> None:
    product = Product(tmp_path, entry)
    line = product.refused(**{name: value})
    assert line.startswith(f"{name}: ")
    assert said in line
    assert not product.store.exists()


@pytest.mark.parametrize("entry", [*ENTRIES.values(), STREAMLIT], ids=[*ENTRIES, "streamlit"])
def test_an_open_address_is_refused(tmp_path: Path, entry: tuple[str, ...]) -> None:
    option = "--server.address" if entry is STREAMLIT else "--host"
    product = Product(tmp_path, (*entry, option, "0.0.0.0"))
    line = product.refused()
    assert line.startswith("refusing to listen on 0.0.0.0: ")
    assert "PERF_INSECURE=1" in line
    assert not product.store.exists()


def spoiled(path: Path) -> bytes:
    """Overwrite the two headers that hold DuckDB's root pointers; the content that is left in the file."""
    with path.open("r+b") as file:
        for at in (4096, 8192):
            file.seek(at + 8)
            file.write(bytes(range(256)) * 8)
    return path.read_bytes()


@each_entry
def test_a_corrupt_store_is_set_aside_and_health_tells(tmp_path: Path, entry: tuple[str, ...]) -> None:
    product = Product(tmp_path, entry)
    with product.running():
        pass
    content = spoiled(product.store)
    with product.running():
        (aside,) = tmp_path.glob("perf.duckdb.corrupt-*")
        code, body = product.health()
        assert (code, body["checks"]["store"]["status"]) == (200, "degraded")
        assert f"The store was corrupt: it was set aside as {aside}" in body["message"]
        assert product.samples()
        assert eventually(lambda: product.metric("perf_store_set_aside_files"), seconds=60) == 1.0
    assert aside.read_bytes() == content
