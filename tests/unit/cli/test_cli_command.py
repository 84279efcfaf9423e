"""Arguments, exit codes and messages of the command line that need no store."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import perf
from perf.cli import main
from perf.cli.address import ListenError, listening
from perf.cli.export import ExportError, saved
from perf.errors import SettingsError
from perf.settings import ServerSettings
from tests.services import ROOT, environment, free_port


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"perf {perf.__version__}\n")


@pytest.mark.parametrize("verb", ["serve", "health", "sql", "export", "doctor"])
def test_every_verb_explains_itself_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"python -m perf {verb}" in text
    assert "Exit code" in text
    assert "examples:" in text


def test_a_dashboard_without_streamlit_s_settings_does_not_start(tmp_path: Path) -> None:
    # As `pip install .` leaves it: Streamlit would send statistics to its makers and show tracebacks to readers.
    shutil.copytree(ROOT / "perf", tmp_path / "perf", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    command = [sys.executable, "-m", "perf", "dashboard", "--port", "0"]
    told = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100
    )
    assert told.returncode == 2
    missing = tmp_path / ".streamlit" / "config.toml"
    assert told.stderr.splitlines()[-1].startswith(f"perf: no dashboard here: {missing} is missing")


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "perf.toml"
    config.write_text("[stroe]\n")
    assert main(["sql", "SELECT 1", "--config", str(config)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"perf: {config}: unknown setting 'stroe'; did you mean 'store'?\n"


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        main(["sql", "SELECT 1", "--debug", "--config", str(tmp_path / "none.toml")])


def test_health_that_can_not_look_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["health", "--url", f"http://127.0.0.1:{port}/"]) == 3
    assert capsys.readouterr().err.startswith(f"perf: no answer from 127.0.0.1:{port}: ")


def test_export_needs_a_query_or_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export"]) == 2
    assert capsys.readouterr().err == "perf: name at least one --query, or ask for --raw\n"


def test_an_export_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    def pieces() -> object:
        yield b"new"
        raise ExportError("broke off")

    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ExportError, match="broke off"):
        saved(pieces(), path)  # type: ignore[arg-type]  # a generator is an iterator
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"


def test_an_export_counts_its_lines(tmp_path: Path) -> None:
    assert saved(iter([b"a\nb", b"\n"]), tmp_path / "a.csv") == 2
    assert (tmp_path / "a.csv").read_bytes() == b"a\nb\n"


def test_an_export_to_a_place_that_is_none_says_why(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.csv"
    with pytest.raises(ExportError, match=f"can't write {path}: No such file or directory"):
        saved(iter([b""]), path)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"^can't listen on 127.0.0.1:{port}: Address already in use$"):
            listening(ServerSettings(port=port))


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "70000"]) == 2
    assert capsys.readouterr().err == "perf: --port: from 0 to 65535, not 70000\n"
