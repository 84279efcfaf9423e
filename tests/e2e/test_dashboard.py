"""The whole product in a real Chromium: one server with ten minutes of data, as a reader sees it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Page, expect

from dashboard import nav
from perf.clock import SystemClock
from perf.model import Sample
from perf.runtime import open_store
from perf.settings import StoreSettings
from perf.sources import host
from tests.browsers import close_pages, lasting
from tests.services import Site, eventually, site

PATIENCE = 30_000
SECONDS = 600
SESSION = {"viewport": {"width": 1440, "height": 1100}, "timezone_id": "Asia/Tokyo"}  # its clocks never go back
FAST = {"PERF_DASHBOARD__REFRESH": "1s"}
NEVER_ABOVE = "[thresholds.cpu_usage_percent]\nwarning = 100\ncritical = 100\n"
CPU_TILE = '#root .perf-tile:has(.perf-label:text-is("CPU"))'
CPU_PLOT = '.perf-plot[aria-label^="CPU in use"]'
PLOT = f"document.querySelector('{CPU_PLOT}')"
CHART = f"{PLOT}.closest('.perf-chart')"
SETTLED = """() => {
  const panels = [...document.querySelectorAll('[data-perf-state]')];
  const bare = location.pathname.endsWith('/alerts') && document.querySelector('.perf-answer'); // tables alone
  const empty = bare || document.querySelector('[data-testid="stCode"]'); // a page without data shows how to get some
  return !document.querySelector('#perf-first') && (panels.length > 0 || empty) && panels.every((one) => one.dataset.perfState !== 'loading')
    && [...document.querySelectorAll('.perf-chart')].every((one) => 'perfDrawn' in one.dataset)
    && document.querySelector('.stApp')?.dataset.testScriptState === 'notRunning';
}"""

Opened = Callable[..., Page]


class Witness:
    """What a page asked for, and what it complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        # On a deep link Streamlit looks for itself below the page's path first, and finds itself one level up.
        own_search = "404" in message.text and "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not own_search:
            self.complaints.append(message.text)

    @property
    def outside(self) -> list[str]:
        """Requests to anybody but the server."""
        return [url for url in self.requests if not url.startswith((f"{self.url}/", "blob:", "data:"))]


@pytest.fixture(scope="module")
def start() -> float:
    """The first of the 600 seconds that the store knows."""
    return float(int(SystemClock().now()) - SECONDS)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, start: float) -> Iterator[Site]:
    """A server whose store knows CPU and memory of each of the last 600 seconds."""
    folder = tmp_path_factory.mktemp("dashboard")
    store = open_store(StoreSettings(path=str(folder / "perf.duckdb")), SystemClock())
    shares = ((host.CPU, 12.5), (host.MEMORY, 40.0))
    store.append([Sample(start + at, metric, (), share) for at in range(SECONDS) for metric, share in shares])
    store.close()
    with site(folder, port=None, **FAST) as found:
        yield found


@pytest.fixture(scope="module")
def reader(browser: Browser, served: Site) -> Iterator[BrowserContext]:
    """The browser session of most pages here."""
    with lasting(browser, f"{served.url}/health/live", **SESSION) as found:
        yield found


@pytest.fixture
def opened(browser: Browser, reader: BrowserContext) -> Iterator[Opened]:
    """Opens an address; *apart* in a new browser session, like another reader's, as with options of a session of its own."""
    contexts: list[BrowserContext] = []

    def open_address(address: str, *, apart: bool = False, **options: object) -> Page:
        if apart or options:
            contexts.append(browser.new_context(**{**SESSION, **options}))  # type: ignore[arg-type]  # whatever the test asks for
        page = contexts[-1].new_page() if apart or options else reader.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        _settle(page)
        return page

    yield open_address
    close_pages(reader)
    for context in contexts:
        context.close()


def _settle(page: Page) -> None:
    page.wait_for_selector('[data-testid="stSidebarNav"]')
    page.wait_for_function(SETTLED)


def _grid(page: Page, label: str) -> list[list[str]]:
    """The rows of the table called *label*, as a screen reader gets them, once there are some."""
    rows = page.wait_for_function(
        """(label) => {
          const rows = [...document.querySelectorAll(`[aria-label="${label}"] table tbody tr`)];
          return rows.length > 0 && rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
        }""",
        arg=label,
    )
    found: list[list[str]] = rows.json_value()
    return found


def _set_number(page: Page, label: str, value: str) -> None:
    page.get_by_label(label).first.fill(value)
    page.get_by_label(label).first.press("Enter")


def _level(page: Page, level: str) -> None:
    expect(page.locator(CPU_TILE)).to_have_attribute("data-level", level)


def test_the_first_page_shows_this_machine_with_its_first_paint(browser: Browser, served: Site) -> None:
    """How long that takes is measured by bench_dashboard; here nothing that a page waits for may come at all."""
    with browser.new_context(viewport={"width": 1440, "height": 1100}) as context:
        page = context.new_page()
        page.clock.install(time=0)
        page.clock.pause_at(1)  # It would leave by itself after ten seconds.
        page.route("**/static/**", lambda route: route.abort())
        first = page.locator("#perf-first")
        # A store that takes more than a second is not waited for.
        eventually(lambda: page.goto(served.url) and first.count() == 1, seconds=60)
        expect(first.get_by_role("status")).to_contain_text(re.compile(r"(Healthy|Degraded|Unhealthy)\. \w+"))
        expect(first.locator(".perf-tile")).to_have_count(6)
        expect(first.locator('.perf-tile[data-perf-state="ready"] .perf-value').first).to_have_text(re.compile(r"\d"))
        page.clock.fast_forward(11_000)
        expect(first).to_have_count(0)


def test_the_tiles_of_the_first_page_move(served: Site, opened: Opened) -> None:
    page = opened(f"{served.url}/?range=1h")  # so long that no point leaves meanwhile
    tile = page.locator(CPU_TILE)  # Its number may stay: that of a busy machine is 100 %.
    before = tile.get_attribute("data-perf-points")
    assert before
    expect(tile).not_to_have_attribute("data-perf-points", before)


@pytest.mark.parametrize("path", ["", *(entry.path for entry in nav.ENTRIES[1:])])
def test_every_address_draws_its_page_without_an_error(reader: BrowserContext, served: Site, path: str) -> None:
    with closing(reader.new_page()) as page:
        witness = Witness(page, served.url)

        page.goto(f"{served.url}/{path}")
        _settle(page)

        assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts() == []
        assert witness.complaints == []
        assert witness.outside == []
        # The sidebar is the entry script's.
        expect(page.get_by_role("button", name="Apply")).to_have_count(1)


def test_what_another_process_sends_is_a_row_with_its_percentiles(served: Site, opened: Opened) -> None:
    now = round(SystemClock().now() * 1e9)
    point = {
        "startTimeUnixNano": str(now - 90 * 10**9),
        "timeUnixNano": str(now - 60 * 10**9),
        "count": "4",
        "sum": 1.0,
        "bucketCounts": ["0", "4", "0"],
        "explicitBounds": [0.2, 0.3],
        "attributes": [
            {"key": "http.request.method", "value": {"stringValue": "GET"}},
            {"key": "http.route", "value": {"stringValue": "/search"}},
        ],
    }
    metric = {
        "name": "http.server.request.duration",
        "unit": "s",
        "histogram": {"aggregationTemporality": 1, "dataPoints": [point]},
    }
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    request = Request(f"{served.url}/v1/metrics", body, {"content-type": "application/json"})
    with urlopen(request) as answer:
        assert answer.status == 200

    page = opened(f"{served.url}/functions?range=1h")  # nobody else's: answers are shared for ten seconds

    expect(page.locator(".perf-answer")).to_contain_text("100 % of the time in requests is spent in GET /search.")
    expect(page.locator(".perf-answer")).to_contain_text("4 calls, p95 ")
    assert page.locator(".perf-tile").count() == 5


def test_a_chart_gains_points_and_keeps_its_zoom(served: Site, opened: Opened) -> None:
    page = opened(f"{served.url}/?range=1h")  # so long that no point leaves meanwhile
    box = page.locator(CPU_PLOT).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 150, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, middle, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{CHART}.dataset.perfZoom !== ''")
    zoomed = page.evaluate(f"{PLOT}.layout.xaxis.range")
    points = int(page.evaluate(f"{CHART}.dataset.perfPoints"))

    page.wait_for_function(f"Number({CHART}.dataset.perfPoints) > {points}")

    assert page.evaluate(f"{PLOT}.layout.xaxis.range") == zoomed


@pytest.mark.timeout(300)
def test_a_threshold_changes_the_tile_and_survives_a_restart(tmp_path: Path, opened: Opened) -> None:
    config = tmp_path / "perf.toml"
    config.write_text(NEVER_ABOVE, encoding="utf-8")
    variables = {"PERF_CONFIG": str(config), **FAST}
    with site(tmp_path, port=None, **variables) as first:
        page = opened(first.url)
        _level(page, "ok")
        _set_number(page, "CPU above (%)", "1")
        page.get_by_role("button", name="Apply").click()
        _level(page, "warning")
        page.reload()
        _level(page, "warning")

    with site(tmp_path, port=None, **variables) as second:
        page = opened(second.url)
        _level(page, "warning")
        page.get_by_role("link", name="Settings").click()
        changed = _grid(page, "Changes of settings, newest first")
        page.get_by_role("button", name="Reset").first.click()
        # What says that it is stored is gone after four seconds; this stays.
        eventually(lambda: len(_grid(page, "Changes of settings, newest first")) == 2, seconds=30)
        page.get_by_role("link", name="Overview").click()
        _level(page, "ok")

    assert len(changed) == 1
    assert "cpu_usage_percent" in changed[0][1]
    assert "local" in changed[0]


def test_a_pasted_address_restores_the_whole_view(served: Site, opened: Opened) -> None:
    page = opened(served.url)
    page.get_by_role("radio", name="1h").click()
    page.get_by_role("combobox", name="Compare").click()
    page.get_by_role("option", name="vs yesterday").click()
    page.get_by_text("Times in UTC").click()
    page.get_by_text("Live, every").click()
    _set_number(page, "Memory above (%)", "55")
    page.wait_for_url(re.compile("above_memory=55"))

    other = opened(page.url, apart=True)

    assert sorted(parse_qs(urlsplit(other.url).query)) == ["above_memory", "compare", "live", "range", "utc"]
    expect(other.get_by_role("radio", name="1h")).to_be_checked()
    expect(other.get_by_role("combobox", name="Compare")).to_have_value("vs yesterday")
    expect(other.get_by_role("switch", name="Times in UTC")).to_be_checked()
    expect(other.get_by_role("switch", name="Live, every")).not_to_be_checked()
    expect(other.get_by_label("Memory above (%)").first).to_have_value("55")
    expect(other.get_by_text("Times in UTC ·")).to_be_visible()


def test_samples_are_searched_ordered_and_paged_in_the_store(served: Site, opened: Opened) -> None:
    page = opened(f"{served.url}/trends?range=1h")  # so long that the first sample stays the first
    page.get_by_label("Search", exact=True).fill("memory_usage")
    page.get_by_role("combobox", name="Order").click()
    page.get_by_role("option", name="oldest first").click()
    eventually(lambda: {row[1] for row in _grid(page, "Raw samples, one a row")} == {"memory_usage_percent"})
    first = eventually(lambda: _ascending(page))

    page.get_by_role("button", name="Page 2").click()

    second = eventually(lambda: _ascending(page, after=first[-1]))
    assert second[0] - first[0] == timedelta(seconds=50)
    assert {"search", "order", "page"} <= parse_qs(urlsplit(page.url).query).keys()


def _ascending(page: Page, after: datetime | None = None) -> list[datetime]:
    """The times of the samples shown, once they ascend and all are later than *after*."""
    times = [datetime.fromisoformat(row[0]) for row in _grid(page, "Raw samples, one a row")]
    new = after is None or times[:1] > [after]
    return times if new and times == sorted(times) and times[:1] < times[-1:] else []


def test_the_csv_link_gives_the_samples_of_the_range(served: Site, opened: Opened) -> None:
    page = opened(f"{served.url}/trends?range=5m&metric=memory_usage_percent")

    asked, download = _download(page, "CSV")

    rows = list(csv.reader(io.StringIO(Path(download.path()).read_text(encoding="utf-8"))))
    times = [datetime.fromisoformat(row[0]) for row in rows[1:]]
    assert rows[0] == ["time (Asia/Tokyo)", "unix_seconds", "metric", "labels", "value", "unit"]
    assert download.suggested_filename.endswith(".csv")
    assert {row[2] for row in rows[1:]} == {"memory_usage_percent"}
    assert {row[5] for row in rows[1:]} == {"%"}
    assert times == sorted(times)
    assert times[0] < times[-1]
    assert datetime.fromisoformat(asked["from"]) <= times[0] <= times[-1] < datetime.fromisoformat(asked["to"])


def test_the_parquet_link_gives_typed_columns(served: Site, opened: Opened, start: float) -> None:
    first = datetime.fromtimestamp(start // 60 * 60 + 60, UTC)
    end = first + timedelta(minutes=5)
    view = {"range": "custom", "utc": "true", "from": f"{first:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"}
    page = opened(f"{served.url}/trends?metric=memory_usage_percent&{urlencode(view)}")

    asked, download = _download(page, "Parquet")

    table = pq.read_table(download.path())
    times = table.column("ts").to_pylist()
    assert table.column_names == ["ts", "metric", "labels", "value", "unit"]
    assert set(table.column("metric").to_pylist()) == {"memory_usage_percent"}
    assert sorted(times) == [first + timedelta(seconds=at) for at in range(300)]
    assert (datetime.fromisoformat(asked["from"]), datetime.fromisoformat(asked["to"])) == (first, end)


def _download(page: Page, name: str) -> tuple[dict[str, str], Download]:
    """What the link called *name* asks for, and the file that it gives."""
    link = page.get_by_role("link", name=name)
    asked = {key: values[0] for key, values in parse_qs(urlsplit(link.get_attribute("href") or "").query).items()}
    saved: list[Download] = []
    page.context.on("page", lambda tab: tab.on("download", lambda download: saved.append(download)))
    page.on("download", lambda download: saved.append(download))
    link.click()
    deadline = PATIENCE // 50
    while not saved and deadline:
        page.wait_for_timeout(50)  # Playwright hears events only while it waits itself.
        deadline -= 1
    return asked, saved[0]


def test_the_dark_theme_reaches_charts_and_page(served: Site, opened: Opened) -> None:
    page = opened(served.url, color_scheme="dark")

    colours = page.evaluate("""() => [getComputedStyle(document.querySelector('.stApp')).backgroundColor,
        document.querySelector('.perf-plot').layout.font.color,
        getComputedStyle(document.querySelector('.perf-value')).color]""")

    background, font, value = (sum(_rgb(colour)) / 3 for colour in colours)
    assert background < 40
    assert font > 120
    assert value > 200


def _rgb(colour: str) -> list[int]:
    if colour.startswith("#"):
        return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return [int(float(part)) for part in re.findall(r"[\d.]+", colour)[:3]]


@pytest.mark.parametrize(
    "path", ["api", "api/v1", "api/v1/nothing", "health/nothing", "metrics/nothing", "assets/nothing"]
)
def test_an_unknown_path_of_ours_is_a_problem_and_not_the_page(served: Site, path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{served.url}/{path}", timeout=10.0).close()

    with refused.value as answer:
        body = json.load(answer)
        assert answer.code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert (body["status"], body["instance"]) == (404, f"/{path}")


def test_panels_say_since_when_they_are_old_and_recover(served: Site, opened: Opened) -> None:
    page = opened(served.url)
    cpu = page.locator(f".perf-chart:has({CPU_PLOT})")

    page.route("**/api/v1/**", lambda route: route.abort())
    said = cpu.locator(":scope > .perf-message")
    expect(said).to_have_text(re.compile(r"^no data since \d\d:\d\d:\d\d, retrying$"))
    expect(cpu).to_have_attribute("data-perf-state", "stale")
    page.unroute("**/api/v1/**")

    expect(cpu).to_have_attribute("data-perf-state", "ready")


def test_a_store_without_host_data_says_so(tmp_path: Path, reader: BrowserContext) -> None:
    with (
        site(tmp_path, port=None, PERF_SOURCES__HOST__ENABLED="false", **FAST) as quiet,
        closing(reader.new_page()) as page,
    ):
        witness = Witness(page, quiet.url)
        page.goto(quiet.url)
        tile, chart = page.locator(CPU_TILE), page.locator(f".perf-chart:has({CPU_PLOT})")

        expect(tile).to_have_attribute("data-perf-state", "empty")
        expect(tile).to_contain_text("no data yet")
        expect(chart).to_have_attribute("data-perf-state", "empty")
        expect(chart).to_contain_text("no data in this range yet")
        assert witness.complaints == []
        assert page.locator('[data-testid="stAlertContentError"]').count() == 0
