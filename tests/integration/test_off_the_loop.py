"""A dashboard on data elsewhere: no question to the owner is asked on the event loop, where one that hangs would hold up everybody."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from perf.api.app import build, endpoints
from perf.api.endpoint import Endpoint, exampled
from perf.clock import SystemClock
from perf.runtime import Runtime
from perf.settings import Settings, StoreSettings
from tests.apiserver import Served, served

ELSEWHERE = ("/events", "/store/", "//api/docs", "//api/performance/metrics/record")
"""A stream, what only an owner answers, files, and what writes."""
ASKED = [one for one in endpoints() if not one.path.startswith(ELSEWHERE)]


class Ahead(SystemClock):
    """A clock that can be put forward."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("owner")) as found:
        yield found


@pytest.fixture
def away(owner: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, Ahead, list[str]]]:
    """A client of a process that asks *owner*, and what that asked on its event loop."""
    there = StoreSettings(backend="remote", url=owner.url, token=owner.runtime.token)
    clock = Ahead()
    runtime = Runtime(Settings(store=there), clock)
    runtime.start()
    asked: list[str] = []
    request = http.client.HTTPConnection.request

    def noted(self: http.client.HTTPConnection, method: str, url: str, *more: object, **named: object) -> None:
        try:
            asyncio.get_running_loop()
            asked.append(url)
        except RuntimeError:
            pass  # A thread that may wait.
        request(self, method, url, *more, **named)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(http.client.HTTPConnection, "request", noted)
    with TestClient(build(runtime), base_url="http://127.0.0.1:8503", raise_server_exceptions=False) as client:
        yield client, clock, asked
    runtime.stop()


def test_nothing_is_asked_on_the_loop(away: tuple[TestClient, Ahead, list[str]], owner: Served) -> None:
    client, clock, asked = away
    headers = {"authorization": f"Bearer {owner.runtime.token}", "content-type": "application/json"}
    blocking: dict[str, list[str]] = {}
    for endpoint in ASKED:
        path, body = exampled(endpoint)
        clock.seconds += 2.0  # What was answered within the last second is held, and not asked again.
        client.request(endpoint.method, path, content=body or None, headers=headers)
        if asked:
            blocking[_named(endpoint)] = asked[:]
            asked.clear()
    assert blocking == {}


def _named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.url}"
