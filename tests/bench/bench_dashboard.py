"""What the dashboard costs: bytes and CPU of a refresh, time to the first page, idle CPU and memory. Prints Markdown.

python -m tests.bench.bench_dashboard
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean, median
from threading import Event
from time import perf_counter
from typing import Any

import msgspec
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests.services import CHROMIUM_ARGUMENTS, answers, chromium, environment, eventually, free_port, program, site

REFRESHES = 12
VISITS = 5
RANGES = ("5m", "3h")
"""The range of a first visit refreshes every second, the usual one every five."""

WATCH_SECONDS = 60.0
SETTLE = 1000
"""Milliseconds."""

TARGET_BYTES, TARGET_SECONDS, TARGET_SHARE, TARGET_MIB = 2048, 1.0, 2.0, 300
_TICK = os.sysconf("SC_CLK_TCK")
_PAUSE = Event()
_MARKS = """
window.perfMarks = {};
new MutationObserver(() => {
  const mark = (name, reached) => { if (reached) window.perfMarks[name] ??= performance.now() };
  const charts = document.querySelectorAll('.perf-chart').length;
  const numbers = document.querySelectorAll('#perf-first .perf-tile[data-perf-state="ready"] .perf-value').length;
  mark('first', numbers === 6 && document.querySelector('#perf-first .perf-answer'));
  mark('tiles', document.querySelectorAll('#root .perf-tile[data-perf-state="ready"]').length === 6);
  mark('sidebar', document.querySelector('[data-testid="stNumberInput"]'));
  mark('charts', charts >= 5 && document.querySelectorAll('.perf-chart[data-perf-drawn]').length === charts);
}).observe(document, { subtree: true, childList: true, attributes: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.perfMarks[one.name] = one.startTime;
}).observe({ type: 'paint', buffered: true });
"""
_RUN_OVER = "document.querySelector('.stApp')?.dataset.testScriptState === 'notRunning'"


class Traffic(msgspec.Struct):
    """Bytes since it was last cleared, by what carried them; both directions, headers and bodies."""

    requests: dict[str, int]
    polls: int = 0
    websocket: int = 0

    def clear(self) -> None:
        """Count anew."""
        self.requests.clear()
        self.polls = self.websocket = 0


class Refreshes(msgspec.Struct, frozen=True):
    """What some refreshes moved, how long they took, and the CPU seconds of the whole server meanwhile."""

    traffic: Traffic
    seconds: float
    cpu: float


def traffic(session: CDPSession) -> Traffic:
    """What *session*'s page moves from now on, as its browser counts it."""
    found = Traffic(defaultdict(int))
    urls: dict[str, str] = {}

    def add(request: str, size: float) -> None:
        if request in urls:
            found.requests[urls[request].partition("?")[0]] += round(size)

    def asked(event: dict[str, Any]) -> None:  # Any: an event of the browser's protocol, here and below
        url = event["request"]["url"]
        urls[event["requestId"]] = url
        found.polls += "since=" in url
        add(event["requestId"], len(f"GET  HTTP/1.1\r\n{url}\r\n") - len("http://") - url.partition("://")[2].find("/"))

    def sent(event: dict[str, Any]) -> None:
        add(event["requestId"], sum(len(name) + len(value) + 4 for name, value in event["headers"].items()))

    def finished(event: dict[str, Any]) -> None:
        add(event["requestId"], event["encodedDataLength"])

    def frame(event: dict[str, Any]) -> None:
        payload = event["response"]["payloadData"]
        # Binary frames arrive here as base64; a frame's own header has 2 to 14 bytes.
        found.websocket += 8 + (len(payload) if event["response"]["opcode"] == 1 else len(payload) * 3 // 4)

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.requestWillBeSentExtraInfo", sent)
    session.on("Network.loadingFinished", finished)
    session.on("Network.webSocketFrameSent", frame)
    session.on("Network.webSocketFrameReceived", frame)
    session.send("Network.enable")
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds that the process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_mib(pid: int) -> float:
    """Resident memory of the process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def share(pid: int, seconds: float) -> float:
    """Percent of a core that the process uses in the next *seconds*."""
    began, before = perf_counter(), cpu_seconds(pid)
    _PAUSE.wait(seconds)
    return 100.0 * (cpu_seconds(pid) - before) / (perf_counter() - began)


def others(pid: int) -> float:
    """Percent of a core that the rest of the machine uses for a second: what a figure must be read with."""

    def used() -> float:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
        return (sum(map(int, line[1:9])) - int(line[4]) - int(line[5])) / _TICK

    began, before, own = perf_counter(), used(), cpu_seconds(pid)
    _PAUSE.wait(1.0)
    return 100.0 * (used() - before - cpu_seconds(pid) + own) / (perf_counter() - began)


def visit(context: BrowserContext, url: str) -> dict[str, float]:
    """Seconds from the start of navigation until the answer with six numbers is on the screen (they stand in the HTML, so
    that is the first paint with any content), until the live tiles, the sidebar and all charts are there.
    """
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("window.perfMarks.charts")
    marks: dict[str, float] = page.evaluate("window.perfMarks")
    page.close()
    marks["first"] = max(marks["first"], marks.pop("first-contentful-paint"))
    return {name: value / 1000 for name, value in marks.items()}


def sessions(browser: Browser, count: int, url: str) -> list[tuple[dict[str, float], dict[str, float]]]:
    """The first and the second visit of *count* new readers."""
    found = []
    for _ in range(count):
        with browser.new_context(viewport={"width": 1440, "height": 1100}) as context:
            context.add_init_script(_MARKS)
            found.append((visit(context, url), visit(context, url)))
    return found


def floors(browser: Browser, folder: Path) -> tuple[float, float]:
    """Seconds until one sentence is there on a Streamlit page that holds nothing else: a new reader's and the same one's
    again (medians). What the dashboard takes beyond that is its own.
    """
    script, port = folder / "floor.py", free_port()
    script.write_text('import streamlit as st\n\nst.markdown("a sentence")\n', encoding="utf-8")
    options = [
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
        "--browser.serverAddress",
        "localhost",
    ]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *options]
    url, found = f"http://127.0.0.1:{port}", []
    with program(command, env=environment()):
        eventually(lambda: answers(f"{url}/_stcore/health"), seconds=60.0)
        for _ in range(VISITS + 1):
            with browser.new_context(viewport={"width": 1440, "height": 1100}) as context:
                found.append((_sentence(context, url), _sentence(context, url)))
    return median(one for one, _ in found[1:]), median(other for _, other in found[1:])


def _sentence(context: BrowserContext, url: str) -> float:
    page = context.new_page()
    page.goto(url)
    drawn: float = page.wait_for_function(
        "document.querySelector('[data-testid=\"stMarkdown\"]') && performance.now()"
    ).json_value()
    page.close()
    return drawn / 1000


def refreshes(page: Page, pid: int) -> Refreshes:
    """What at least twelve refreshes in at least a minute of the settled *page* move and cost the server."""
    session = page.context.new_cdp_session(page)
    moved = traffic(session)
    with page.expect_response(lambda response: "since=" in response.url):
        pass
    page.wait_for_timeout(SETTLE)
    moved.clear()
    began, before = perf_counter(), cpu_seconds(pid)
    while moved.polls < REFRESHES or perf_counter() - began < WATCH_SECONDS:
        page.wait_for_timeout(200)
    with page.expect_response(lambda response: "since=" in response.url):
        pass
    page.wait_for_timeout(SETTLE)
    seconds, spent = perf_counter() - began, cpu_seconds(pid) - before
    session.detach()
    return Refreshes(traffic=moved, seconds=seconds, cpu=spent)


def report_traffic(found: dict[str, Refreshes], idle: float) -> None:
    """Print what a refresh moves and takes; *idle* is the share of a core without a page."""
    print(
        f"\nRefreshes of the Overview over {WATCH_SECONDS:g} s; all bytes as the browser counts them, both directions\n"
    )
    print(
        "| range | refreshes | poll | websocket | all bytes a refresh | target | CPU ms a refresh | share of a core |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, one in found.items():
        count, share = one.traffic.polls, 100 * one.cpu / one.seconds
        poll, socket = sum(one.traffic.requests.values()) / count, one.traffic.websocket / count
        cost = 1000 * (one.cpu - one.seconds * idle / 100) / count
        print(
            f"| {name} | {count} | {poll:,.0f} | {socket:,.0f} | **{poll + socket:,.0f}** | {TARGET_BYTES:,} "
            f"| {cost:.0f} | {share:.1f} % |"
        )


def report_visits(
    first: dict[str, float], found: list[tuple[dict[str, float], dict[str, float]]], floor: tuple[float, float]
) -> None:
    """Print how long pages take; *floor* as in `floors`."""
    rows = {
        "the first after start-up, empty browser cache": first,
        f"a new reader, empty browser cache (median of {VISITS})": _median([one for one, _ in found]),
        f"the same reader again (median of {VISITS})": _median([other for _, other in found]),
    }
    print(f"\nSeconds from the start of navigation (target {TARGET_SECONDS:g} for the answer with its six numbers)\n")
    print(
        "| visit | answer and six numbers drawn | live tiles | sidebar's controls | six charts |\n|---|---|---|---|---|"
    )
    for name, marks in rows.items():
        print(
            f"| {name} | **{marks['first']:.2f}** | {marks['tiles']:.2f} | {marks['sidebar']:.2f} | {marks['charts']:.2f} |"
        )
    print(f"| floor: a Streamlit page with one sentence, a new reader (median of {VISITS}) | {floor[0]:.2f} | | | |")
    print(f"| the same, again | {floor[1]:.2f} | | | |")


def _median(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(marks[name] for marks in found) for name in found[0]}


def main() -> None:
    """Start the product on an empty store, measure, and print."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        began = perf_counter()
        with site(Path(temporary)) as running:
            ready, pid = perf_counter() - began, running.process.pid
            first = sessions(browser, 1, running.url)[0][0]
            visits = sessions(browser, VISITS, running.url)
            found = {span: watched(browser, f"{running.url}/?range={span}", pid) for span in RANGES}
            _PAUSE.wait(10.0)
            load = mean(others(pid) for _ in range(3))
            idle, resident = share(pid, WATCH_SECONDS), memory_mib(pid)
        floor = floors(browser, Path(temporary))
        browser.close()
    print("## Dashboard\n")
    print(
        f"`python -m tests.bench.bench_dashboard`: Chromium on the same {os.cpu_count()} cores, a fresh store, all sources."
    )
    print(
        f"Everything else took {load:.0f} % of a core when nobody looked.\n\nProcess start to `/health/ready`: {ready:.2f} s"
    )
    report_visits(first, visits, floor)
    report_traffic(found, idle)
    print(
        f"\nNo page open: {idle:.1f} % of a core over {WATCH_SECONDS:g} s (/proc/PID/stat; target {TARGET_SHARE:g} %),",
        end=" ",
    )
    print(f"{resident:.0f} MiB resident after all of the above (target {TARGET_MIB})")


def watched(browser: Browser, address: str, pid: int) -> Refreshes:
    """The refreshes of a page that has been open for some seconds."""
    with browser.new_context(viewport={"width": 1440, "height": 1100}) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(_RUN_OVER)
        page.wait_for_timeout(5 * SETTLE)
        return refreshes(page, pid)


if __name__ == "__main__":
    main()
