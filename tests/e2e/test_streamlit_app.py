"""A real Streamlit server with an app of two pages, and a reader in Chromium: what was done is what was recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page

from tests.services import answers, environment, eventually, free_port, program

INSTRUMENT = "from perf.instrument import streamlit\nstreamlit.instrument()\n"
SCRIPT = """
import streamlit as st

def home():
    st.button("Buy")
    st.slider("Amount", 0, 9)
    if st.button("Break"):
        raise RuntimeError("broken")

@st.fragment
def part():
    st.button("Refresh")

def orders():
    part()
    st.write("All orders")

st.navigation([st.Page(home), st.Page(orders, url_path="our-orders")]).run()
st.text(f"run {st.session_state.setdefault('runs', 0)}")
st.session_state.runs += 1
"""
TOTALS = """
import json

def totals():
    from perf.record import current
    return json.dumps([[m.name, dict(l), getattr(v, "count", v)] for m, l, v in current().totals()])
"""
BESIDE_THE_SCRIPT = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
import streamlit as st
from totals import totals

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(totals().encode())

@st.cache_resource
def serve(port):
    Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever, daemon=True).start()

serve(int(sys.argv[1]))
"""
APP = """
import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from totals import totals

async def recorded(request):
    return PlainTextResponse(totals())

app = st.App("shop.py", routes=[Route("/recorded", recorded)])
"""
RERUN = "streamlit_rerun_duration_seconds"

Recorded = dict[tuple[str, str], float]


class Shop:
    """A running app: its address, and that of what it has recorded."""

    def __init__(self, url: str, recorded: str) -> None:
        self.url, self._recorded = url, recorded

    def recorded(self) -> Recorded:
        """(metric, page and what else) -> number of observations, or the value."""
        with urlopen(self._recorded, timeout=30) as answer:
            found = json.load(answer)
        return {(metric, " ".join(value for _, value in sorted(labels.items()))): n for metric, labels, n in found}

    def becomes(self, metric: str, labels: str, number: float) -> None:
        eventually(lambda: self.recorded().get((metric, labels)) == number, seconds=60)


@pytest.fixture(params=["script", "app"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    port, other = free_port(), free_port()
    (tmp_path / "totals.py").write_text(TOTALS, encoding="utf-8")
    if request.param == "script":
        entry, recorded = tmp_path / "shop.py", f"http://127.0.0.1:{other}"
        entry.write_text(INSTRUMENT + BESIDE_THE_SCRIPT + SCRIPT, encoding="utf-8")
    else:
        entry, recorded = tmp_path / "entry.py", f"http://127.0.0.1:{port}/recorded"
        entry.write_text(INSTRUMENT + APP, encoding="utf-8")
        (tmp_path / "shop.py").write_text(SCRIPT, encoding="utf-8")
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", str(entry), *options, "--", str(other)]
    with program(command, env=environment(), cwd=tmp_path, log=tmp_path / "log"):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(f"{url}/_stcore/health"), seconds=90)
        yield Shop(url, recorded)


def ran(page: Page, number: int) -> None:
    """Wait for the end of run *number* of the session, counted from 0."""
    page.get_by_text(f"run {number}", exact=True).wait_for(timeout=60_000)


def test_what_a_reader_does_is_what_is_recorded(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(shop.url)
    ran(page, 0)
    for number in (1, 2):
        page.get_by_role("button", name="Buy").click()
        ran(page, number)
    shop.becomes(RERUN, "shop", 3)
    page.get_by_role("slider").press("ArrowRight")
    ran(page, 3)
    page.get_by_role("button", name="Break").click()
    shop.becomes("function_errors_total", "RuntimeError shop", 1)
    page.get_by_role("link", name="Orders").click()
    ran(page, 4)
    for number in (1, 2):
        page.get_by_role("button", name="Refresh").click()
        shop.becomes("streamlit_fragment_duration_seconds", "our-orders", number)
    shop.becomes("streamlit_sessions", "", 1)
    second = browser.new_page()
    second.goto(f"{shop.url}/our-orders")
    ran(second, 0)
    shop.becomes("streamlit_sessions", "", 2)
    shop.becomes(RERUN, "our-orders", 2)
    shop.becomes("page_load_seconds", "our-orders", 2)
    second.close()
    shop.becomes("streamlit_sessions", "", 1)
    page.close()
    shop.becomes("streamlit_sessions", "", 0)
    found = {key: number for key, number in shop.recorded().items() if not key[0].startswith("trace_")}
    assert found == {
        (RERUN, "shop"): 5,
        (RERUN, "our-orders"): 2,
        ("streamlit_fragment_duration_seconds", "our-orders"): 2,
        ("page_load_seconds", "shop"): 1,
        ("page_load_seconds", "our-orders"): 2,
        ("streamlit_widget_interactions_total", "shop button"): 3,
        ("streamlit_widget_interactions_total", "shop slider"): 1,
        ("streamlit_widget_interactions_total", "our-orders button"): 2,
        ("function_errors_total", "RuntimeError shop"): 1,
        ("streamlit_sessions", ""): 0,
    }
