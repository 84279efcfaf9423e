"""The demo: its history holds together, and its three programs really arrive in the store."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

from examples.demo import history, load
from examples.demo.caches import LOADER
from examples.demo.machine import Machine
from examples.demo.story import DAY, HOUR, MINUTE, RELEASES, SLOWER, Story
from perf.alerts import defaults
from perf.alerts.preview import preview
from perf.cache.ghost import SCALES
from perf.clock import ManualClock, SystemClock
from perf.model import Across, Aggregate, HistogramSample, IncidentState, RangeQuery, Selector, Window
from perf.ports import MetricStore
from perf.runtime import open_store
from perf.settings import StoreSettings
from perf.views import cache
from tests.services import environment, eventually, free_port, program

WANTED = (
    ("http_server_request_duration_seconds", {"http_route": "/orders", "service": "shop"}),
    ("http_client_request_duration_seconds", {"server_address": "payments.example", "service": "shop"}),
    ("db_client_operation_duration_seconds", {"db_query_summary": "SELECT orders", "service": "shop"}),
    ("function_duration_seconds", {"function": "shop.rank", "service": "shop"}),
    ("cache_requests_total", {"cache": "products", "result": "hit", "service": "shop", "tier": "memory"}),
    ("cache_saved_seconds_total", {"cache": "products", "function": LOADER, "service": "shop"}),
    ("cache_bytes", {"cache": "products", "service": "shop", "tier": "memory"}),
    ("asyncio_loop_lag_seconds", {"service": "shop"}),
    ("trace_calls_total", {"callee": "shop.rank", "caller": "GET /search"}),
    ("streamlit_rerun_duration_seconds", {"page": "overview", "service": "back-office"}),
    ("page_load_seconds", {"page": "stock", "service": "back-office"}),
    ("streamlit_widget_interactions_total", {"service": "back-office"}),
    ("job_last_success_timestamp_seconds", {"job": "stock_sync", "service": "jobs"}),
)
NOW = 1_792_000_000.0 // MINUTE * MINUTE
SEARCH = Selector("http_server_request_duration_seconds", (("http_route", "/search"),))
SMALL = Machine(cores=1, disks={"/": (1e9, 50.0)})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MetricStore]:
    """One day of history."""
    path = tmp_path_factory.mktemp("demo") / "perf.duckdb"
    history.fill(path, Story(NOW, days=1.0), SMALL)
    opened = open_store(StoreSettings(path=str(path)), ManualClock(NOW))
    yield opened
    opened.close()


def told(story: Story) -> list[HistogramSample]:
    """Every distribution of *story*."""
    measured = [one for course in history.courses(story, SMALL, "h") for one in course.between(0.0, np.inf)]
    return [one for one in measured if isinstance(one, HistogramSample)]


def counted(store: MetricStore, selector: Selector, window: Window, step: float) -> int:
    """Observations of *selector* in *window*, from the level that *step* leads to."""
    found = store.distributions(RangeQuery(selector=selector, window=window, step=step, across=Across.MERGE))
    return sum(int(each.count.sum()) for each in found)


def missing(port: int, began: float) -> list[str]:
    """Which of `WANTED` nobody has told since *began*."""
    with urlopen(f"http://127.0.0.1:{port}/api/v1/series?limit=1000", timeout=60.0) as answer:
        series = json.load(answer)["series"]
    recent = [each for each in series if each["last"] and each["last"][0] > began]
    return [
        metric
        for metric, labels in WANTED
        if not any(each["metric"] == metric and labels.items() <= each["labels"].items() for each in recent)
    ]


def test_the_same_seed_tells_the_same_story() -> None:
    short = [told(Story(NOW, days=0.2, seed=seed)) for seed in (1, 1, 2)]
    assert short[0] == short[1]
    assert short[0] != short[2]


def test_every_distribution_is_sound() -> None:
    assert all(one.histogram.sound for one in told(Story(NOW, days=0.2)))


def test_a_history_that_is_being_written_ends_at_the_present(tmp_path: Path) -> None:
    at = NOW // HOUR * HOUR - 1.0  # Its story goes on into the next hour.
    path = tmp_path / "perf.duckdb"
    history.fill(path, Story(at, days=0.1, ahead=120.0), SMALL, until=ManualClock(at + 0.5))
    opened = open_store(StoreSettings(path=str(path)), ManualClock(at + 10.0))
    newest = max(info.last_ts or 0.0 for info in opened.series())
    opened.close()
    assert newest == at


def test_roll_ups_count_what_was_written(store: MetricStore) -> None:
    window = Window((NOW - 20 * HOUR) // HOUR * HOUR, (NOW - 4 * HOUR) // HOUR * HOUR)
    written = told(Story(NOW, days=1.0))
    expected = sum(
        one.histogram.count
        for one in written
        if one.metric.name == SEARCH.metric
        and set(SEARCH.labels) <= set(one.labels)
        and window.start <= one.ts < window.end
    )
    counts = {step: counted(store, SEARCH, window, step) for step in (10.0, MINUTE, HOUR)}
    assert expected > 1_000
    assert set(counts.values()) == {expected}
    assert all(level.rows for level in store.usage().levels)


def test_the_release_slows_one_route_by_seventy_percent(store: MetricStore) -> None:
    deploys = [one for one in store.annotations(Window(NOW - DAY, NOW)) if one.kind == "deploy"]
    assert [one.title for one in deploys] == [RELEASES[-1]]
    at = deploys[0].ts

    def median(start: float, end: float) -> float:
        query = RangeQuery(
            selector=SEARCH, window=Window(start, end), step=10.0, aggregate=Aggregate.P50, across=Across.MERGE
        )
        return float(np.median(store.read(query)[0].values))

    assert median(at, NOW) / median(at - 1_200.0, at - 180.0) == pytest.approx(SLOWER, rel=0.2)


def test_the_slowest_calls_are_kept_with_their_callers(store: MetricStore) -> None:
    selector = Selector("function_duration_seconds", (("function", "shop.rank"),))
    kept = store.exemplars(selector, Window(NOW - HOUR, NOW), 5)
    assert len(kept) == 5
    assert {call.parents for call in kept} == {("GET /search",)}
    assert {call.release for call in kept} == {RELEASES[-1]}


def test_the_newsletter_alerted_and_is_over(store: MetricStore) -> None:
    story = Story(NOW, days=1.0)
    found = store.alerts.history(Window(story.start, NOW)).incidents
    assert [(one.rule_id, one.state) for one in found] == [
        ("payments-refused", IncidentState.RESOLVED),
        ("default-cpu", IncidentState.RESOLVED),
    ]
    refused, cpu = found
    assert story.newsletter[0] + 300.0 <= (cpu.fired_at or 0.0) <= story.newsletter[0] + 480.0
    assert 0.0 <= (cpu.resolved_at or 0.0) - story.newsletter[1] <= 300.0
    assert story.refusals[0] + 120.0 <= (refused.fired_at or 0.0) < story.refusals[1]
    assert story.refusals[1] <= (refused.resolved_at or 0.0) <= story.refusals[1] + 720.0


def test_what_alerted_is_what_the_rules_preview_says(store: MetricStore) -> None:
    window = Window(NOW - DAY, NOW)
    found = {(one.rule_id, one.fired_at, one.resolved_at) for one in store.alerts.history(window).incidents}
    rules = defaults.in_force(store.alerts.rules())
    assert found == {(rule.id, band.start, band.end) for rule in rules for band in preview(store, rule, window).bands}


def test_nobody_came_while_the_shop_restarted() -> None:
    story = Story(NOW, days=0.2)
    counts: dict[float, int] = {}
    for one in told(story):
        if one.metric.name == SEARCH.metric and one.ts >= story.restart[1]:
            counts[one.ts] = counts.get(one.ts, 0) + one.histogram.count
    first, *later = [counts[ts] for ts in sorted(counts)]
    assert first < 3 * np.mean(later)


def test_the_page_about_caches_has_everything_to_show(store: MetricStore) -> None:
    found = cache.worth(store, Window(NOW - 3 * HOUR, NOW))
    assert found.ratio == pytest.approx(0.88, abs=0.02)
    assert [(one.service, one.cache, one.function) for one in found.groups] == [("shop", "products", LOADER)]
    assert found.saved_seconds / found.load_seconds == pytest.approx(0.88 / 0.12, rel=0.15)
    assert found.evictions
    tier = cache.tiers(store, NOW)[0]
    assert (tier.tier, tier.failing) == ("memory", False)
    assert 0.9 < tier.bytes / (tier.bound or 0.0) <= 1.0
    assert [one.scale for one in cache.what_if(store, NOW)] == list(SCALES)


def test_the_pace_follows_the_day() -> None:
    clock = ManualClock(NOW // DAY * DAY)
    paces = []
    for _ in range(24):
        paces.append(load.pace(clock))
        clock.move(HOUR)
    assert max(paces) > 2 * min(paces)


def test_a_signal_ends_the_demo_while_it_writes_history(tmp_path: Path) -> None:
    log, store = tmp_path / "demo.txt", tmp_path / "perf.duckdb"
    words = ["--port", str(free_port()), "--folder", str(tmp_path)]
    with program([sys.executable, "-m", "examples.demo", *words], env=environment(), log=log) as demo:
        # Most of its time it is inside a statement by then.
        eventually(lambda: store.exists() and store.stat().st_size > 2_000_000, seconds=90.0, every=0.2)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60.0) == 0, log.read_text()
    assert log.read_text() == "Writing 14 days of history ...\nStopped.\n"


@pytest.mark.timeout(400)
def test_the_programs_arrive_in_the_store_and_end_together(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "demo.txt"
    words = ["--port", str(port), "--days", "0.02", "--folder", str(tmp_path), "--faster", "20"]
    with program([sys.executable, "-m", "examples.demo", *words], env=environment(), log=log) as demo:
        eventually(lambda: "The shop: " in log.read_text() or demo.poll() is not None, seconds=120.0, every=0.2)
        assert demo.poll() is None, log.read_text()
        began = SystemClock().now()
        eventually(lambda: not missing(port, began), seconds=120.0, every=0.5)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60.0) == 0, log.read_text()
    assert log.read_text().endswith("Stopped.\n")
