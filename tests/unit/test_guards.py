"""The test suite's own promises: no other machine is reached, and nothing is skipped in CI."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from perf import default
from tests.services import eventually, free_port

CONFTEST = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_connecting_to_another_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(RuntimeError, match="tests stay on this machine"):
        connection.connect((host, 80))


def test_looking_up_another_machine_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"tried to look up 'example\.com'"):
        socket.getaddrinfo("example.com", 80)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        socket.create_connection(server.getsockname()).close()


def test_waiting_ends_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.1 s; last answer: 0"):
        eventually(lambda: 0, seconds=0.1)


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\ndef test_a(): pytest.skip('no browser')",
        "import pytest\npytest.importorskip('no_such_module')",
        "import pytest\n@pytest.mark.skip(reason='no browser')\ndef test_a(): pass",
    ],
    ids=["in the test", "in the module", "by a mark"],
)
@pytest.mark.parametrize(("ci", "code"), [("true", {1, 2}), ("", {0, 5})])
def test_a_skip_is_a_failure_in_ci_only(tmp_path: Path, test: str, ci: str, code: set[int]) -> None:
    assert outcome(tmp_path, test, ci) in code


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert outcome(tmp_path, "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False", "true") == 0


def outcome(folder: Path, test: str, ci: str) -> int:
    """The exit code of pytest over the file *test* beside our conftest."""
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_one.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # nothing is asked of them, and loading them takes seconds
    env = {**os.environ, **alone, "CI": ci, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True).returncode


def test_no_test_opens_the_store_of_the_settings_by_accident() -> None:
    with pytest.raises(RuntimeError, match="no test has installed a runtime"):
        default.get()
