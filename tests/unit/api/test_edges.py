"""What lies around the resources: unknown paths, methods, host names, headers, and errors nobody thought of."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from perf.api.app import build
from perf.api.hosts import KnownHosts
from perf.api.middleware import SecurityHeaders
from perf.api.problem import guarded
from tests.unit.api.conftest import Api


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/query/",
        "/api/v1/query/more",
        "/api/v2/query",
        "/health/",
        "/health/nothing",
        "/metrics/nothing",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_an_unknown_path_is_a_problem(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["title"] == "Not found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/v1/query", "GET, HEAD"),
        ("DELETE", "/api/v1/series", "GET, HEAD"),
        ("PUT", "/health", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("GET", "/api/v1/sql", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")
    assert answer.json()["detail"] == f"{path} does not take {method}"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io:8503", "[::2]:8503"])
def test_another_host_name_is_misdirected(api: Api, host: str) -> None:
    for path in ("/health", "/api/v1/series", "/"):
        assert api.get(path, host=host).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8503", "LOCALHOST", "127.0.0.1", "[::1]:8503"])
def test_loopback_names_are_answered(api: Api, host: str) -> None:
    assert api.get("/api/v1/series", host=host).status_code == 200


def test_a_further_host_name_can_be_allowed(api: Api) -> None:
    client = TestClient(build(api.runtime, hosts=("perf.example",)), base_url="http://perf.example")
    assert client.get("/api/v1/series").status_code == 200
    assert client.get("/api/v1/series", headers={"host": "other.example"}).status_code == 421


def test_a_websocket_from_another_host_name_is_closed() -> None:
    sent: list[Message] = []

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("passed on")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def run() -> None:
        scope: Scope = {"type": "websocket", "headers": [(b"host", b"evil.example")]}
        await KnownHosts(never)(scope, receive, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("path", ["/api/v1/series", "/api/v1/nothing", "/health", "/metrics"])
def test_browsers_are_told_to_be_careful(api: Api, path: str) -> None:
    assert api.get(path).headers["x-content-type-options"] == "nosniff"


def test_pages_can_not_be_framed_and_leak_no_address() -> None:
    async def page(_: Request) -> Response:
        return HTMLResponse("<p>")

    client = TestClient(Starlette(routes=[Route("/", page)], middleware=[Middleware(SecurityHeaders)]))
    headers = client.get("/").headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"


def test_an_error_nobody_thought_of_has_an_id_that_the_log_has_too(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: Request) -> Response:
        raise ZeroDivisionError("secret detail")

    client = TestClient(Starlette(routes=[Route("/broken", guarded(broken))]))
    with caplog.at_level(logging.ERROR):
        answer = client.get("/broken")
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (500, "Something failed here")
    assert "secret" not in answer.text
    assert f"request {problem['request_id']}: GET /broken failed" in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_a_closed_store_is_not_available(api: Api) -> None:
    api.runtime.store.close()
    answer = api.get("/api/v1/series")
    assert (answer.status_code, answer.json()["title"]) == (503, "Not available now")


TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["now", "now-5m", "0", "1", "1700000000", "9" * 400, "-1", "1e9", "nan", "inf", "10s", "0.5", "1y"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
)
QUERIES = st.sampled_from(["queue_depth", "rate(jobs_total)", "sum(queue_depth)", 'queue_depth{queue="mail"}', "("])
NAMES = ["from", "to", "step", "max_points", "aggregate", "since", "envelope", "raw", "search", "format", "zone"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["query", "export", "series"]),
    queries=st.lists(QUERIES | TEXTS, max_size=2),
    given_=st.dictionaries(st.sampled_from([*NAMES, "limit", "after"]), TEXTS, max_size=4),
)
def test_no_parameters_make_an_internal_error(
    filled: Api, path: str, queries: list[str], given_: dict[str, str]
) -> None:
    name = "metric" if path == "series" else "query"
    answer = filled.get(f"/api/v1/{path}", urlencode([*((name, text) for text in queries), *given_.items()]))
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert answer.json()["detail"]
