"""Request ids: kept or made, in the answer, in its problem and in every log line of the request; levels at run time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from perf import logs
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.api.app import build
from perf.runtime import Runtime
from perf.settings import LogSettings, ProductionSettings, Settings, StoreSettings
from tests.services import eventually


def made(folder: Path, production: ProductionSettings) -> Runtime:
    return Runtime(Settings(store=StoreSettings(path=str(folder / "x"), backend="memory"), production=production))


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    opened = made(tmp_path, ProductionSettings(log_level_for=60.0))
    yield opened
    opened.stop()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(build(runtime), base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


class Log:
    """What is logged, as JSON objects."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def begin(self) -> None:
        """Called by the test itself: pytest's own handlers of the set-up are closed by then."""
        logs.configure(LogSettings(level="DEBUG", format="json"), RedactingFilter(Redactor([])))

    def lines(self, logger: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]
        return [line for line in found if line["logger"] == logger]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


def test_an_id_that_is_given_is_kept_everywhere(client: TestClient, log: Log) -> None:
    log.begin()
    answer = client.get("/api/v1/nothing", headers={"X-Request-ID": "proxy-1"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "proxy-1"
    (line,) = log.lines("perf.access")
    assert line["request_id"] == "proxy-1"
    assert str(line["message"]).startswith("GET /api/v1/nothing 404 ")


@pytest.mark.parametrize(
    "given", ["", "two words", "a" * 65, "new\tline", "é"], ids=["none", "space", "long", "tab", "é"]
)
def test_another_is_made_for_one_that_could_spoil_a_log(client: TestClient, given: str) -> None:
    found = client.get("/health/live", headers={b"x-request-id": given.encode("latin-1")}).headers["x-request-id"]
    assert len(found) == 32
    assert client.get("/health/live").headers["x-request-id"] != found


def test_a_failure_is_found_in_the_log_by_the_id_of_its_answer(
    runtime: Runtime, client: TestClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.begin()
    monkeypatch.setattr(runtime, "_watch", None)
    answer = client.get("/health/live")
    assert (answer.status_code, "traceback" in answer.json()) == (500, False)
    (line,) = log.lines("perf.api.problem")
    assert line["request_id"] == answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "AttributeError" in str(line["error"])


def test_debug_mode_shows_where_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = made(tmp_path, ProductionSettings(debug=True))
    monkeypatch.setattr(runtime, "_watch", None)
    with TestClient(build(runtime), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        assert "AttributeError" in client.get("/health/live").json()["traceback"][-1]
    runtime.stop()


def test_the_access_log_may_stand_at_info(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = made(tmp_path, ProductionSettings(access_log=True))
    with (
        caplog.at_level(logging.INFO, "perf.access"),
        TestClient(build(runtime), base_url="http://127.0.0.1") as client,
    ):
        client.get("/health/live?secret=1")
    asked = [record.getMessage() for record in caplog.records if record.name == "perf.access"]
    assert [line.rpartition(" 200 ")[0] for line in asked] == ["GET /health/live"]
    runtime.stop()


def test_text_lines_end_with_the_id(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(level="DEBUG"), RedactingFilter(Redactor([])))
    client.get("/health/live", headers={"X-Request-ID": "proxy-2"})
    logging.getLogger("perf.any").info("outside of requests")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" ms [proxy-2]")
    assert second.endswith("outside of requests")


def test_a_level_holds_for_its_time_and_the_one_before_comes_back(client: TestClient, log: Log) -> None:
    log.begin()
    assert client.get("/api/v1/log-level").json() == {"level": "DEBUG", "changed": False}
    changed = client.put("/api/v1/log-level", json={"level": "ERROR", "seconds": 60})
    assert changed.json() == {"level": "ERROR", "changed": True}
    assert not logging.getLogger("dashboard.any").isEnabledFor(logging.WARNING)
    assert client.put("/api/v1/log-level", json={"level": "ERROR", "seconds": 0.2}).status_code == 200
    eventually(lambda: client.get("/api/v1/log-level").json() == {"level": "DEBUG", "changed": False})
    client.put("/api/v1/log-level", json={"level": "CRITICAL"})
    client.put("/api/v1/log-level", json={"level": "ERROR"})
    assert client.put("/api/v1/log-level", json={}).json() == {"level": "DEBUG", "changed": False}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"level": "LOUD"}, "the body is not a log level: Invalid enum value 'LOUD' - at `$.level`"),
        ({"level": "INFO", "seconds": 61}, "seconds: at most 60 (production.log_level_for), not 61"),
        ({"level": "INFO", "for": 1}, "the body is not a log level: Object contains unknown field `for`"),
    ],
    ids=["level", "seconds", "unknown"],
)
def test_a_wrong_level_is_refused(client: TestClient, body: dict[str, object], said: str) -> None:
    answer = client.put("/api/v1/log-level", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (400, said)
