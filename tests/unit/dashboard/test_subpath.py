"""The dashboard below a path of a host: our routes are found there and at the root, Streamlit's are left to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from streamlit import config

from dashboard.subpath import SubPath
from perf.api.direct import firsts


@pytest.fixture(params=["perf", "/deep/er/"], ids=["one word", "two words"])
def base(request: pytest.FixtureRequest) -> Iterator[str]:
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", request.param)
    yield f"/{request.param.strip('/')}"
    config.set_option("server.baseUrlPath", before)


async def path_of(scope: Scope, receive: Receive, send: Send) -> None:
    text = f"{scope['path']} {scope['raw_path'].decode()}"
    await PlainTextResponse(text)(scope, receive, send)


def seen(path: str) -> str:
    client = TestClient(SubPath(path_of, first={"api", "health"}))
    return client.get(path).text


def test_our_own_lose_the_path(base: str) -> None:
    assert seen(f"{base}/api/v1/series?query=x") == "/api/v1/series /api/v1/series"
    assert seen(f"{base}/api/a%20b") == "/api/a b /api/a%20b"
    assert seen(f"{base}/health") == "/health /health"


def test_everything_else_stays(base: str) -> None:
    for path in (f"{base}/static/js/a.js", f"{base}/", base, "/api/v1/series", f"{base}x/api", f"{base}/apis"):
        assert seen(path) == f"{path} {path}"


def test_without_a_path_nothing_changes() -> None:
    assert seen("/perf/api/v1/series") == "/perf/api/v1/series /perf/api/v1/series"


def test_the_first_words_come_from_the_routes() -> None:
    async def answer(_: Request) -> Response:
        return Response()

    routes = [Mount("/api", routes=[]), Route("/health/live", answer), Route("/v1/metrics", answer), Route("/", answer)]
    assert firsts(routes) == {"api", "health", "v1"}
