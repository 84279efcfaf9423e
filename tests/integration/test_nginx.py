"""Behind a real nginx with our own template: a sub-path, TLS, websockets, the API, and health on its port."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.fronts import Front, front
from tests.services import CHROMIUM_ARGUMENTS, chromium, environment, eventually, free_port, program, ready
from tests.signedin import ask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Front]:
    inner, health = free_port(), free_port()
    env = environment(
        PERF_STORE__PATH=str(folder / "perf.duckdb"),
        PERF_HEALTH_PORT=str(health),
        PERF_LOGS__LEVEL="DEBUG",
        STREAMLIT_SERVER_BASE_URL_PATH="perf",
        STREAMLIT_BROWSER_SERVER_ADDRESS="localhost",
    )
    command = [sys.executable, "-m", "perf", "dashboard", "--port", str(inner)]
    with (
        program(command, env=env, log=folder / "dashboard.log") as process,
        front(folder, (free_port(), free_port()), [inner], [health]) as found,
    ):
        ready(process, f"http://127.0.0.1:{health}", folder / "dashboard.log")
        eventually(found.ready, seconds=30)
        # A page that is opened before there is a series has no chart of it.
        series = "/perf/api/v1/series?metric=cpu_usage_percent"
        eventually(lambda: json.loads(found.ask(series).body)["series"], seconds=30)
        yield found


def test_the_page_and_what_it_loads_are_found_below_the_path(site: Front) -> None:
    status, headers, _, body = site.ask("/perf/", accept="text/html")
    assert status == 200
    assert b"<title>" in body
    assert headers["strict-transport-security"] == "max-age=31536000"
    preloaded = headers["link"].partition(">")[0].removeprefix("<")
    assert site.ask(f"/perf/{preloaded}").status == 200


def test_the_api_answers_below_the_path(site: Front) -> None:
    status, headers, _, body = site.ask("/perf/api/v1/query?query=cpu_usage_percent&from=now-1m&step=5s")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)
    status, headers, _, body = site.ask("/perf/api/v1/nothing")
    assert (status, headers["content-type"]) == (404, "application/problem+json")


def test_a_request_has_one_id_for_the_proxy_the_answer_and_the_log(site: Front, folder: Path) -> None:
    log = folder / "dashboard.log"
    _, headers, _, body = site.ask("/perf/api/v1/nothing", X_Request_ID="from-the-client")
    assert headers["x-request-id"] == json.loads(body)["request_id"] == "from-the-client"
    eventually(lambda: "GET /api/v1/nothing 404" in log.read_text() and "[from-the-client]" in log.read_text())
    made = site.ask("/perf/api/v1/nothing").headers["x-request-id"]
    assert len(made) == 32  # nginx's own


def test_health_comes_from_its_own_port_and_metrics_stay_inside(site: Front) -> None:
    status, _, _, body = site.ask("/perf/health/ready")
    assert (status, json.loads(body)["ready"]) == (200, True)
    assert json.loads(site.ask("/perf/health/live").body)["alive"]
    assert site.ask("/perf/metrics").status == 403


@pytest.mark.parametrize(
    ("secure", "path", "status", "place"),
    [
        (True, "/perf", 308, "/perf/"),
        (True, "/perf/overview?range=1h", 307, "./?range=1h"),
        (False, "/perf/trends", 301, "https://localhost/perf/trends"),
    ],
    ids=["without its slash", "the first page by its name", "without TLS"],
)
def test_redirects_stay_below_the_path(site: Front, secure: bool, path: str, status: int, place: str) -> None:
    found = site.ask(path) if secure else ask(f"http://localhost:{site.plain}", path)
    assert (found.status, found.headers["location"].removeprefix(site.url)) == (status, place)


def test_nothing_else_of_the_host_is_perf(site: Front) -> None:
    assert site.ask("/").status == 404
    assert site.ask("/api/v1/query?query=x").status == 404


@pytest.mark.timeout(180)
def test_a_browser_sees_live_pages_through_the_websocket(site: Front) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        try:
            page = browser.new_page(ignore_https_errors=True)
            failed: list[str] = []
            sockets: list[str] = []
            page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
            page.on("websocket", lambda socket: sockets.append(socket.url))
            page.goto(f"{site.url}/perf/", wait_until="commit")
            tile = page.locator("[data-testid=stMain] .perf-tile[data-perf-state=ready]").first
            tile.wait_for(timeout=60_000)
            page.goto(f"{site.url}/perf/trends", wait_until="commit")
            page.get_by_role("heading", name="Trends").wait_for(timeout=60_000)
            page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
        finally:
            browser.close()
    assert sockets
    assert all(url.startswith(f"wss://localhost:{site.secure}/perf/_stcore/stream") for url in sockets)
    # On a deep link Streamlit's own page tries which part of the path is its root.
    assert [url for url in failed if "/perf/trends/_stcore/" not in url] == []
