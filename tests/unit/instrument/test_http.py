from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import requests

from perf.clock import SystemClock
from perf.instrument.http import instrument, uninstrument
from perf.record import Recorder
from perf.record.timers import recorded
from tests.services import free_port
from tests.unit.instrument.requested import SENT, longest, numbers, seen


class Shop(BaseHTTPRequestHandler):
    """Answers by path."""

    released = threading.Event()

    def do_GET(self) -> None:
        status = {"/gone": 410, "/broken": 500, "/moved": 302}.get(self.path.partition("?")[0], 200)
        if self.path == "/hangs":
            self.released.wait(60.0)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/items")
        self.send_header("Content-Length", "1")
        self.end_headers()
        if self.path == "/slow":
            self.wfile.flush()
            self.released.wait(0.05)
        self.wfile.write(b"x")

    do_POST = do_BREW = do_GET  # noqa: N815 - http.server looks for these

    def log_message(self, format: str, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 100  # a client whose connection finds no room tries again only a second later


@pytest.fixture
def shop() -> Iterator[str]:
    Shop.released = threading.Event()
    server = Server(("127.0.0.1", 0), Shop)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that have gone
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Shop.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder(SystemClock())
    instrument(recorder=recorder)
    instrument(recorder=recorder)
    yield recorder
    uninstrument()


def by_httpx(method: str, url: str, **options: Any) -> int:
    with httpx.Client(follow_redirects=True) as client:
        return client.request(method, url, **options).status_code


def by_async_httpx(method: str, url: str, **options: Any) -> int:
    async def main() -> int:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            return (await client.request(method, url, **options)).status_code

    return asyncio.run(main())


def by_requests(method: str, url: str, **options: Any) -> int:
    return requests.request(method, url, **options).status_code


Ask = Callable[..., int]
ALL = pytest.mark.parametrize("ask", [by_httpx, by_async_httpx, by_requests])


@ALL
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/items/7?token=secret", ("GET", "200", "127.0.0.1")),
        ("POST", "/items", ("POST", "200", "127.0.0.1")),
        ("BREW", "/items", ("_OTHER", "200", "127.0.0.1")),
        ("GET", "/gone", ("410", "GET", "410", "127.0.0.1")),
        ("GET", "/broken", ("500", "GET", "500", "127.0.0.1")),
        ("GET", "/moved", ("GET", "200", "127.0.0.1")),
    ],
)
def test_a_call_counts_under_its_host(
    shop: str, recorder: Recorder, ask: Ask, method: str, path: str, expected: tuple[str, ...]
) -> None:
    ask(method, shop + path)
    assert seen(recorder, SENT) == {expected: 1}
    assert "secret" not in repr(recorder.exemplars())


@ALL
def test_nobody_there_and_no_answer_count_with_the_type_of_the_error(shop: str, recorder: Recorder, ask: Ask) -> None:
    with pytest.raises((httpx.ConnectError, requests.ConnectionError)):
        ask("GET", f"http://127.0.0.1:{free_port()}/")
    impatient = (30.0, 0.05) if ask is by_requests else httpx.Timeout(30.0, read=0.05)  # connecting may take its time
    with pytest.raises((httpx.ReadTimeout, requests.ReadTimeout)):
        ask("GET", f"{shop}/hangs", timeout=impatient)
    kind = "ConnectionError" if ask is by_requests else "ConnectError"
    assert seen(recorder, SENT) == {(kind, "GET", "127.0.0.1"): 1, ("ReadTimeout", "GET", "127.0.0.1"): 1}


@ALL
def test_the_body_is_part_of_a_call(shop: str, recorder: Recorder, ask: Ask) -> None:
    ask("GET", f"{shop}/slow")
    assert longest(recorder, SENT) >= 0.05


@ALL
def test_a_call_shows_below_the_function_that_made_it(shop: str, recorder: Recorder, ask: Ask) -> None:
    recorded(ask, recorder, name="load")("GET", f"{shop}/items")
    ask("GET", f"{shop}/items")
    assert numbers(recorder, "trace_calls_total") == {
        ("GET 127.0.0.1", "load", "http"): 1.0,
        ("load", "", "function"): 1.0,
    }
    split = numbers(recorder, "trace_split_seconds_total")
    assert set(split) == {("load", "http"), ("load", "self")}
    assert split["load", "http"] > 0.0


def test_one_client_alone(shop: str) -> None:
    recorder = Recorder(SystemClock())
    session, client = requests.Session(), httpx.Client()
    with session, client:
        for one in (session, client):
            instrument(one, recorder=recorder)
            instrument(one, recorder=recorder)
            one.get(f"{shop}/items")
        by_requests("GET", shop)
        by_httpx("GET", shop)
        assert seen(recorder, SENT) == {("GET", "200", "127.0.0.1"): 2}
        for one in (session, client):
            uninstrument(one)
            assert one.get(f"{shop}/items").status_code == 200
    assert seen(recorder, SENT) == {("GET", "200", "127.0.0.1"): 2}


def test_it_can_be_undone(shop: str) -> None:
    before = (httpx.Client.send, httpx.AsyncClient.send, requests.Session.send)
    instrument(recorder=Recorder(SystemClock()))
    assert httpx.Client.send is not before[0]
    uninstrument()
    uninstrument()
    assert (httpx.Client.send, httpx.AsyncClient.send, requests.Session.send) == before


def test_calls_side_by_side_are_told_apart(shop: str, recorder: Recorder) -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(client.get(f"{shop}/items/{number}") for number in range(10)))

    asyncio.run(main())
    assert seen(recorder, SENT) == {("GET", "200", "127.0.0.1"): 10}
