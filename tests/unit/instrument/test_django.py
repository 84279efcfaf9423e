from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.test import AsyncClient, Client

from perf.record import Recorder, current
from tests.services import answers, environment, eventually, free_port, program
from tests.unit.instrument import djangosite
from tests.unit.instrument.requested import longest, numbers, seen

Answers = list[tuple[str, tuple[str, ...]]]

VIEWS: Answers = [
    ("/", ("GET", "200", "/")),
    ("/shop/items/7/", ("GET", "200", "/shop/items/<int:number>/")),
    ("/shop/items/7", ("GET", "301", "__unmatched__")),
    ("/old/7", ("GET", "200", r"/^old/(?P<number>\d+)$")),
    ("/slowly", ("GET", "200", "/slowly")),
    ("/broken", ("LookupError", "GET", "500", "/broken")),
    ("/broken_later", ("LookupError", "GET", "500", "/broken_later")),
    ("/forbidden", ("GET", "403", "/forbidden")),
    ("/stream", ("GET", "200", "/stream")),
    ("/file", ("GET", "200", "/file")),
    ("/nowhere/7", ("GET", "404", "__unmatched__")),
]


@pytest.fixture
def recorder() -> Recorder:
    """The process's own, empty: Django makes the middleware by itself."""
    current().forget()
    current().drain(0.0)
    return current()


def body(response: Any) -> bytes:
    found = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return bytes(found)


@pytest.mark.parametrize(("path", "expected"), VIEWS)
def test_a_request_counts_under_its_route(recorder: Recorder, path: str, expected: tuple[str, ...]) -> None:
    body(Client(raise_request_exception=False).get(path))
    assert seen(recorder) == {expected: 1}
    assert numbers(recorder, "http_server_active_requests") == {(): 0.0}


@pytest.mark.parametrize(("path", "expected"), [view for view in VIEWS if view[0] not in ("/stream", "/file")])
def test_and_so_it_does_in_an_asynchronous_chain(recorder: Recorder, path: str, expected: tuple[str, ...]) -> None:
    asyncio.run(AsyncClient(raise_request_exception=False).get(path))
    assert seen(recorder) == {expected: 1}
    assert numbers(recorder, "http_server_active_requests") == {(): 0.0}


def test_an_asynchronous_stream_lasts_until_its_end(recorder: Recorder) -> None:
    async def main() -> bytes:
        response: Any = await AsyncClient().get("/stream_later")
        return b"".join([part async for part in response.streaming_content])

    assert asyncio.run(main()) == b"111"
    assert seen(recorder) == {("GET", "200", "/stream_later"): 1}
    assert longest(recorder) >= 0.03
    assert numbers(recorder, "trace_calls_total")["price", "GET /stream_later", "function"] == 3.0


def test_a_stream_that_is_closed_counts_as_the_clients_leaving(recorder: Recorder) -> None:
    response: Any = Client().get("/stream")
    next(iter(response.streaming_content))
    response.close()
    assert seen(recorder) == {("GET", "499", "/stream"): 1}


def test_what_a_request_calls_is_drawn_below_it(recorder: Recorder) -> None:
    Client().get("/shop/items/7/")
    asyncio.run(AsyncClient().get("/slowly"))
    # Other tests have left counters at zero.
    assert {key: calls for key, calls in numbers(recorder, "trace_calls_total").items() if calls} == {
        ("price", "GET /shop/items/<int:number>/", "function"): 1.0,
        ("GET /shop/items/<int:number>/", "", "request"): 1.0,
        ("price", "GET /slowly", "function"): 1.0,
        ("GET /slowly", "", "request"): 1.0,
    }


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_over_a_real_server(server: str) -> None:
    port = free_port()
    commands = {
        "gunicorn": ["gunicorn", f"{djangosite.__name__}:wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "2"],
        "uvicorn": ["uvicorn", f"{djangosite.__name__}:asgi", "--port", str(port), "--lifespan", "off"],
    }
    url = f"http://127.0.0.1:{port}"
    with program([sys.executable, "-m", *commands[server]], env=environment()):
        eventually(lambda: answers(f"{url}/known"), seconds=60.0)
        for path in ("/shop/items/7/", "/shop/items/8/", "/file"):
            with urlopen(url + path) as response:
                assert response.read()
        stream = "/stream" if server == "gunicorn" else "/stream_later"
        with urlopen(url + stream) as response:
            assert response.read() == b"111"
        with pytest.raises(HTTPError) as raised:
            urlopen(f"{url}/broken")
        raised.value.close()

        def known() -> set[tuple[Any, ...]]:
            with urlopen(f"{url}/known") as answer:
                return {tuple(row) for row in json.load(answer) if row[-2] != "/known"}

        expected = {
            ("GET", "200", "/shop/items/<int:number>/", 2),
            ("GET", "200", "/file", 1),
            ("GET", "200", stream, 1),
            ("LookupError", "GET", "500", "/broken", 1),
        }
        eventually(lambda: known() == expected)
