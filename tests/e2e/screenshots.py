"""Draws every page, light and dark, over an invented history. Say where to: the default is ``docs/images``.

python -m tests.e2e.screenshots [FOLDER]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TypeAlias
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page, sync_playwright

from dashboard.state import COMPARE
from examples.demo.history import AHEAD, fill
from examples.demo.machine import Machine
from examples.demo.story import Story
from perf.clock import SystemClock
from tests.e2e.watched import shop
from tests.services import CHROMIUM_ARGUMENTS, ROOT, chromium, site
from tests.signedin import ask, guarded_site, send

SIZE = {"width": 1440, "height": 1100}
THEMES = ("light", "dark")
ZONES = (
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Europe/Athens",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
)
"""Pictures are taken where it is early afternoon, when there is most to see."""

QUIET = {"PERF_SOURCES__HOST__ENABLED": "false", "PERF_SOURCES__PROCESS__ENABLED": "false"}
"""The machine that draws must not be in the pictures."""

CALM = Event()
Wanted: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A picture's name, its address below the site's, and its themes."""

_SETTLED = """() => {
  const panels = [...document.querySelectorAll('[data-perf-state]')];
  const charts = [...document.querySelectorAll('.perf-chart')];
  const bare = /(alerts|profiler)$/.test(location.pathname) && document.querySelector('.js-plotly-plot');
  return !document.querySelector('#perf-first') && (panels.length > 0 || bare) && panels.every((one) => one.dataset.perfState !== 'loading')
    && charts.every((one) => 'perfDrawn' in one.dataset || one.dataset.perfState === 'empty')
    && !document.querySelector('[data-testid="stSkeleton"]')
    && !document.querySelector('[data-stale="true"]')
    && !window.perfPoller?.busy;
}"""
_FULL_HEIGHT = "Math.ceil(document.querySelector('.stMain').scrollHeight)"


def shoot(browser: Browser, address: str, file: Path, *, theme: str, zone: str) -> None:
    """Save the whole page at *address* as *file*, as seen in the time zone *zone*."""
    with browser.new_context(
        viewport={"width": SIZE["width"], "height": SIZE["height"]},
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id=zone,
        locale="en-GB",
    ) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        _settle(page)
        height = max(SIZE["height"], int(page.evaluate(_FULL_HEIGHT)))
        page.set_viewport_size({"width": SIZE["width"], "height": height})
        page.mouse.move(SIZE["width"] - 4, 4)
        _settle(page)
        page.screenshot(path=file)


def afternoon(now: float) -> tuple[str, float]:
    """The zone in which *now* (Unix seconds) is closest to half past two, and what its clocks are ahead of UTC in seconds."""

    def at(zone: str) -> tuple[float, float]:
        local = datetime.fromtimestamp(now, ZoneInfo(zone))
        return abs(local.hour + local.minute / 60 - 14.5), (local.utcoffset() or timedelta()).total_seconds()

    chosen = min(ZONES, key=at)
    return chosen, at(chosen)[1]


def _settle(page: Page) -> None:
    page.wait_for_selector('[data-testid="stHeading"], [data-testid="stMarkdown"]')
    page.wait_for_function(_SETTLED)
    # Plotly and the tables draw on the next frames; the fonts come with them.
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(700)


def _pages(browser: Browser, site_in: tuple[str, str], folder: Path, wanted: Iterable[Wanted]) -> None:
    url, zone = site_in
    for name, query, themes in wanted:
        for theme in themes:
            file = folder / f"{name}-{theme}.png"
            shoot(browser, f"{url}/{query}", file, theme=theme, zone=zone)
            sys.stdout.write(f"{file.name}: {file.stat().st_size / 1024:.0f} kB\n")


def _view(span: str, compare: str = "none") -> str:
    return urlencode({"range": span, "compare": COMPARE[compare]})


@contextmanager
def _store_folder() -> Iterator[Path]:
    """An empty folder with the same name each time, since the pictures show it."""
    folder = Path(tempfile.gettempdir()) / "perf-screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def profiled(url: str) -> None:
    """Let the dashboard at *url* look at itself for three seconds, while somebody asks for pages."""
    send(url, "/api/v1/profiles", {"seconds": 3, "rate": 200})
    while ask(url, "/api/v1/profiles/newest").status != 200:
        ask(url, "/api/v1/query?query=cpu_usage_percent&from=now-7d")


def main() -> None:
    """Make the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    with _store_folder() as store, sync_playwright() as playwright:
        zone, offset = afternoon(clock.now())
        fill(store / "perf.duckdb", Story(clock.now(), offset=offset, ahead=AHEAD), Machine())
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        with shop(store) as settings, site(store, port=None, PERF_CONFIG=str(settings), **QUIET) as shown:
            _pages(
                browser,
                (shown.url, zone),
                folder,
                (
                    ("overview", f"?{_view('3h')}", THEMES),
                    ("overview-compare", f"?{_view('3h', 'yesterday')}", ("light",)),
                    ("health", f"checks?{_view('3h')}", THEMES),
                    ("trends", f"trends?{_view('3h')}", THEMES),
                    ("trends-week", f"trends?{_view('7d')}", ("light",)),
                    ("functions", f"functions?{_view('3h')}&where=GET+%2Fsearch", THEMES),
                    ("queries", f"functions?{_view('3h')}&kind=Queries", ("light",)),
                    ("cache", f"cache?{_view('3h')}", THEMES),
                    ("alerts", f"alerts?{_view('7d')}&part=Rules&rule=CPU+above+80+%25", THEMES),
                ),
            )
        with site(store) as shown:  # What is read, and what it costs, is there to see only while it is read.
            CALM.wait(25.0)  # Two readings after the start, which takes a core.
            wanted = [("settings", "settings", THEMES), ("machine", "", ("light",)), ("profiler", "profiler", THEMES)]
            profiled(shown.url)
            _pages(browser, (shown.url, zone), folder, wanted)
        with guarded_site(store) as shown:
            for theme in THEMES:
                with browser.new_context(viewport=SIZE, color_scheme=theme) as context:
                    page = context.new_page()
                    page.goto(shown.url)
                    page.wait_for_selector("form")
                    page.screenshot(path=folder / f"signin-{theme}.png")
        browser.close()


if __name__ == "__main__":
    main()
