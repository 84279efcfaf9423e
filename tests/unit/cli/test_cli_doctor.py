"""Every check of the doctor: fine, and each way in which it isn't."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from perf import ownerfile
from perf.cli import main
from perf.cli.checks import installation, machine, storage
from perf.cli.checks.verdict import Verdict
from perf.clock import ManualClock
from perf.ownerfile import Owner
from perf.settings import ServerSettings, Settings, StoreSettings
from perf.sources.cgroup import Cgroup
from tests.services import free_port

MIB = 2**20


def settings(folder: Path) -> Settings:
    return Settings(store=StoreSettings(path=str(folder / "data" / "perf.duckdb")))


def cgroup(folder: Path, **files: str) -> Cgroup:
    """A machine whose one control group has *files* (dots written as two underscores)."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "cgroup").write_text("0::/app\n")
    group = folder / "cgroup" / "app"
    group.mkdir(parents=True)
    (folder / "cgroup" / "cgroup.controllers").write_text("cpu memory\n")
    (group / "cpu.stat").write_text("usage_usec 0\n")
    for name, text in files.items():
        (group / name.replace("__", ".")).write_text(text)
    return Cgroup(folder / "proc", folder / "cgroup")


def test_an_old_python_fails() -> None:
    assert installation.python((3, 11, 0)).verdict is Verdict.OK
    check = installation.python((3, 10, 9))
    assert (check.verdict, check.found, check.do) == (Verdict.FAIL, "3.10.9", "install Python 3.11 or newer")


def test_a_missing_package_fails_with_what_to_install() -> None:
    first, second = installation.packages(["no-such-package-here"], ["msgspec"])
    assert (first.verdict, first.do) == (Verdict.FAIL, "pip install no-such-package-here")
    assert (second.verdict, second.found) == (Verdict.OK, f"msgspec {msgspec.__version__}")


def test_settings_say_where_they_come_from_and_what_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "perf.toml"
    config.write_text('[dashboard]\nrefresh = "2s"\n')
    monkeypatch.setenv("PERF_SERVER__PORT", "9000")
    check, loaded = installation.settings(config)
    assert loaded is not None
    assert check.found == f"from {config}, PERF_SERVER__PORT; server.port=9000, dashboard.refresh=2s"


def test_settings_that_can_not_be_read_fail(tmp_path: Path) -> None:
    check, loaded = installation.settings(tmp_path / "none.toml")
    assert (check.verdict, loaded) == (Verdict.FAIL, None)


def test_the_folder_is_tried_where_it_will_be_made(tmp_path: Path) -> None:
    check = storage.folder(settings(tmp_path))
    assert (check.verdict, check.found) == (Verdict.OK, f"{tmp_path / 'data'} will be made")
    (tmp_path / "data").mkdir()
    assert storage.folder(settings(tmp_path)).found == f"{tmp_path / 'data'} is writable"
    assert list((tmp_path / "data").iterdir()) == []


def test_a_folder_that_takes_no_file_fails() -> None:
    check = storage.folder(Settings(store=StoreSettings(path="/proc/perf.duckdb")))
    assert (check.verdict, check.do) == (Verdict.FAIL, "make it writable for this user, or set PERF_STORE__PATH")


@pytest.mark.parametrize(("free", "verdict"), [(512, Verdict.OK), (511, Verdict.WARN), (255, Verdict.FAIL)])
def test_space_is_measured_against_the_floor(tmp_path: Path, free: int, verdict: Verdict) -> None:
    assert storage.space(settings(tmp_path), lambda _: free * MIB).verdict is verdict


def test_an_owner_that_does_not_answer_fails(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert storage.owned(found).verdict is Verdict.OK
    (tmp_path / "data").mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    ownerfile.write(found.store.path, Owner(pid=os.getpid(), url=url, token="t", started=0.0))
    check = storage.owned(found)
    assert (check.verdict, check.found) == (Verdict.FAIL, f"process {os.getpid()} at {url} does not answer")


def test_a_clock_that_can_not_be_right_fails(tmp_path: Path) -> None:
    check = storage.clock(settings(tmp_path), ManualClock(0.0))
    assert (check.verdict, check.found) == (Verdict.FAIL, "1970-01-01T00:00:00+00:00 can't be right")


def test_a_store_from_the_future_is_a_warning(tmp_path: Path) -> None:
    found, now = settings(tmp_path), datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    path = Path(found.store.path)
    path.parent.mkdir()
    path.touch()
    os.utime(path, (now + 60, now + 60))
    check = storage.clock(found, ManualClock(now))
    assert (check.verdict, check.found) == (
        Verdict.WARN,
        "2026-11-01T00:00:00+00:00, but the store was written 60 s later",
    )
    assert storage.clock(found, ManualClock(now + 55)).verdict is Verdict.OK


def test_a_port_that_something_else_has_fails() -> None:
    port = free_port()
    found = Settings(server=ServerSettings(port=port))
    assert machine.port(found).found == f"127.0.0.1:{port} is free"
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", port))
        check = machine.port(found)
        assert (check.verdict, check.found) == (
            Verdict.FAIL,
            f"can't listen on 127.0.0.1:{port}: Address already in use",
        )


def test_limits_of_a_container_are_shown(tmp_path: Path) -> None:
    group = cgroup(tmp_path, memory__max=f"{1024 * MIB}\n", memory__current="0\n", cpu__max="150000 100000\n")
    check = machine.limits(group, 256 * MIB)
    assert (check.verdict, check.found) == (Verdict.OK, "1,024 MiB of memory, 1.5 cores")


def test_a_memory_limit_that_is_too_small_is_a_warning(tmp_path: Path) -> None:
    group = cgroup(tmp_path, memory__max=f"{511 * MIB}\n", memory__current="0\n")
    assert machine.limits(group, 256 * MIB).verdict is Verdict.WARN


def test_no_limits_are_fine(tmp_path: Path) -> None:
    check = machine.limits(cgroup(tmp_path), 256 * MIB)
    assert (check.verdict, check.found) == (Verdict.OK, "no memory limit, no CPU limit")


def test_pressure_is_optional(tmp_path: Path) -> None:
    group = cgroup(tmp_path)
    check = machine.pressure(group, tmp_path / "none")
    assert (check.verdict, check.found) == (Verdict.OK, "this kernel reports none; its charts stay empty")
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text("some avg10=0.00\n")
    assert machine.pressure(group, tmp_path / "pressure").found == f"read from {tmp_path / 'pressure'}"


def test_the_worst_check_is_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(tmp_path / "none.toml")]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    python ")
    assert lines[-1] == "                 -> correct the file or the variable"


def test_json_has_one_object_a_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json", "--config", str(tmp_path / "none.toml")])
    found = msgspec.json.decode(capsys.readouterr().out)
    assert [(check["name"], check["verdict"]) for check in found] == [
        ("python", "ok"),
        ("packages", "ok"),
        ("dashboard", "ok"),
        ("settings", "fail"),
    ]
