"""The scripts behind the Makefile: what they refuse, and what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import check_tree, create_venv, generated, install, lock

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "lines", "found"),
    [
        ("perf/a.py", 300, []),
        ("perf/a.py", 301, ["301 lines, at most 300: split it by idea"]),
        ("pages/a.py", 61, ["61 lines, at most 60: split it by idea"]),
        ("dashboard/a.js", 301, ["301 lines, at most 300: split it by idea"]),
        ("tests/a.py", 900, []),
        ("docs/a.md", 900, []),
    ],
)
def test_files_have_a_size(name: str, lines: int, found: list[str]) -> None:
    assert list(check_tree.too_long(ROOT / name, "x = 1\n" * lines)) == found


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("class AlertManager: ...", []),
        ("class Manageress: ...", []),
        ("class StoreManager: ...", ["line 1: class StoreManager: name it for what it is"]),
        ("def run_impl(): ...", ["line 1: run_impl: name the difference"]),
    ],
)
def test_names_say_what_a_thing_is(code: str, found: list[str]) -> None:
    assert list(check_tree.vague_names(ROOT / "perf/a.py", code)) == found


def test_sql_begins_with_its_question() -> None:
    assert list(check_tree.bare_sql(Path("a.sql"), "-- How many?\nSELECT 1")) == []
    assert len(list(check_tree.bare_sql(Path("a.sql"), "SELECT 1"))) == 1


@pytest.mark.parametrize("line", ["log = '/ho" + "me/ann/perf.log'", f"cd {ROOT}", f"{sys.prefix}/bin/python"])
def test_a_path_of_one_machine_is_found(line: str) -> None:
    assert len(list(check_tree.leaks(ROOT / "a.md", f"fine\n{line}\n"))) == 1


def test_general_paths_are_no_leak() -> None:
    assert (
        list(check_tree.leaks(ROOT / "a.md", "/data/perf.duckdb /etc/hosts /proc/self https://example.com/home\n"))
        == []
    )


def test_a_python_without_ensurepip_names_the_package(tmp_path: Path) -> None:
    blind = (
        "import importlib.util as u; u.find_spec = lambda name: None; import shutil; shutil.which = lambda name: None; "
    )
    code = (
        f"{blind}import runpy, sys; sys.argv = ['', 'v']; runpy.run_path({create_venv.__file__!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "sudo apt-get install python3-venv" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_is_too_old_is_not_taken(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    command = ["sh", str(ROOT / "tools/find_python.sh")]
    done = subprocess.run(
        command, check=False, env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"perf needs Python 3.11 or newer; tried: {old}.")


@pytest.mark.parametrize(
    ("said", "tool"),
    [
        ("", "uv"),
        ("global.timeout='60'\n", "uv"),
        ("global.index-url='https://packages.example.com/simple'\n", sys.executable),
        (":env:.constraint='limits.txt'\n", sys.executable),
    ],
)
def test_uv_installs_only_where_pip_would_look_in_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, tool: str
) -> None:
    uv = tmp_path / "uv"
    uv.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    listed = subprocess.CompletedProcess([], 0, stdout=said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: listed)
    assert install.command(["requirements.txt"])[0] == (str(uv) if tool == "uv" else tool)


@pytest.mark.parametrize("line", ["--index-url x", "a @ file:///wheels/a.whl", "a==1 # https://example.com"])
def test_a_lock_file_names_no_place(line: str) -> None:
    assert lock.FORBIDDEN.search(f"numpy==2.4.6 ; python_full_version < '3.12'\n{line}\n")


def test_the_lock_file_holds_every_dependency() -> None:
    locked = {line.partition("==")[0] for line in install.LOCK.read_text(encoding="utf-8").splitlines()}
    lists = [(ROOT / name).read_text(encoding="utf-8") for name in ("requirements.txt", "requirements-dev.txt")]
    wanted = {
        line.partition(">=")[0].partition("[")[0]
        for text in lists
        for line in text.splitlines()
        if not line.startswith("#")
    }
    assert wanted - locked == set()
    assert not lock.FORBIDDEN.search(install.LOCK.read_text(encoding="utf-8").partition("\n")[2])


@pytest.mark.parametrize(
    ("text", "check", "after", "code"),
    [
        ("a\n<1>\nold\n<2>\nz\n", False, "a\n<1>\nnew\n<2>\nz\n", 0),
        ("a\n<1>\nold\n<2>\nz\n", True, "a\n<1>\nold\n<2>\nz\n", 1),
        ("a\n<1>\nnew\n<2>\nz\n", True, "a\n<1>\nnew\n<2>\nz\n", 0),
        ("a\n<1>\nold\n", False, "a\n<1>\nold\n", 1),
        ("<2>\nold\n<1>\n", True, "<2>\nold\n<1>\n", 1),
    ],
    ids=["renewed", "old", "up to date", "no end", "end before begin"],
)
def test_what_code_writes_into_a_document_is_renewed_or_compared(
    tmp_path: Path, text: str, *, check: bool, after: str, code: int
) -> None:
    document = tmp_path / "guide.md"
    document.write_text(text, encoding="utf-8")
    assert generated.renew(document, "<1>", "<2>", "new", check=check) == code
    assert document.read_text(encoding="utf-8") == after
