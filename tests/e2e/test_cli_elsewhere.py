"""The command line against an owner elsewhere, named by its address or by the settings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.cli import main
from perf.clock import SystemClock
from perf.model import Metric, Sample
from perf.settings import StoreSettings
from tests.owners import TOKEN, Owner
from tests.services import free_port


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """An owner with a sample of a metric of now."""
    clock = SystemClock()
    found = Owner(StoreSettings(path=str(tmp_path_factory.mktemp("owner") / "x.duckdb"), free_space_floor=0), clock)
    found.runtime.writer.submit([Sample(clock.now() - 5.0, Metric("depth", unit="1"), (), 7.0)]).result(30)
    yield found
    found.close()


@pytest.fixture(params=["url", "settings"])
def named(request: pytest.FixtureRequest, owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that name the owner; in the settings its token comes from a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    if request.param == "url":
        return ["--url", f"{owner.url}/", "--token-file", "token"]
    monkeypatch.setenv("PERF_STORE__BACKEND", "remote")
    monkeypatch.setenv("PERF_STORE__URL", owner.url)
    monkeypatch.setenv("PERF_STORE__TOKEN_FILE", str(tmp_path / "token"))
    return []


def test_sql(named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", *named, "--format", "json", "SELECT value FROM perf.metrics WHERE metric = 'depth'"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"value": 7.0}]


def test_export(named: list[str], tmp_path: Path) -> None:
    assert main(["export", *named, "--query", "depth", "--raw", "--from", "now-1h", "--output", "x.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert [(row["metric"], row["value"]) for row in rows] == [("depth", "7.0")]


def test_health_alerts_and_rules(named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", *named, "--json"]) in (0, 1, 2)
    assert {"store", "loops"} <= set(json.loads(capsys.readouterr().out)["checks"])
    assert main(["alerts", *named]) == 0
    assert capsys.readouterr().out == "nothing fires\n"
    assert main(["rules", *named, "list"]) == 0
    assert "Memory" in capsys.readouterr().out


def test_the_note_of_an_owner_here_does_not_count(named: list[str], tmp_path: Path) -> None:
    """Nothing is opened or made where the command runs."""
    assert main(["sql", *named, "SELECT 1"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_doctor_asks_the_owner(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERF_STORE__BACKEND", "remote")
    for url, token, verdict, said in (
        (owner.url, TOKEN, "ok", "answers, and lets this process ask"),
        (owner.url, "wrong", "fail", "refuses this process"),
        (f"http://127.0.0.1:{free_port()}", TOKEN, "fail", "no answer from"),
    ):
        monkeypatch.setenv("PERF_STORE__URL", url)
        monkeypatch.setenv("PERF_STORE__TOKEN", token)
        main(["doctor", "--json"])
        found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
        assert (found["owner"]["verdict"], said in found["owner"]["found"]) == (verdict, True)
        assert "folder" not in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token-file", "missing"], "--token-file missing: No such file"),
        (["--url", "elsewhere"], "not an HTTP address: elsewhere"),
        (["--url", "http://127.0.0.1:1"], "no answer from 127.0.0.1:1"),
    ],
    ids=["no file", "no address", "nobody"],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sql", *arguments, "SELECT 1"]) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_token_is_refused(owner: Owner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_text("wrong")
    assert main(["sql", "--url", owner.url, "--token-file", str(tmp_path / "token"), "SELECT 1"]) == 2
    assert "token" in capsys.readouterr().err
