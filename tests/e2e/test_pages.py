"""Every page without a browser: what it says, lists and stores, over a full and over an empty store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard import kept, nav
from perf import default
from perf.cache import Cache, MemoryTier
from perf.clock import ManualClock
from perf.model import Change, Kind, Metric, ProbeResult, Sample, Status, Threshold
from perf.record import Recorder
from perf.runtime import Runtime
from perf.settings import HealthSettings, HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from tests import emptystore

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""
MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
CHECKS = ["store", "resources", "disk", "loops", "application", "heartbeat", "delivery"]
PAGES = [entry.file for entry in nav.ENTRIES]
CPU, MEMORY, DISK = (Metric(f"{name}_usage_percent", unit="%", help=name) for name in ("cpu", "memory", "disk"))
READ = Metric("disk_read_bytes_total", Kind.COUNTER, "By")


@pytest.fixture
def empty(tmp_path: Path, clock: ManualClock) -> Iterator[Runtime]:
    """A running product that measures nothing but itself, at a time that stands still."""
    settings = Settings(
        store=StoreSettings(path=str(emptystore.empty(tmp_path / "perf.duckdb")), free_space_floor=0),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
        health=HealthSettings(timeout=60.0),
    )
    runtime = Runtime(settings, clock, recorder=Recorder(clock))  # What other tests recorded is none of its business.
    default.install(runtime)
    kept.forget()
    runtime.start()
    yield runtime
    default.install(None)
    runtime.stop()
    kept.forget()


@pytest.fixture
def filled(empty: Runtime) -> Runtime:
    """Ten minutes: CPU climbs from 20 to 30 %, memory stands at 40 %, two disks."""
    found = []
    for at in range(-600, 0, 5):
        found += [
            Sample(NOW + at, CPU, (), 30.0 + at / 60),
            Sample(NOW + at, MEMORY, (), 40.0),
            Sample(NOW + at, READ, (("device", "sda"),), 4096.0 * (at + 600)),
        ]
    found += [Sample(NOW - 5, DISK, (("mount", mount),), value) for mount, value in (("/", 50.0), ("/data", 70.0))]
    empty.writer.submit(found).result(30)
    return empty


def reader(page: str = "overview") -> AppTest:
    """A reader who has not signed in and is about to open *page* by its address."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.user = {"is_logged_in": False}
    # switch_page() would have to draw another page first.
    app._page_hash = next(calc_hash(entry.path) for entry in nav.ENTRIES if entry.file == page)
    return app


def opened(page: str = "overview") -> AppTest:
    """The page as a reader who has not signed in gets it."""
    return reader(page).run()


def titles(app: AppTest) -> list[str]:
    """The headings of the cards."""
    return [text.value.partition("**&ensp;")[0].strip("*") for text in app.main.markdown if text.value.startswith("**")]


def answer(app: AppTest) -> str:
    """The page's sentence."""
    return next(html.value for html in app.main.html if "perf-answer" in html.value and "<p" in html.value)


def table(app: AppTest, first_column: str) -> list[list[object]]:
    """The rows of the table whose first column is called so."""
    frame = next(found.value for found in app.dataframe if found.value.columns[0] == first_column)
    rows: list[list[object]] = frame.to_numpy().tolist()
    return rows


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_over_a_full_store(filled: Runtime, page: str) -> None:
    app = opened(page)
    assert (list(app.exception), list(app.error), list(app.warning)) == ([], [], [])
    assert app.main.markdown[0].value == f"## {next(entry.title for entry in nav.ENTRIES if entry.file == page)}"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_over_an_empty_store(empty: Runtime, page: str) -> None:
    app = opened(page)
    assert (list(app.exception), list(app.error)) == ([], [])


def test_no_page_lies_beside_the_entry_script() -> None:
    # Streamlit would run such a page by its own address, without what the entry script does first.
    assert not (MAIN.parent / "pages").exists()


def test_overview_says_in_a_sentence_that_all_is_well(filled: Runtime) -> None:
    app = opened()
    assert ">Healthy.</strong> CPU 29.9 %, memory 40 %, the fullest disk 70 %. All 7 checks pass.</p>" in answer(app)
    assert titles(app) == ["CPU", "Memory", "Disk", "Network", "Load", "CPU by mode", "Disks", "Checks"]
    assert table(app, "Mount") == [["/data", 70.0, "–", "–"], ["/", 50.0, "–", "–"]]


def test_overview_of_an_empty_store_says_what_is_missing(empty: Runtime) -> None:
    app = opened()
    assert "Degraded.</strong> One thing needs a look: resources: " in answer(app)
    assert any("Disks stand here once" in text.value for text in app.markdown)
    assert [caption.value for caption in app.sidebar.caption][:3] == ["no data yet"] * 3


def test_trends_show_the_chosen_metrics_their_extremes_and_samples(filled: Runtime) -> None:
    app = opened("trends")
    assert titles(app)[:2] == ["cpu_usage_percent", "memory_usage_percent"]
    assert table(app, "Metric") == [
        ["cpu_usage_percent", 1, "20 %", "25 %", "29.9 %"],
        ["memory_usage_percent", 1, "40 %", "40 %", "40 %"],
    ]
    samples = table(app, "Time (UTC)")
    assert len(samples) == 50
    assert sorted(samples[:2]) == [
        ["2023-11-14 22:13:15", "cpu_usage_percent", "", "29.9 %", "29.91666667 %"],
        ["2023-11-14 22:13:15", "memory_usage_percent", "", "40 %", "40 %"],
    ]
    assert "240 samples, 50 a page" in [caption.value for caption in app.caption]


def test_trends_can_be_searched_and_ordered(filled: Runtime) -> None:
    app = opened("trends")
    app.selectbox(key="order").set_value("smallest value")
    app.text_input(key="search").set_value("CPU").run()
    rows = table(app, "Time (UTC)")
    assert rows[0] == ["2023-11-14 22:03:20", "cpu_usage_percent", "", "20 %", "20 %"]
    assert {row[1] for row in rows} == {"cpu_usage_percent"}
    app.text_input(key="search").set_value("nothing like it").run()
    assert any("No samples match in this range." in text.value for text in app.markdown)


def test_a_search_that_leaves_fewer_pages_shows_the_first(filled: Runtime) -> None:
    app = opened("trends")
    app.session_state["page"] = 5
    app.run()
    assert len(table(app, "Time (UTC)")) == 40
    app.text_input(key="search").set_value("CPU").run()
    assert len(table(app, "Time (UTC)")) == 50


def test_trends_link_to_the_whole_result(filled: Runtime) -> None:
    links = [link.url for link in opened("trends").link_button]
    assert [link.partition("?")[0] for link in links] == ["api/v1/export"] * 2
    assert "query=cpu_usage_percent&query=memory_usage_percent&raw=1" in links[0]
    assert "format=csv" in links[0]
    assert "format=parquet" in links[1]


def test_trends_without_metrics_say_what_to_do(filled: Runtime) -> None:
    app = opened("trends")
    app.multiselect(key="metric").set_value([]).run()
    assert any("Choose up to six metrics above" in text.value for text in app.markdown)
    assert list(app.dataframe) == []


def checked(app: AppTest) -> str:
    """The cards of all checks."""
    return next(html.value for html in app.main.html if "perf-check" in html.value and "<article" in html.value)


def test_health_lists_every_check_level_and_loop(filled: Runtime) -> None:
    app = opened("health")
    assert "Healthy.</strong> All checks pass. Score 100, excellent." in answer(app)
    assert re.findall(r"</span>(\w+)<span class=\"word", checked(app)) == CHECKS
    assert checked(app).count(">healthy for ") == len(CHECKS)
    assert titles(app) == ["Checks", "Uptime", "Who needs whom", "Score", "One check", "Store", "Loops"]
    assert any("No check waits for another." in text.value for text in app.main.markdown)
    assert [row[0] for row in table(app, "Level")] == ["raw", "1m", "1h"]
    assert [(row[0], row[3]) for row in table(app, "Loop")] == [
        (name, 0) for name in ("writer", "sampler", "housekeeper", "health", "alerts", "delivery", "drain")
    ]


def test_health_can_be_checked_at_once(filled: Runtime) -> None:
    app = opened("health")
    filled.writer.submit([Sample(NOW - 1, CPU, (), 5_000.0)]).result(30)
    assert "All checks pass." in answer(app)
    app.button(key="run_checks").click().run()
    app.run()
    assert "Unhealthy.</strong> 1 of 7 checks needs a look." in answer(app)
    assert ">unhealthy for 0 s<" in checked(app)


def test_health_tells_the_past_of_one_check(filled: Runtime) -> None:
    down = ProbeResult(name="disk", status=Status.UNHEALTHY, message="no room", ts=NOW - 240)
    well = ProbeResult(name="disk", status=Status.HEALTHY, message="enough room", ts=NOW - 120)
    filled.writer.call(lambda: filled.store.probes.keep([down, well])).result(30)
    app = opened("health")
    app.selectbox(key="check").set_value("disk").run()
    assert [row[:3] for row in table(app, "State")][-2:] == [
        ["● healthy", "22:11:20", "2 min"],
        ["■ unhealthy", "22:09:20", "2 min"],
    ]
    assert "one of perf's own, every 10 s, 60 s at most." in [caption.value for caption in app.caption]
    app.button(key="run_check").click().run()
    assert (list(app.exception), list(app.error)) == ([], [])


def test_settings_list_sources_changes_and_every_setting(filled: Runtime) -> None:
    app = opened("settings")
    assert [row[1] for row in table(app, "State")] == ["own", "alerts", "sampler"]
    assert any("Every change of a threshold will stand here" in text.value for text in app.markdown)
    options = {str(row[0]): row for row in table(app, "Setting")}
    assert options["store.free_space_floor"][1] == "0"
    assert "changed" in options["store.free_space_floor"]
    assert "PERF_STORE__FREE_SPACE_FLOOR" in options["store.free_space_floor"]
    assert "default" in options["store.threads"]


def test_the_audit_log_is_filtered_and_linked_as_a_file(filled: Runtime) -> None:
    filled.access.audit.note("checks.run", "disk")
    filled.access.audit.note("log-level", after="DEBUG")
    filled.writer.call(lambda: None).result(30)
    app = opened("settings")
    assert sorted(str(row[4]) for row in table(app, "When")) == ["checks.run", "log-level"]
    app.selectbox(key="audit_action").set_value("checks").run()
    assert [row[4] for row in table(app, "When")] == ["checks.run"]
    assert "1 entry, 25 a page" in [caption.value for caption in app.caption]
    assert [link.url for link in app.link_button] == ["api/v1/audit?format=csv&from=0&action=checks&who="]
    app.text_input(key="audit_who").set_value("nobody").run()
    assert any("No entry matches." in text.value for text in app.markdown)


def test_a_profile_may_be_bounded_below_what_is_usual(filled: Runtime) -> None:
    filled.profiler.longest = 5.0
    app = opened("profiler")
    assert (list(app.exception), list(app.error)) == ([], [])
    assert app.number_input(key="profile_seconds").value == 5


def test_the_sidebar_says_what_a_threshold_would_have_meant(filled: Runtime) -> None:
    app = opened()
    assert [caption.value for caption in app.sidebar.caption][:3] == [
        "never in 7 d, highest 29.8 %",
        "never in 7 d, highest 40 %",
        "never in 7 d, highest 70 %",
    ]
    app.number_input(key="above_memory").set_value(39.0).run()
    assert app.sidebar.caption[1].value.startswith("1× in 7 d, ")
    assert filled.thresholds()["memory_usage_percent"].warning == 90.0


def test_the_sidebar_stores_a_threshold_and_says_who(filled: Runtime) -> None:
    app = opened()
    assert app.button(key="apply_thresholds").disabled
    app.number_input(key="above_memory").set_value(39.0).run()
    app.button(key="apply_thresholds").click().run()
    assert list(app.exception) == []
    assert [toast.value for toast in app.toast] == ["Thresholds stored"]
    assert filled.thresholds()["memory_usage_percent"] == Threshold(39.0, 97.0)
    assert filled.store.changes() == [
        Change(
            ts=NOW,
            path="thresholds.memory_usage_percent",
            value='{"warning":39.0,"critical":97.0}',
            author="local",
        )
    ]
    assert "Degraded.</strong> One thing needs a look: memory 40 %, above 39 % for " in answer(app)


def edited(app: AppTest, metric: str, warning: float, critical: float, button: str = "Store") -> AppTest:
    """The settings page after a row of the editor was sent."""
    form = app.form(f"limit_{metric}")
    form.number_input[0].set_value(warning)
    form.number_input[1].set_value(critical)
    next(found for found in form.button if found.label == button).click()
    return app.run()


def test_the_editor_stores_both_limits_and_resets_them(filled: Runtime) -> None:
    app = edited(opened("settings"), "cpu_usage_percent", 60.0, 70.0)
    assert (list(app.exception), list(app.error)) == ([], [])
    assert [toast.value for toast in app.toast] == ["Threshold stored"]
    assert filled.thresholds()["cpu_usage_percent"] == Threshold(60.0, 70.0)
    assert table(app, "When")[0][1:] == [
        "cpu_usage_percent",
        "60 / 70",
        "local",
    ]
    app = edited(app, "cpu_usage_percent", 60.0, 70.0, "Reset")
    assert filled.thresholds()["cpu_usage_percent"] == Threshold(80.0, 95.0)
    assert table(app, "When")[0][2] == "as configured"


def test_a_critical_limit_below_the_warning_is_refused_and_not_stored(filled: Runtime) -> None:
    app = edited(opened("settings"), "cpu_usage_percent", 60.0, 50.0)
    assert [error.value for error in app.error] == [
        "Not stored: thresholds.cpu_usage_percent: critical (50) must not lie below warning (60)"
    ]
    assert filled.store.changes() == []
    assert filled.thresholds()["cpu_usage_percent"] == Threshold(80.0, 95.0)


def test_the_range_is_kept_in_the_view(filled: Runtime) -> None:
    app = opened()
    assert app.session_state["view"].seconds == 900.0
    app.segmented_control(key="range").set_value("24h").run()
    state = app.session_state["view"]
    assert (state.seconds, state.window, state.step, state.ticks) == (86_400.0, None, 300.0, 5.0)


def test_an_absolute_range_stands_still(filled: Runtime) -> None:
    app = opened()
    app.segmented_control(key="range").set_value("custom").run()
    state = app.session_state["view"]
    minute = NOW // 60 * 60
    assert (state.window.start, state.window.end) == (minute - 10_800, minute)
    assert state.ticks == 0.0


def test_live_zone_and_comparison_are_kept_in_the_view(filled: Runtime) -> None:
    app = opened()
    app.toggle(key="live").set_value(False)
    app.selectbox(key="compare").set_value("yesterday").run()
    state = app.session_state["view"]
    assert (state.live, state.ticks, state.shift) == (False, 0.0, 86_400.0)


def test_times_are_in_the_reader_s_zone_unless_utc_is_wanted(filled: Runtime) -> None:
    app = reader("trends")
    app.context = {"timezone": "Asia/Tokyo", "timezone_offset": -540}
    app.run()
    assert table(app, "Time (Asia/Tokyo)")[0][0] == "2023-11-15 07:13:15"
    app.toggle(key="utc").set_value(True).run()
    assert table(app, "Time (UTC)")[0][0] == "2023-11-14 22:13:15"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        {"range": "nonsense", "compare": "nonsense", "live": "maybe", "utc": "2", "above_cpu": "high"},
        {"above_cpu": "-5", "above_memory": "1e999", "above_disk": "nan"},
        {"metric": ["none_such", "cpu_usage_percent"] * 8, "search": "%_\x00'", "order": "sideways", "page": "99999"},
        {"range": "custom", "from": "2023-11-14T23:00", "to": "2023-11-14T22:00"},
        {"range": "custom", "from": "0001-01-01T00:00", "to": "9999-12-31T23:59"},
        {"range": "custom", "from": "yesterday", "to": ""},
    ],
    ids=["words", "numbers", "table", "backwards", "eternity", "no time"],
)
def test_an_address_that_somebody_made_up_breaks_no_page(
    filled: Runtime, page: str, query: dict[str, str | list[str]]
) -> None:
    app = reader(page)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert (list(app.exception), list(app.error)) == ([], [])
    assert filled.store.changes() == []


def test_a_range_that_begins_in_the_hour_that_summer_time_skips_breaks_no_page(filled: Runtime) -> None:
    app = reader()
    app.context = {"timezone": "Europe/Berlin", "timezone_offset": -120}
    for name, value in {"range": "custom", "from": "2023-03-26T02:30", "to": "2023-03-26T03:15"}.items():
        app.query_params[name] = value
    app.run()
    assert list(app.exception) == []


def broken(runtime: Runtime, table_name: str) -> None:
    """Take a table away from under the running product, and forget what was answered before."""
    database = runtime.store._database  # type: ignore[attr-defined]  # the DuckDB store's own
    statement = f"ALTER TABLE {table_name} RENAME TO gone_{table_name}"
    runtime.writer.call(lambda: database.writer.execute(statement).fetchall()).result(30)
    kept.forget()


def test_a_panel_that_has_no_answer_says_so_and_leaves_the_others(filled: Runtime) -> None:
    broken(filled, "setting_changes")
    app = opened("settings")
    assert list(app.exception) == []
    (error,) = app.error
    assert error.value.startswith("Changes has no answer: ")
    assert {"Thresholds", "Changes", "API keys", "Sources", "Retention", "perf itself", "Settings in force"} <= set(
        titles(app)
    )
    assert table(app, "Setting")


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_answers_no_question_leaves_every_page_standing(filled: Runtime, page: str) -> None:
    broken(filled, "hot")
    app = opened(page)
    assert list(app.exception) == []
    assert app.main.markdown[0].value.startswith("## ")


@pytest.fixture
def cached(filled: Runtime) -> Runtime:
    """A cache that answered nine of ten requests."""
    requests = Metric("cache_requests_total", Kind.COUNTER, "1")
    of = {"cache": "shop", "function": "shop.orders"}
    found = []
    for at, share in ((-600, 0.0), (-5, 1.0)):
        for tier, result, count in (("memory", "hit", 90.0), ("load", "miss", 10.0)):
            labels = (("cache", "shop"), ("result", result), ("tier", tier))
            found.append(Sample(NOW + at, requests, labels, count * share))
            labels = (*of.items(), ("result", result))
            found.append(Sample(NOW + at, Metric("cache_function_requests_total", Kind.COUNTER), labels, count * share))
        for name, total in (
            ("cache_loads_total", 10.0),
            ("cache_load_seconds_total", 5.0),
            ("cache_saved_seconds_total", 45.0),
        ):
            found.append(Sample(NOW + at, Metric(name, Kind.COUNTER), tuple(of.items()), total * share))
    found += [
        Sample(NOW - 5, Metric(f"cache_{name}", unit="By"), (("cache", "shop"), ("tier", "memory")), value)
        for name, value in (("bytes", 1024.0), ("bound_bytes", 4096.0), ("entries", 3.0), ("breaker_state", 0.0))
    ]
    found.append(Sample(NOW - 5, Metric("cache_whatif_hit_ratio"), (("cache", "shop"), ("scale", "2")), 0.95))
    filled.writer.submit(found).result(30)
    return filled


def test_the_cache_page_says_whether_it_pays(cached: Runtime) -> None:
    app = opened("cache")
    words = "90 % of 100 requests were answered without work.</strong> It saved 45 s in 90 hits and spent 5 s on loads."
    assert words in answer(app)
    assert table(app, "Function") == [["shop.orders", "shop", 90.0, "100", "45 s", "500 ms", "10", "0"]]
    assert table(app, "Tier") == [["memory", "shop", "● used", "3", "1 KiB", "4 KiB"]]
    assert [row[1:] for row in table(app, "Cache")] == [["8 KiB", "95 %", "× 2"]]


def test_one_of_several_caches_can_be_looked_at(cached: Runtime) -> None:
    labels = (("cache", "reports"), ("result", "miss"), ("tier", "load"))
    requests = Metric("cache_requests_total", Kind.COUNTER, "1")
    cached.writer.submit([Sample(NOW - at, requests, labels, count) for at, count in ((600, 0.0), (5, 900.0))]).result(
        10
    )
    app = opened("cache")
    assert "of 1,000 requests" in answer(app)
    next(box for box in app.selectbox if box.label == "Cache").set_value("shop").run()
    assert not app.exception
    assert "of 100 requests" in answer(app)


def test_the_cache_page_without_a_cache_shows_the_line_that_makes_one(empty: Runtime) -> None:
    app = opened("cache")
    assert "Nothing cached." in answer(app)
    assert "@cached(ttl=300" in app.code[0].value


def test_the_cache_page_forgets_in_this_process(cached: Runtime) -> None:
    cache = Cache(memory=MemoryTier(2**20, cached.clock), namespace="page-test", clock=cached.clock)
    cache.set("user:1", 1)
    app = opened("cache")
    next(box for box in app.selectbox if box.label == "Forget").set_value("pattern")
    next(box for box in app.text_input if box.label == "Which").set_value("user:*")
    next(button for button in app.button if button.label == "Forget").click().run()
    assert [toast.value for toast in app.toast] == ["pattern 'user:*': 1 entries forgotten from memory"]
    assert cache.get("user:1") is None
