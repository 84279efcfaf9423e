"""What happens before the first page: addresses, host names, and errors that end the process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.watcher import watch_file
from streamlit.watcher.polling_path_watcher import PollingPathWatcher

from dashboard import startup
from perf import default
from perf.errors import SettingsError
from perf.settings import Settings
from tests.services import ROOT, environment, eventually

PROGRAM = """
import asyncio, sys, threading
from dashboard import startup

elsewhere = set()

class Noting:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            elsewhere.add(name.partition(".")[0])

async def run(runtime):
    async with startup.lifespan(None):
        while not runtime.writer.stats().commits:
            await asyncio.sleep(0.01)

runtime = startup.open_runtime()
sys.meta_path.insert(0, Noting())
asyncio.run(run(runtime))
print("pandas" in sys.modules, *sorted(elsewhere & {"dashboard", "pandas", "plotly", "pyarrow", "streamlit"}))
"""
"""Says whether pandas was loaded, and what of our large packages on another thread than the first."""


@pytest.fixture(autouse=True)
def _own_options() -> Iterator[None]:
    """Streamlit's options as they were."""
    names = ("server.address", "server.port", "browser.serverAddress")
    before = {name: config.get_option(name) for name in names}
    yield
    for name, value in before.items():
        config.set_option(name, value)


def listening(address: str, public: str = "") -> None:
    config.set_option("server.address", address)
    config.set_option("server.port", 8600)
    config.set_option("browser.serverAddress", public)


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "192.168.1.5"])
def test_an_open_address_is_refused_without_consent(address: str) -> None:
    listening(address)
    with pytest.raises(SettingsError, match="refusing to listen on"):
        startup.hosts(Settings())
    assert "*" in startup.hosts(Settings(insecure=True))


def test_on_loopback_only_own_names_and_the_public_one_are_answered() -> None:
    listening("127.0.0.1", "Perf.Example")
    assert startup.hosts(Settings()) == ("localhost", "127.0.0.1", "[::1]", "perf.example")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8600"),
        ("localhost", "http://localhost:8600"),
        ("::1", "http://[::1]:8600"),
        ("0.0.0.0", "http://127.0.0.1:8600"),
        ("", "http://127.0.0.1:8600"),
    ],
)
def test_the_note_gives_an_address_that_this_machine_reaches(address: str, url: str) -> None:
    listening(address)
    assert startup.url() == url


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PERF_STORE__PAHT", "x", "PERF_STORE__PAHT: unknown setting 'store.paht'; did you mean 'path'?"),
        ("PERF_STORE__PATH", "{folder}", "{folder}: is a folder; store.path must name a file"),
        ("PERF_LOGS__LEVEL", "LOUD", "logs.level: 'LOUD'; known: DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_what_can_not_be_opened_ends_the_process_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    said: str,
) -> None:
    listening("127.0.0.1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value.format(folder=tmp_path))
    with pytest.raises(SystemExit) as ended:
        startup.open_runtime()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"perf: {said.format(folder=tmp_path)}\n"


def test_an_opened_runtime_is_the_process_s_and_has_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening("127.0.0.1")
    monkeypatch.chdir(tmp_path)
    runtime = startup.open_runtime()
    try:
        assert default.get() is runtime
        assert runtime.started is None
        assert (tmp_path / "data" / "perf.duckdb").exists()
    finally:
        default.install(None)
        runtime.stop()


def test_nobody_asks_for_configuration_files_after_the_start(tmp_path: Path) -> None:
    """Streamlit watches them itself, five times a second each, through its own public function."""
    changed = threading.Event()
    file = tmp_path / "config.toml"
    file.write_text("[server]\n")
    assert watch_file(str(file), lambda _: changed.set(), watcher_type="poll", allow_nonexistent=True)
    file.write_text("[server]\nport = 1\n")
    os.utime(file, (file.stat().st_mtime + 30.0,) * 2)
    assert changed.wait(30.0), "this is how it watches"
    assert startup.unwatched() >= 1
    # One look may be on its way: its watcher is gone after it.
    eventually(lambda: not [one for one in gc.get_objects() if type(one) is PollingPathWatcher], seconds=60.0)
    changed.clear()
    file.write_text("[server]\nport = 22\n")
    later = file.stat().st_mtime + 60.0
    os.utime(file, (later, later))
    assert not changed.wait(1.5)


def test_what_pages_need_is_loaded_before_there_are_other_threads(tmp_path: Path) -> None:
    env = environment(PERF_STORE__PATH=str(tmp_path / "perf.duckdb"), STREAMLIT_SERVER_ADDRESS="127.0.0.1")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=env, capture_output=True, text=True, timeout=110, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True"]), done.stderr
