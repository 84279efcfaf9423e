"""What is perf's own is answered before another application sees it; all the rest is passed on."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from perf.api.direct import Direct


async def _ours(request: Request) -> Response:
    return PlainTextResponse(f"ours {request.url.path}")


async def _theirs(request: Request) -> Response:
    return PlainTextResponse(f"theirs {request.url.path}")


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("theirs")
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    ours = [Route("/health", _ours), Mount("/api", routes=[Route("/v1/x", _ours, methods=["GET"])])]
    theirs = [WebSocketRoute("/api/socket", _socket), Route("/{rest:path}", _theirs)]
    return TestClient(Starlette(routes=theirs, middleware=[Middleware(Direct, routes=ours)]))


@pytest.mark.parametrize("path", ["/health", "/api/v1/x"])
def test_ours_are_answered(client: TestClient, path: str) -> None:
    assert client.get(path).text == f"ours {path}"


@pytest.mark.parametrize("path", ["/", "/alerts", "/healthy", "/static/api", "/a/health"])
def test_the_rest_is_passed_on(client: TestClient, path: str) -> None:
    assert client.get(path).text == f"theirs {path}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health/", 404), ("GET", "/api", 404), ("GET", "/api/v2", 404), ("POST", "/api/v1/x", 405)],
)
def test_what_begins_as_ours_and_is_none_is_a_problem(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, follow_redirects=False)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_websockets_are_the_others(client: TestClient) -> None:
    with client.websocket_connect("/api/socket") as socket:
        assert socket.receive_text() == "theirs"
