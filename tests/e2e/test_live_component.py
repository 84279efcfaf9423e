"""The live component in a real Chromium, on a real server, against a stand-in for the query API."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from tests.browsers import close_pages, lasting
from tests.services import answers, environment, eventually, free_port, program

HERE = Path(__file__).resolve().parent
PATIENCE = 60_000
SETTLED = """(charts) => {
  const tracks = [...(window.perfPoller?.tracks.values() ?? [])];
  const panels = [...document.querySelectorAll('[data-perf-state]')];
  return document.querySelectorAll('.perf-chart[data-perf-drawn]').length >= charts && !window.perfPoller.busy
    && tracks.every((one) => one.problem || (one.loaded && !one.reload))
    && panels.every((one) => one.dataset.perfState !== 'loading');
}"""
"""What is loaded once is loaded, and only news are asked for."""
PER_REFRESH = 2048


class Site:
    """The running server."""

    def __init__(self, address: str) -> None:
        self.address = address

    def turn(self, **knobs: object) -> None:
        """Turn the stand-in's knobs."""
        body = json.dumps(knobs).encode()
        request = urllib.request.Request(f"{self.address}/knobs", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def asked(self) -> list[str]:
        """The queries of all API requests since the last ``turn(asked=[])``."""
        with urllib.request.urlopen(f"{self.address}/knobs", timeout=10) as answer:
            found: list[str] = json.load(answer)["asked"]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": "127.0.0.1",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "streamlit", "run", str(HERE / "live_app.py"), *flags]
    folder = tmp_path_factory.mktemp("site")
    with program(command, env=environment(), cwd=folder, log=folder / "log"):
        found = Site(f"http://127.0.0.1:{port}")
        eventually(lambda: answers(f"{found.address}/knobs"), seconds=90)
        yield found


@pytest.fixture(scope="module")
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    options = {"viewport": {"width": 1440, "height": 1100}, "color_scheme": "light"}
    with lasting(browser, f"{site.address}/knobs", **options) as found:
        yield found


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Iterator[Page]:
    site.turn(fail=0, wrong=[], silent=False, asked=[])
    found = context.new_page()
    found.set_default_timeout(PATIENCE)
    yield found
    close_pages(context)


def _open(page: Page, site: Site, charts: int = 5, **params: object) -> None:
    words = "&".join(f"{name}={value}" for name, value in {"show": "five", **params}.items())
    page.goto(f"{site.address}/?{words}")
    page.wait_for_function(SETTLED, arg=charts)


def _states(page: Page) -> dict[str, str]:
    script = """() => Object.fromEntries([...document.querySelectorAll('[data-perf-state]')].map((root) => [
        root.querySelector('.perf-label, .perf-plot')?.ariaLabel ?? root.querySelector('.perf-label')?.textContent ?? 'strip',
        root.dataset.perfState]))"""
    found: dict[str, str] = page.evaluate(script)
    return found


def _range(page: Page, chart: int = 0) -> list[float]:
    found: list[float] = page.evaluate(f"document.querySelectorAll('.perf-plot')[{chart}].layout.xaxis.range")
    return found


def _drag(page: Page) -> None:
    box = page.locator(".perf-plot").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 150, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, middle, steps=4)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.perf-chart').dataset.perfZoom !== ''")


def _ticks(page: Page, site: Site, count: int) -> list[str]:
    """Wait for *count* more ticks; their queries."""
    site.turn(asked=[])
    found: list[str] = []
    while len(found) < count:  # The test's own time limit ends what never comes.
        with page.expect_response(re.compile("since=")):  # It may be one that was asked before.
            pass
        found = [query for query in site.asked() if "since=" in query]
    return found[:count]


def test_every_panel_reaches_its_own_state(page: Page, site: Site) -> None:
    _open(page, site, charts=9, show="all")
    page.wait_for_function("document.querySelector('[aria-label=Wrong]').parentElement.dataset.perfState === 'error'")

    found = _states(page)

    assert {name: state for name, state in found.items() if state != "ready"} == {
        "Queue": "empty",
        "Nothing": "empty",
        "Wrong": "error",
    }
    assert "unknown function in 'wrong(cpu)'" in page.locator("[aria-label=Wrong] + .perf-message").inner_text()
    assert "data since 19:02" in page.locator("[aria-label=Nothing] + .perf-message").inner_text()


def test_words_of_thresholds_and_moments_do_not_touch(page: Page, site: Site) -> None:
    _open(page, site)
    boxes: list[list[float]] = page.evaluate("""() => [
        ...document.querySelectorAll('[aria-label=Memory] .annotation-text')].filter((one) => /[▲■▼]/.test(one.textContent))
        .map((one) => { const box = one.getBoundingClientRect(); return [box.top, box.bottom]; })""")

    assert len(boxes) == 3
    ordered = sorted(boxes)
    assert all(upper[1] <= lower[0] + 1.0 for upper, lower in pairwise(ordered))


def test_tiles_show_value_state_and_change(page: Page, site: Site) -> None:
    _open(page, site)
    memory = page.locator(".perf-tile").nth(1)
    page.wait_for_function("document.querySelectorAll('.perf-change')[1]?.hidden === false")

    assert re.fullmatch(r"Memory: 8\d(\.\d)? %, warning", memory.get_attribute("aria-label") or "")
    assert memory.locator(".perf-mark").inner_text() == "▲"
    assert memory.locator(".perf-note").inner_text() == "of 2 GiB, container limit"
    assert memory.locator("path.perf-line").get_attribute("d")
    assert page.locator(".perf-tile").nth(5).get_attribute("aria-label") == "Queue: –, no data"
    assert page.locator(".perf-tile").nth(6).get_attribute("aria-label") == "Errors: 0 /s"


def test_one_small_request_serves_the_page(page: Page, site: Site) -> None:
    session = page.context.new_cdp_session(page)
    _open(page, site)
    sizes = _sizes(session)

    queries = _ticks(page, site, 3)

    assert len(queries) == 3
    assert {query.count("query=") for query in queries} == {12}
    while not (complete := [size for size in sizes.values() if {"line", "headers", "received"} <= size.keys()]):
        page.wait_for_timeout(50)  # What the browser says of a request comes after its answer.
    assert max(size["line"] + size["headers"] + size["received"] for size in complete) <= PER_REFRESH


def _sizes(session: CDPSession) -> dict[str, dict[str, int]]:
    """Bytes of every request: its line, if it asks for news, its headers, and all that came back; told in any order."""
    found: dict[str, dict[str, int]] = defaultdict(dict)

    def sent(event: dict[str, Any]) -> None:  # Any: a protocol event
        path = event["request"]["url"].partition("/api")[2]
        if "since=" in path:
            found[event["requestId"]]["line"] = len(f"GET /api{path} HTTP/1.1\r\n")

    def headers(event: dict[str, Any]) -> None:  # Any: as above
        lines = (f"{name}: {value}\r\n" for name, value in event["headers"].items())
        found[event["requestId"]]["headers"] = sum(map(len, lines)) + len("\r\n")

    def finished(event: dict[str, Any]) -> None:  # Any: as above
        found[event["requestId"]]["received"] = int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.requestWillBeSentExtraInfo", headers)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    return found


def test_charts_move_with_the_clock(page: Page, site: Site) -> None:
    _open(page, site, window=600, step=2)
    before = _range(page)[1]

    page.wait_for_function(f"document.querySelector('.perf-plot').layout.xaxis.range[1] > {before} + 2")

    newest = "document.querySelector('.perf-plot').data.findLast((one) => one.mode === 'lines').x.at(-1)"
    page.wait_for_function(f"{newest} > {before}")


def test_numbers_of_tiles_move_with_the_clock(page: Page, site: Site) -> None:
    _open(page, site, window=600, step=2)
    value = "document.querySelector('.perf-value').title"
    before = page.evaluate(value)

    page.wait_for_function(f"{value} !== '{before}'")


def test_zoom_is_shared_finer_and_survives_ticks(page: Page, site: Site) -> None:
    _open(page, site)
    node = page.evaluate_handle("document.querySelector('.perf-plot .main-svg')")
    with page.expect_response(re.compile("max_points=400")):
        _drag(page)
    zoomed = _range(page)

    _ticks(page, site, 2)

    zooms = page.evaluate("[...document.querySelectorAll('.perf-chart')].map((chart) => chart.dataset.perfZoom)")
    assert len(zooms) == 5
    assert set(zooms) == {f"{zoomed[0]:.0f},{zoomed[1]:.0f}"}
    assert _range(page) == zoomed == _range(page, 3)
    assert node.evaluate("(node) => node.isConnected")
    page.locator(".perf-chip").first.click()
    page.wait_for_function("document.querySelector('.perf-chart').dataset.perfZoom === ''")
    page.wait_for_function(f"document.querySelector('.perf-plot').layout.xaxis.range[0] < {zoomed[0]}")


def test_double_click_shows_everything_again(page: Page, site: Site) -> None:
    _open(page, site)
    _drag(page)
    # Plotly takes two clicks within 300 ms for a double one; a busy machine may need longer.
    page.evaluate("Date.prototype.getTime = () => 4e12")

    page.locator(".perf-plot").first.dblclick(position={"x": 200, "y": 100})

    page.wait_for_function("[...document.querySelectorAll('.perf-chart')].every((one) => one.dataset.perfZoom === '')")


def test_an_outage_is_said_and_ends(page: Page, site: Site) -> None:
    _open(page, site)

    site.turn(fail=503)
    page.wait_for_function("document.querySelector('.perf-chart').dataset.perfState === 'stale'")
    said = page.locator(".perf-chart > .perf-message").first.inner_text()
    states = set(_states(page).values())
    site.turn(fail=0)
    page.wait_for_function("document.querySelector('.perf-chart').dataset.perfState === 'ready'")

    assert re.fullmatch(r"no data since \d\d:\d\d:\d\d, retrying", said)
    assert states == {"stale"}


def test_a_failed_first_load_tells_the_problem_and_recovers(page: Page, site: Site) -> None:
    site.turn(fail=503)
    page.goto(f"{site.address}/?show=five")
    page.wait_for_function("document.querySelector('.perf-chart')?.dataset.perfState === 'error'")
    said = page.locator(".perf-chart > .perf-message").first.inner_text()

    site.turn(fail=0)

    page.wait_for_function("document.querySelector('.perf-chart').dataset.perfState === 'ready'")
    assert said.split("\n") == ["Store is closed", "the writer has stopped"]


def test_a_hidden_tab_asks_nothing(page: Page, site: Site) -> None:
    _open(page, site)
    page.evaluate("""() => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => window.perfHidden });
        window.perfHidden = true;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    page.wait_for_function("!window.perfPoller.busy")
    site.turn(asked=[])

    page.wait_for_timeout(2_500)  # nothing can be waited for: two ticks in which no request may come
    hidden = site.asked()
    with page.expect_response(re.compile("since=")):
        page.evaluate("() => { window.perfHidden = false; document.dispatchEvent(new Event('visibilitychange')); }")

    assert hidden == []


def test_a_rerun_with_another_range_keeps_the_charts(page: Page, site: Site) -> None:
    _open(page, site)
    node = page.evaluate_handle("document.querySelector('.perf-plot .main-svg')")

    page.get_by_text("six hours").click()

    width = "(([from, to]) => to - from)(document.querySelector('.perf-plot').layout.xaxis.range)"
    page.wait_for_function(f"Math.abs({width} - 6 * 3600) < 1")
    page.wait_for_function("document.querySelectorAll('.perf-chart')[2].dataset.perfPoints >= 720")
    assert node.evaluate("(node) => node.isConnected")


def test_the_crosshair_is_shared_and_the_tooltip_exact(page: Page, site: Site) -> None:
    _open(page, site)

    page.locator(".perf-plot").first.hover(position={"x": 250, "y": 120})

    page.wait_for_function(
        "[...document.querySelectorAll('.perf-chart > .perf-cross')].filter((one) => !one.hidden).length === 5"
    )
    tips = page.locator(".perf-chart > .perf-tip:not([hidden])")
    assert tips.count() == 1
    assert re.search(r"p95\s+\d+ ms\s+0\.\d+ s", tips.inner_text())
    assert re.search(r"\w{3} \d+ \w{3} \d\d:\d\d:\d\d (CET|CEST|GMT\+[12])", tips.inner_text())


def test_the_keyboard_reads_and_leaves(page: Page, site: Site) -> None:
    _open(page, site)
    page.locator(".perf-plot").first.focus()

    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.perf-chart > .perf-tip:not([hidden])')")
    page.keyboard.press("Escape")

    page.wait_for_function("!document.querySelector('.perf-chart > .perf-tip:not([hidden])')")


def test_a_chart_is_saved_as_svg(page: Page, site: Site) -> None:
    _open(page, site)
    page.locator(".perf-chart").first.hover()

    with page.expect_download() as saved:
        page.locator(".perf-tools button", has_text="SVG").first.click()

    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert saved.value.suggested_filename == "latency.svg"
    assert "p95" in text


def test_the_other_theme_restyles_and_keeps_the_zoom(page: Page, site: Site) -> None:
    _open(page, site)
    _drag(page)
    before = _range(page)
    color = "document.querySelector('.perf-plot').layout.font.color"
    light = page.evaluate(color)

    page.emulate_media(color_scheme="dark")

    page.wait_for_function(f"{color} !== '{light}'")
    assert _range(page) == before


def test_nothing_is_asked_of_another_host(page: Page, site: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    _open(page, site)
    page.locator(".perf-chart").first.hover()

    outside = [url for url in asked if not url.startswith((site.address, "blob:", "data:"))]
    assert outside == []


def test_leaving_lets_go_of_every_subscription(page: Page, site: Site) -> None:
    _open(page, site, charts=9, show="all")
    page.wait_for_function("window.perfPoller.subscriptions.size > 12")

    page.get_by_text("compare").click()
    page.get_by_text("fewer").click()

    page.wait_for_function("document.querySelectorAll('.perf-strip').length === 0")
    page.wait_for_function("window.perfPoller.subscriptions.size === 6")
