"""The command line as people run it: real processes, a real store, the owner over HTTP and without one."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import pyarrow.parquet as pq
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from perf import ownerfile
from tests.nursery import Nursery, nursery
from tests.services import ROOT, environment, eventually, free_port, program, ready

CALM = """
[store]
free_space_floor = 0
[health]
interval = "1s"
timeout = "60s"
[thresholds]
cpu_usage_percent = { warning = 101, critical = 101 }
memory_usage_percent = { warning = 101, critical = 101 }
disk_usage_percent = { warning = 101, critical = 101 }
swap_usage_percent = { warning = 101, critical = 101 }
"""
"""Limits and times that no machine reaches, so that a busy one doesn't change what a test sees."""


class Place:
    """A folder with a store, and the command line that works on it."""

    def __init__(self, folder: Path, commands: Nursery, config: str = CALM) -> None:
        self.folder, self.port, self._commands = folder, free_port(), commands
        self.store = str(folder / "perf.duckdb")
        (folder / "perf.toml").write_text(config)
        self.env = environment(
            PERF_STORE__PATH=self.store, PERF_SERVER__PORT=str(self.port), PERF_CONFIG=str(folder / "perf.toml")
        )
        self.log = folder / "serve.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def perf(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What a command said, and its exit code; `plain` starts it as people do."""
        return self._commands.run(*arguments, env=self.env, given=given)

    def plain(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same with a Python of its own."""
        command = [sys.executable, "-m", "perf", *arguments]
        return subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def healthy(self, *options: str) -> subprocess.CompletedProcess[str]:
        """What ``perf health`` said once all was well: a loop of a busy machine may be late."""
        return eventually(
            lambda: (done := self.perf("health", *options)).returncode == 0 and done, seconds=60, every=0.5
        )

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """An owner that has stored something."""
        with program([sys.executable, "-m", "perf", "serve"], env=self.env, log=self.log) as process:
            ready(process, self.url, self.log)
            yield process


@pytest.fixture(scope="module")
def commands() -> Iterator[Nursery]:
    """Starts the command line: sixty times in this file, and half a second of a processor each if it were all of Python."""
    with nursery("perf.cli") as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, commands: Nursery) -> Iterator[Place]:
    """One running owner for the tests that only ask."""
    found = Place(tmp_path_factory.mktemp("cli"), commands)
    with found.serving():
        found.healthy()
        yield found


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_health_shows_every_probe(place: Place) -> None:
    lines = place.healthy().stdout.splitlines()
    assert lines[0].split() == ["probe", "status", "seconds", "message"]
    assert [line.split()[:2] for line in lines[2:9]] == [
        ["store", "healthy"],
        ["resources", "healthy"],
        ["disk", "healthy"],
        ["loops", "healthy"],
        ["application", "healthy"],
        ["heartbeat", "healthy"],
        ["delivery", "healthy"],
    ]
    assert lines[-1] == "healthy: All probes are healthy."


def test_health_shows_the_score_and_runs_checks_now(place: Place) -> None:
    done = place.healthy("--run")
    assert re.match(r"score \d+ of 100, \w+", done.stdout.splitlines()[-2]), done.stdout


def test_health_shows_the_past_of_one_check(place: Place) -> None:
    lines = place.healthy("--history", "store").stdout.splitlines()
    assert lines[0].split() == ["from", "lasted", "status", "last", "message"]
    assert " healthy " in lines[2]
    assert lines[-1].endswith(" of the watched time")


def test_health_of_an_unknown_check_or_time_says_so(place: Place) -> None:
    done = place.perf("health", "--history", "stroe")
    assert (done.returncode, "no probe 'stroe'; known: application, delivery, disk" in done.stderr) == (3, True), (
        done.stderr
    )
    done = place.perf("health", "--history", "store", "--from", "yesterday")
    assert (done.returncode, "not a time: 'yesterday'" in done.stderr) == (3, True), done.stderr


def test_an_owner_with_a_check_that_makes_no_sense_does_not_start(tmp_path: Path, commands: Nursery) -> None:
    found = Place(tmp_path, commands, CALM + '[health.probes.shop]\nkind = "htpp"\n')
    done = found.perf("serve")
    assert done.returncode != 0
    assert "health.probes.shop: no probe 'htpp'; known: certificate" in done.stderr
    assert "Traceback" not in done.stderr


def test_health_as_json_is_the_answer_of_the_endpoint(place: Place) -> None:
    body = msgspec.json.decode(place.healthy("--json").stdout)
    assert (body["status"], sorted(body["checks"])) == (
        "healthy",
        ["application", "delivery", "disk", "heartbeat", "loops", "resources", "store"],
    )


@pytest.mark.parametrize(
    ("limits", "code", "status"),
    [("warning = 0, critical = 101", 1, "degraded"), ("warning = 0, critical = 0", 2, "unhealthy")],
)
def test_health_exit_codes_tell_the_status(
    tmp_path: Path, commands: Nursery, limits: str, code: int, status: str
) -> None:
    crossed = CALM.replace(
        "memory_usage_percent = { warning = 101, critical = 101", f"memory_usage_percent = {{ {limits}"
    )
    found = Place(tmp_path, commands, crossed)
    with found.serving():
        done = eventually(
            lambda: f"\n{status}: resources: " in (got := found.perf("health")).stdout and got, seconds=60, every=0.5
        )
    assert done.returncode == code
    assert "memory was " in done.stdout.splitlines()[-1]


def test_sql_through_the_owner(place: Place) -> None:
    question = "SELECT DISTINCT metric FROM perf.metrics WHERE metric = 'memory_usage_percent'"
    assert place.perf("sql", "--format", "csv", question).stdout == "metric\nmemory_usage_percent\n"
    piped = place.perf("sql", "--format", "json", "-", given=question)
    assert msgspec.json.decode(piped.stdout) == [{"metric": "memory_usage_percent"}]


def test_sql_says_when_rows_were_left_out(place: Place) -> None:
    done = place.perf("sql", "--max-rows", "2", "--format", "csv", "SELECT i FROM range(3) t(i) ORDER BY i")
    assert (done.returncode, done.stdout) == (0, "i\n0\n1\n")
    assert done.stderr == "perf: only the first 2 rows; --max-rows shows more\n"


@pytest.mark.parametrize("statement", ["DELETE FROM hot", "SELECT 1; SELECT 2", "", "SELEC 1", "COPY hot TO '/tmp/x'"])
def test_sql_that_is_refused_is_one_line_and_exit_code_2(place: Place, statement: str) -> None:
    done = place.perf("sql", statement)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("perf: ")
    assert "Traceback" not in done.stderr


def test_the_token_of_the_note_opens_sql_and_nothing_else_does(place: Place, tmp_path: Path, commands: Nursery) -> None:
    assert ownerfile.path_for(place.store).stat().st_mode & 0o777 == 0o600
    owner = ownerfile.read(place.store)
    assert owner is not None
    other = Place(tmp_path, commands)
    ownerfile.write(other.store, msgspec.structs.replace(owner, token="wrong"))
    done = other.perf("sql", "SELECT 1")
    assert (done.returncode, done.stderr.startswith("perf: send the owner's token")) == (2, True)


def test_export_in_steps_as_csv(place: Place) -> None:
    done = place.perf("export", "--query", "memory_usage_percent", "--from", "now-10m", "--step", "10s")
    header, *found = rows(done.stdout)
    assert done.returncode == 0
    assert header[1:] == ["unix_seconds", "metric", "labels", "value", "unit"]
    assert found
    assert all(row[2] == "memory_usage_percent" and 0 < float(row[4]) < 100 and row[5] == "%" for row in found)
    assert all(float(row[1]) % 10 == 0 for row in found)


def test_export_of_raw_samples_as_parquet_and_json_agree(place: Place) -> None:
    window = (
        "--raw",
        "--query",
        "memory_usage_percent",
        "--from",
        "now-1h",
    )  # The second file may have more at its end.
    path = place.folder / "out.parquet"
    assert place.perf("export", *window, "--format", "parquet", "--output", str(path)).returncode == 0
    table = pq.read_table(path)
    done = place.perf("export", *window, "--format", "json")
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert table.num_rows > 0
    values = table.column("value").to_pylist()
    assert [line["value"] for line in lines][: len(values)] == values
    assert not list(place.folder.glob("*.part"))


def test_export_of_nothing_says_so(place: Place) -> None:
    done = place.perf("export", "--query", "no_such_metric")
    assert (done.returncode, len(rows(done.stdout))) == (0, 1)
    assert done.stderr == "perf: nothing was recorded for this question; the file has no rows\n"


@pytest.mark.parametrize("wrong", [["--from", "yesterday"], ["--step", "0"], ["--zone", "Mars"], ["--query", "rate("]])
def test_an_export_that_can_not_be_understood_is_one_line(place: Place, wrong: list[str]) -> None:
    done = place.perf("export", "--query", "memory_usage_percent", *wrong)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("perf: ")


def test_metrics_are_openmetrics_when_asked(place: Place) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    with urlopen(Request(f"{place.url}/metrics", headers={"Accept": accept})) as response:
        page = response.read().decode()
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]  # untyped
    assert families["memory_usage_percent"].unit == "percent"


def test_doctor_sees_the_owner(place: Place) -> None:
    done = place.perf("doctor", "--json")
    found = {check["name"]: check for check in msgspec.json.decode(done.stdout)}
    assert found["owner"]["found"].endswith(f" at {place.url} answers")
    assert found["port"] == {"name": "port", "verdict": "ok", "found": f"perf answers at {place.url}", "do": ""}
    assert found["folder"]["verdict"] == found["settings"]["verdict"] == "ok"


def test_a_second_owner_on_the_same_port_is_refused(place: Place) -> None:
    done = place.plain("serve")
    assert (done.returncode, done.stderr) == (
        2,
        f"perf: can't listen on 127.0.0.1:{place.port}: Address already in use; a monitor is running there already\n",
    )


def test_a_second_owner_of_the_same_store_is_refused_with_the_first_one_s_pid(place: Place) -> None:
    owner = ownerfile.read(place.store)
    done = place.perf("serve", "--port", "0")
    assert owner is not None
    assert done.returncode == 2
    assert done.stderr.startswith("perf: ")
    assert str(owner.pid) in done.stderr
    assert ownerfile.read(place.store) == owner


def test_a_wrong_setting_is_named(tmp_path: Path, commands: Nursery) -> None:
    done = Place(tmp_path, commands, "[server]\nprot = 1\n").perf("serve")
    path = tmp_path / "perf.toml"
    assert (done.returncode, done.stderr) == (2, f"perf: {path}: unknown setting 'server.prot'; did you mean 'port'?\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_owner_with_everything_stored(
    tmp_path: Path, commands: Nursery, number: signal.Signals
) -> None:
    found = Place(tmp_path, commands)
    with found.serving() as process:
        counted = int(rows(found.perf("sql", "--format", "csv", "SELECT count(*) FROM perf.metrics").stdout)[1][0])
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    assert "Traceback" not in found.log.read_text()
    assert not ownerfile.path_for(found.store).exists()
    assert not Path(f"{found.store}.wal").exists()
    later = found.perf("sql", "--format", "csv", "SELECT count(*) FROM perf.metrics")
    assert later.returncode == 0
    assert int(rows(later.stdout)[1][0]) >= counted > 0


def test_after_a_kill_the_old_note_is_ignored_and_the_file_answers(tmp_path: Path, commands: Nursery) -> None:
    found = Place(tmp_path, commands)
    with found.serving() as process:
        process.kill()
        process.wait(timeout=20)
    assert ownerfile.path_for(found.store).exists()
    done = found.perf("sql", "--format", "csv", "SELECT count(*) > 0 AS stored FROM perf.metrics")
    assert (done.returncode, done.stdout, done.stderr) == (0, "stored\nTrue\n", "")
    exported = found.perf("export", "--raw", "--query", "memory_usage_percent", "--format", "json")
    assert msgspec.json.decode(exported.stdout.splitlines()[0])["metric"] == "memory_usage_percent"
    assert found.perf("health").returncode == 3
    with found.serving():
        assert found.perf("health").returncode in (0, 1)


def test_an_owner_whose_checks_still_run_answers(tmp_path: Path, commands: Nursery) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hanging = f'[health.probes.shop]\nkind = "http"\nurl = "{address}"\ntimeout = "60s"\n'
        found = Place(tmp_path, commands, CALM + hanging)
        with found.serving():
            done = found.perf("sql", "--format", "csv", "SELECT 1 AS one")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n1\n", "")


def test_an_owner_that_hangs_is_named(tmp_path: Path, commands: Nursery) -> None:
    found = Place(tmp_path, commands)
    with found.serving() as process:
        process.send_signal(signal.SIGSTOP)
        try:
            done = found.perf("sql", "SELECT 1")
        finally:
            process.send_signal(signal.SIGCONT)
    assert (done.returncode, done.stderr) == (
        2,
        f"perf: {found.store} is owned by process {process.pid}, which does not answer at {found.url}\n",
    )


def test_a_reader_that_has_seen_enough_is_no_error(place: Place) -> None:
    command = [sys.executable, "-m", "perf", "sql", "--format", "csv", "--max-rows", "100000"]
    reader, writer = os.pipe()
    with subprocess.Popen(
        [*command, "SELECT i, repeat('x', 50) FROM range(50000) t(i)"],
        env=place.env,
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        assert os.read(reader, 1) == b"i"
        os.close(reader)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0
