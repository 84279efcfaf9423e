from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from perf.clock import SystemClock
from perf.instrument.asgi import PerformanceMiddleware
from perf.model import HistogramSample, Kind, Metric, Sample
from perf.record import Recorder
from perf.record.timers import Timer, recorded
from perf.record.watch import Watch
from tests.unit.instrument import requested

QUERY = Metric("query_seconds", Kind.HISTOGRAM, "s")

Seen = dict[tuple[str, str, str], int]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


def histograms(recorder: Recorder) -> list[HistogramSample]:
    return [each for each in recorder.drain(1.0) if isinstance(each, HistogramSample)]


def seen(recorder: Recorder) -> Seen:
    """(method, route, status) -> requests since the last call."""
    found = {}
    for each in histograms(recorder):
        labels = dict(each.labels)
        key = (labels["http_request_method"], labels["http_route"], labels["http_response_status_code"])
        found[key] = each.histogram.count
    return found


async def plain(request: Request) -> Response:
    return PlainTextResponse("x")


async def broken(request: Request) -> Response:
    raise RuntimeError("broken")


async def absent(request: Request) -> Response:
    raise HTTPException(404)


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


def site(static: str = "") -> Starlette:
    inner = [Route("/", plain), Route("/items/{id:int}", plain, methods=["GET", "POST"])]
    return Starlette(
        routes=[
            Route("/", plain),
            Route("/broken", broken),
            Route("/absent/{id}", absent),
            *inner[1:],
            Mount("/inner", routes=inner),
            Mount("/tenant/{name}", routes=[Mount("/deep", routes=inner)]),
            Mount("/other", app=Router(inner)),
            *([Mount("/static", app=StaticFiles(directory=static))] if static else []),
            WebSocketRoute("/talk/{room}", talk),
        ]
    )


@pytest.fixture
def client(recorder: Recorder, tmp_path: Any) -> TestClient:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    return TestClient(PerformanceMiddleware(site(str(tmp_path)), recorder), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/", "/", "200"),
        ("GET", "/items/7", "/items/{id:int}", "200"),
        ("POST", "/items/8", "/items/{id:int}", "200"),
        ("DELETE", "/items/8", "/items/{id:int}", "405"),
        ("BREW", "/items/8", "/items/{id:int}", "405"),
        ("GET", "/absent/7", "/absent/{id}", "404"),
        ("GET", "/broken", "/broken", "500"),
        ("GET", "/nowhere/7", "__unmatched__", "404"),
        ("GET", "/inner/", "/inner/", "200"),
        ("GET", "/inner/items/7", "/inner/items/{id:int}", "200"),
        ("GET", "/inner/nowhere", "__unmatched__", "404"),
        ("GET", "/tenant/acme/deep/items/7", "/tenant/{name}/deep/items/{id:int}", "200"),
        ("GET", "/other/items/7", "/other/items/{id:int}", "200"),
        ("GET", "/static/a.txt", "/static", "200"),
    ],
)
def test_a_request_counts_under_its_routes_template(
    client: TestClient, recorder: Recorder, method: str, path: str, route: str, status: str
) -> None:
    client.request(method, path)
    assert seen(recorder) == {(method if method != "BREW" else "_OTHER", route, status): 1}


def test_a_thousand_different_paths_are_one_series(client: TestClient, recorder: Recorder) -> None:
    for number in range(50):
        client.get(f"/tenant/{number}/deep/items/{number}")
        client.get(f"/nowhere/{number}")
    assert seen(recorder) == {
        ("GET", "/tenant/{name}/deep/items/{id:int}", "200"): 50,
        ("GET", "__unmatched__", "404"): 50,
    }


def test_one_line_in_fastapi_with_routers_and_sub_applications(recorder: Recorder) -> None:
    app, sub, router = FastAPI(), FastAPI(), APIRouter(prefix="/orders")

    @router.get("/{order_id}")
    async def order(order_id: int) -> int:
        return order_id

    @sub.get("/x/{y}")
    def threaded(y: str) -> str:
        return y

    app.include_router(router, prefix="/v2")
    app.mount("/sub", sub)
    app.add_middleware(PerformanceMiddleware, recorder=recorder)
    client = TestClient(app)
    client.get("/v2/orders/5")
    client.get("/v2/orders/none")
    client.get("/sub/x/1")
    assert seen(recorder) == {
        ("GET", "/v2/orders/{order_id}", "200"): 1,
        ("GET", "/v2/orders/{order_id}", "422"): 1,
        ("GET", "/sub/x/{y}", "200"): 1,
    }


def test_behind_a_proxy_the_prefix_is_not_part_of_the_route(recorder: Recorder) -> None:
    client = TestClient(PerformanceMiddleware(site(), recorder), root_path="/proxied")
    client.get("/proxied/inner/items/7")
    client.get("/proxied/items/7")
    assert seen(recorder) == {
        ("GET", "/inner/items/{id:int}", "200"): 1,
        ("GET", "/items/{id:int}", "200"): 1,
    }


def test_an_exception_passes_through_and_counts_as_500(recorder: Recorder) -> None:
    client = TestClient(PerformanceMiddleware(Router([Route("/broken", broken)]), recorder))
    with pytest.raises(RuntimeError, match="broken"):
        client.get("/broken")
    assert seen(recorder) == {("GET", "/broken", "500"): 1}


def test_a_stream_lasts_until_its_last_body_and_a_background_task_is_not_part_of_it(recorder: Recorder) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.02)
            yield b"x"

    async def later() -> None:
        began = perf_counter()
        await asyncio.sleep(0.5)
        behind.append(perf_counter() - began)

    async def stream(request: Request) -> Response:
        return StreamingResponse(parts(), background=BackgroundTask(later))

    behind: list[float] = []
    client = TestClient(PerformanceMiddleware(Router([Route("/stream", stream)]), recorder))
    began = perf_counter()
    assert client.get("/stream").content == b"xxx"
    whole = perf_counter() - began
    (found,) = histograms(recorder)
    assert 0.06 <= found.histogram.high <= whole - behind[0]


def test_a_background_task_that_fails_is_not_the_requests_failure(recorder: Recorder) -> None:
    async def fail() -> None:
        raise RuntimeError("later")

    async def done(request: Request) -> Response:
        return PlainTextResponse("x", background=BackgroundTask(fail))

    client = TestClient(PerformanceMiddleware(Router([Route("/", done)]), recorder), raise_server_exceptions=False)
    client.get("/")
    assert seen(recorder) == {("GET", "/", "200"): 1}


def test_a_failure_counts_with_its_type_or_its_status(recorder: Recorder) -> None:
    async def busy(request: Request) -> Response:
        return PlainTextResponse("x", status_code=503)

    app = PerformanceMiddleware(Router([Route("/broken", broken), Route("/busy", busy)]), recorder)
    client = TestClient(app, raise_server_exceptions=False)
    client.get("/broken")
    client.get("/busy")
    assert requested.seen(recorder) == {
        ("RuntimeError", "GET", "500", "/broken"): 1,
        ("503", "GET", "503", "/busy"): 1,
    }


def test_what_an_endpoint_calls_is_drawn_below_its_route(recorder: Recorder) -> None:
    query = Watch(recorder, QUERY, {}, "database", "SELECT items")

    def load() -> None:
        with Timer(query):
            pass

    timed = recorded(load, recorder, name="load")

    async def item(request: Request) -> Response:
        timed()
        await run_in_threadpool(timed)
        return PlainTextResponse("x")

    TestClient(PerformanceMiddleware(Router([Route("/items/{id}", item)]), recorder)).get("/items/7")
    assert requested.numbers(recorder, "trace_calls_total") == {
        ("SELECT items", "load", "database"): 2.0,
        ("load", "GET /items/{id}", "function"): 2.0,
        ("GET /items/{id}", "", "request"): 1.0,
    }
    assert set(requested.numbers(recorder, "trace_split_seconds_total")) == {
        ("GET /items/{id}", "self"),
        ("GET /items/{id}", "function"),
        ("GET /items/{id}", "database"),
        ("load", "self"),
        ("load", "database"),
    }


def test_slow_requests_are_kept_without_values(client: TestClient, recorder: Recorder) -> None:
    client.get("/items/7?token=secret&page=2", headers={"authorization": "secret"})
    (kept,) = recorder.exemplars()
    assert (kept.arguments, kept.parents, kept.error) == (("GET /items/{id:int}?token=&page=",), (), "")
    assert "secret" not in repr(kept)
    client.get("/broken")
    assert {each.error for each in recorder.exemplars()} == {"", "RuntimeError"}


def test_middleware_inside_middleware_counts_once(recorder: Recorder) -> None:
    inner = PerformanceMiddleware(site(), recorder)
    TestClient(PerformanceMiddleware(inner, recorder)).get("/items/7")
    assert requested.seen(recorder) == {("GET", "200", "/items/{id:int}"): 1}


def test_what_perf_does_wrong_reaches_nobody(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        @property
        def path(self) -> str:
            raise LookupError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Odd()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    asyncio.run(call(PerformanceMiddleware(app, recorder)))
    asyncio.run(call(PerformanceMiddleware(app, recorder), "websocket"))
    assert recorder.dropped() == {"errors": 2}
    assert recorder.spans.live == set()
    assert [record.name for record in caplog.records if record.exc_info].count("perf.record.recorder") == 1


async def call(app: Any, kind: str = "http") -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None: ...

    await app({"type": kind, "method": "GET", "path": "/", "headers": []}, receive, send)


async def begins(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})


async def begins_and_notices(scope: Any, receive: Any, send: Any) -> None:
    await begins(scope, receive, send)
    raise ClientDisconnect


async def begins_and_is_cancelled(scope: Any, receive: Any, send: Any) -> None:
    await begins(scope, receive, send)
    raise asyncio.CancelledError


async def begins_and_breaks(scope: Any, receive: Any, send: Any) -> None:
    await begins(scope, receive, send)
    raise RuntimeError("half")


async def says_nothing(scope: Any, receive: Any, send: Any) -> None: ...


async def hands_over_a_file(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.pathsend", "path": "x"})


@pytest.mark.parametrize(
    ("app", "status", "raised"),
    [
        (begins, "499", None),
        (begins_and_notices, "499", ClientDisconnect),
        (begins_and_is_cancelled, "499", asyncio.CancelledError),
        (begins_and_breaks, "500", RuntimeError),
        (says_nothing, "500", None),
        (hands_over_a_file, "200", None),
    ],
)
def test_an_answer_without_an_end(
    recorder: Recorder, app: Any, status: str, raised: type[BaseException] | None
) -> None:
    wrapped = PerformanceMiddleware(app, recorder)
    if raised is None:
        asyncio.run(call(wrapped))
    else:
        with pytest.raises(raised):
            asyncio.run(call(wrapped))
    assert seen(recorder) == {("GET", "__unmatched__", status): 1}


def test_requests_in_flight_go_up_and_down(recorder: Recorder) -> None:
    def active() -> list[float]:
        told = [each for each in recorder.drain(1.0) if isinstance(each, Sample)]
        return [each.value for each in told if each.metric.name == "http_server_active_requests"]

    during: list[float] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        during.extend(active())
        raise RuntimeError("whatever happens")

    with pytest.raises(RuntimeError):
        asyncio.run(call(PerformanceMiddleware(look, recorder)))
    assert (during, active()) == ([1.0], [0.0])


def test_a_websocket_is_measured_apart(client: TestClient, recorder: Recorder) -> None:
    with client.websocket_connect("/talk/kitchen") as socket:
        socket.send_text("hi")
        assert socket.receive_text() == "hi"
    (found,) = histograms(recorder)
    assert (found.metric.name, found.labels) == (
        "websocket_connection_duration_seconds",
        (("http_route", "/talk/{room}"),),
    )


def test_lifespan_passes_untouched(recorder: Recorder) -> None:
    passed: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.extend([scope["type"], send])

    wrapped = PerformanceMiddleware(app, recorder)
    asyncio.run(call(wrapped, "lifespan"))
    assert passed[0] == "lifespan"
    assert histograms(recorder) == []
