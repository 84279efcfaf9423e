"""The owner over HTTP, played by a small server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from perf.cli import command, owner, remote
from perf.cli.questions import ExportRequest
from perf.cli.remote import RemoteData
from perf.clock import ManualClock
from perf.errors import OwnerError, QueryError
from perf.model import Status
from perf.settings import AccessSettings, Settings, StoreSettings
from tests.services import free_port

HEALTH = {
    "status": "degraded",
    "message": "disk: full.",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "checks": {"disk": {"status": "degraded", "message": "full", "seconds": 0.1, "evidence": {"free": 1.0}}},
}


class Stage(ThreadingHTTPServer):
    """Answers what the test puts on it, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.code, self.body, self.length = 200, msgspec.json.encode(HEALTH), None
        self.asked: list[tuple[str, str, str | None, bytes]] = []

    length: int | None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Stage

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], body))
        self.send_response(self.server.code)
        self.send_header("Content-Length", str(self.server.length or len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep test output clean."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def refuse(stage: Stage, code: int, **problem: object) -> None:
    stage.code, stage.body = code, msgspec.json.encode(problem)


@pytest.mark.parametrize("code", [200, 503])
def test_health_is_read_whether_healthy_or_not(stage: Stage, code: int) -> None:
    stage.code = code
    found, body = remote.health(remote.link(stage.url))
    assert (found.status, found.checks["disk"].evidence, msgspec.json.decode(body)) == (
        Status.DEGRADED,
        {"free": 1.0},
        HEALTH,
    )


def test_the_past_of_a_check_names_the_zone_of_its_times(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    spell = {"probe": "store", "status": "degraded", "message": "slow", "start": 0.0, "end": 90.0}
    stage.body = msgspec.json.encode({"uptime": 1.0, "spells": [spell]})
    assert command.main(["health", "--history", "store", "--url", stage.url]) == 1
    assert capsys.readouterr().out.splitlines()[2].split() == [
        "1970-01-01",
        "00:00:00",
        "UTC",
        "90",
        "s",
        "degraded",
        "slow",
    ]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"status": "fine"}', b""])
def test_something_else_on_the_port_is_not_perf(stage: Stage, body: bytes) -> None:
    stage.body = body
    assert not remote.answers(stage.url)
    with pytest.raises(OwnerError, match="is not perf"):
        remote.health(remote.link(stage.url))


@pytest.mark.parametrize("code", [200, 503])
def test_an_owner_answers_whether_it_is_well_or_not(stage: Stage, code: int) -> None:
    stage.code, stage.body = code, msgspec.json.encode({"alive": code == 200, "timestamp": HEALTH["timestamp"]})
    assert remote.answers(stage.url)


def test_nobody_on_the_port_is_said_with_the_address() -> None:
    port = free_port()
    with pytest.raises(OwnerError, match=f"no answer from 127.0.0.1:{port}: .*refused"):
        remote.health(remote.link(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1"])
def test_only_http_is_asked(url: str) -> None:
    with pytest.raises(OwnerError, match="not an HTTP address"):
        remote.health(remote.link(url))


def test_sql_sends_the_token_and_reads_the_rows(stage: Stage) -> None:
    stage.body = (
        b'{"columns":["a","b"],"types":["INT","VARCHAR"],"rows":[[1,"x"],[2,null]],"truncated":true,"seconds":0.1}'
    )
    result = RemoteData(remote.link(stage.url, "secret")).sql("SELECT 1", max_rows=2)
    assert (result.columns, result.rows, result.truncated) == (("a", "b"), [(1, "x"), (2, None)], True)
    assert stage.asked == [("POST", "/api/v1/sql", "Bearer secret", b'{"sql":"SELECT 1","max_rows":2}')]


@pytest.mark.parametrize(
    ("given", "own", "key", "shown"),
    [("given", "own", "key", "Bearer given"), ("", "own", "key", "Bearer own"), ("", "", "key", "Bearer key")],
)
def test_an_owner_elsewhere_is_shown_the_same_token_by_every_verb(
    stage: Stage, given: str, own: str, key: str, shown: str
) -> None:
    stage.body = b'{"columns":["a"],"types":["INT"],"rows":[[1]],"truncated":false,"seconds":0.1}'
    store = StoreSettings(backend="remote", url=stage.url, token=own)
    settings = Settings(store=store, access=AccessSettings(key=key))
    remote.asked(owner.linked(settings, given), "alerts/incidents", msgspec.Raw)
    with owner.reached(settings, ManualClock(), token=given) as data:
        data.sql("SELECT 1", max_rows=1)
    assert [asked[2] for asked in stage.asked] == [shown, shown]


def test_a_refused_statement_is_a_query_error_with_its_reason(stage: Stage) -> None:
    refuse(stage, 400, detail="only one statement", query="a;b", position=1)
    with pytest.raises(QueryError, match="only one statement") as caught:
        RemoteData(remote.link(stage.url)).sql("a;b", max_rows=1)
    assert (caught.value.text, caught.value.position) == ("a;b", 1)


@pytest.mark.parametrize(
    ("code", "problem", "message"),
    [
        (401, {"detail": "send the owner's token"}, "send the owner's token"),
        (500, {}, "/api/v1/sql answered 500"),
        (507, {"detail": "no space"}, "no space"),
    ],
)
def test_any_other_refusal_is_an_owner_error(stage: Stage, code: int, problem: dict[str, object], message: str) -> None:
    refuse(stage, code, **problem)
    with pytest.raises(OwnerError, match=message):
        RemoteData(remote.link(stage.url)).sql("SELECT 1", max_rows=1)


def test_export_asks_for_steps_and_streams_what_comes(stage: Stage) -> None:
    stage.body = b"x" * 200_000
    wanted = ExportRequest(queries=('m{a="b"}', "rate(n)"), start="now-1h", end="now", step="60s", zone="Europe/Berlin")
    pieces = list(RemoteData(remote.link(stage.url, "t")).export(wanted))
    assert b"".join(pieces) == stage.body
    assert len(pieces) > 1
    assert stage.asked[0][1] == (
        "/api/v1/export?query=m%7Ba%3D%22b%22%7D&query=rate%28n%29&from=now-1h&to=now&format=csv"
        "&zone=Europe%2FBerlin&step=60s"
    )


def test_export_of_raw_samples_names_no_step(stage: Stage) -> None:
    list(
        RemoteData(remote.link(stage.url, "t")).export(
            ExportRequest(queries=(), start="1", end="2", raw=True, form="json")
        )
    )
    assert stage.asked[0][1] == "/api/v1/export?from=1&to=2&format=json&zone=UTC&raw=1"


def test_an_answer_that_breaks_off_is_an_error(stage: Stage) -> None:
    stage.length = 10_000_000
    with pytest.raises(OwnerError, match="broke off"):
        list(RemoteData(remote.link(stage.url)).export(ExportRequest(queries=("a",), start="1", end="2")))
