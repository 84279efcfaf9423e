"""The answer in the HTML of the first page, from a real runtime."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from time import perf_counter

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import first, kept
from perf import default
from perf.clock import SystemClock
from perf.model import Sample
from perf.record import Recorder
from perf.runtime import Runtime
from perf.settings import Settings, StoreSettings
from perf.sources import host


async def _page(_: Request) -> Response:
    return HTMLResponse("<html><head></head><body>as it is</body></html>", headers={"etag": "1"})


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", _page, methods=["GET", "HEAD"]), Route("/trends", _page)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(first.FirstPage, patience=30.0)]))


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    clock = SystemClock()
    found = Runtime(Settings(store=StoreSettings(backend="memory")), clock, recorder=Recorder(clock))
    default.install(found)
    kept.forget()
    yield found
    default.install(None)
    found.store.close()


def _fill(runtime: Runtime, cpu: float) -> None:
    now = float(int(runtime.clock.now()))
    runtime.store.append([Sample(now - at, host.CPU, (), cpu) for at in range(59, -1, -1)])


def test_the_page_holds_the_answer_and_the_numbers_of_now(client: TestClient, runtime: Runtime) -> None:
    _fill(runtime, 12.5)

    answer = client.get("/")

    assert '<div class="perf-value">12.5 %</div>' in answer.text
    assert answer.text.count('class="perf-tile"') == 6
    assert answer.text.count('class="perf-tile" data-perf-state="loading"') == 5
    assert '<p class="perf-answer" role="status">' in answer.text
    assert '<script type="module" crossorigin src="./static/js/index' in answer.text


def test_no_cache_may_keep_it(client: TestClient, runtime: Runtime) -> None:
    answer = client.get("/", headers={"if-none-match": "1"})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_a_value_above_its_threshold_is_marked(client: TestClient, runtime: Runtime) -> None:
    _fill(runtime, 97.0)

    text = client.get("/").text

    assert 'data-level="critical"><div class="perf-head"><span class="perf-mark" style="color:#AC325E"' in text


def test_other_pages_and_questions_pass_untouched(client: TestClient, runtime: Runtime) -> None:
    assert client.get("/trends").text == "<html><head></head><body>as it is</body></html>"
    assert client.head("/").headers["etag"] == "1"


def test_without_an_answer_the_page_comes_as_it_is(
    client: TestClient, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.store.close()

    assert client.get("/").text.endswith("as it is</body></html>")
    assert client.get("/").status_code == 200
    assert [record.message for record in caplog.records].count("the first page comes without its answer") == 1


def test_a_store_that_hangs_delays_the_page_by_a_second_and_holds_one_thread(runtime: Runtime) -> None:
    app = Starlette(routes=[Route("/", _page)], middleware=[Middleware(first.FirstPage)])

    async def visits() -> tuple[list[str], float, int]:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as visitor:
            before, began = set(threading.enumerate()), perf_counter()
            with runtime.store._lock:  # What a reader of it waits for.
                found = await asyncio.gather(*(visitor.get("/") for _ in range(3)))
                took, threads = perf_counter() - began, len(set(threading.enumerate()) - before)
            # The drawing that had to wait ends before the store does, and leaves no answer to later tests.
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
            return [page.text for page in found], took, threads

    pages, took, threads = asyncio.run(visits())

    assert all(page.endswith("as it is</body></html>") for page in pages)
    assert first.PATIENCE <= took < 30.0
    assert threads == 1


def test_both_themes_stand_in_it(client: TestClient, runtime: Runtime) -> None:
    text = client.get("/").text

    assert "--st-background-color:#FFFFFF" in text
    assert '#perf-first[data-theme="Dark"]{--st-background-color:#0E1117' in text
