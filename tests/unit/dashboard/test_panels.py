"""The sentences of the dashboard, and the numbers behind its notes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from dashboard import data, kept, overview, panels, profiles
from dashboard.state import State
from perf import default
from perf.clock import ManualClock
from perf.health import Health
from perf.model import (
    DEPLOY,
    Annotation,
    Histogram,
    HistogramSample,
    Kind,
    Labels,
    Metric,
    ProbeResult,
    Sample,
    Status,
    Window,
)
from perf.profile import Profile
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.views.concerns import Concern

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def runtime(clock: ManualClock) -> Iterator[Runtime]:
    """A runtime in memory whose threads are not started."""
    settings = Settings(
        store=StoreSettings(backend="memory"),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
    )
    made = Runtime(settings, clock)
    default.install(made)
    kept.forget()
    yield made
    default.install(None)
    made.stop()
    kept.forget()


def keep(runtime: Runtime, name: str, value: float, labels: Labels = (), *, unit: str = "%") -> None:
    runtime.store.append([Sample(NOW - 5, Metric(name, unit=unit), labels, value)])


def test_what_recording_costs_and_loses_is_of_all_programs(runtime: Runtime) -> None:
    shop, mail = (("service.name", "shop"),), (("service.name", "mail"),)
    for who, call, share in ((shop, 4e-7, 0.001), (mail, 3e-7, 0.002)):
        keep(runtime, "perf_record_call_seconds", call, who, unit="s")
        keep(runtime, "perf_record_cpu_ratio", share, who, unit="1")
    counts = [
        Sample(NOW - 60.0 * minute, Metric(name, Kind.COUNTER), (*labels, *who), (2 - minute) * grown)
        for minute in (2, 1)
        for name, labels, grown in (
            ("perf_record_dropped_total", (("reason", "labels"),), 60.0),
            ("perf_send_batches_total", (("result", "sent"),), 600.0),
            ("perf_send_batches_total", (("result", "spool_full"),), 120.0),
        )
        for who in (shop, mail)
    ]
    runtime.store.append(counts)
    queries = tuple(tile.query for tile in panels.RECORDING)
    found = dict(data.ranged(queries, Window(NOW - 300.0, NOW), 5).series)
    assert [float(found[number].values.max()) for number in range(4)] == [4e-7, 0.002, 2.0, 4.0]


def test_a_profile_says_what_it_cost_and_what_it_missed() -> None:
    found = Profile(pid=1, started=NOW, seconds=3.0, rate=500.0, samples=1_140, cost=0.0449, kept=0.76, stacks=())
    words = "22:13:20, 1,140 looks in 3.0 s; looking took 4.49 % of a core"
    missed = ", 24 % of the looks missed: the process or the machine was busy"
    assert profiles.note(found, "UTC") == words + missed
    assert profiles.note(msgspec.structs.replace(found, kept=0.99), "UTC") == words


def probe(name: str, status: Status = Status.HEALTHY, message: str = "") -> ProbeResult:
    return ProbeResult(name=name, status=status, message=message, ts=NOW)


def health(*results: ProbeResult) -> Health:
    worst = max(results, key=lambda result: result.status.rank).status
    return Health(status=worst, sentence="", results=results, ts=NOW)


def concern(**changes: object) -> Concern:
    found = {
        "metric": "cpu_usage_percent",
        "labels": (),
        "unit": "%",
        "value": 91.25,
        "limit": 80.0,
        "status": Status.DEGRADED,
        "since": NOW - 720,
    }
    return Concern(**{**found, **changes})  # type: ignore[arg-type]  # of the right types in every test


CALM = health(probe("store"), probe("loops"))


def test_when_all_is_well_the_sentence_says_how_it_is(runtime: Runtime) -> None:
    keep(runtime, "cpu_usage_percent", 12.0)
    keep(runtime, "disk_usage_percent", 50.0, (("mount", "/"),))
    keep(runtime, "disk_usage_percent", 70.0, (("mount", "/data"),))
    words = "CPU 12 %, the fullest disk 70 %. All 2 checks pass."
    assert overview.headline([], CALM) == (Status.HEALTHY, "Healthy.", words)


def test_before_the_first_value_the_sentence_is_about_the_checks() -> None:
    status, word, sentence = overview.headline([], CALM)
    assert (status, word, sentence.strip()) == (Status.HEALTHY, "Healthy.", "All 2 checks pass.")


def test_one_concern_says_what_how_much_and_for_how_long() -> None:
    assert overview.headline([concern()], CALM) == (
        Status.DEGRADED,
        "Degraded.",
        "One thing needs a look: CPU 91.3 %, above 80 % for 12 min.",
    )


def test_the_worst_of_concerns_and_checks_is_the_state() -> None:
    disk = concern(
        metric="disk_usage_percent",
        labels=(("mount", "/data"),),
        value=99.0,
        limit=95.0,
        status=Status.UNHEALTHY,
        since=NOW - 90_000,
    )
    late = probe("loops", Status.DEGRADED, "loop writer is late: 9 s since its last tick, every 1 s")
    words = (
        "3 things need a look: disk /data 99 %, above 95 % for 1 d 1 h; CPU 91.3 %, above 80 % for 12 min; "
        "loops: loop writer is late: 9 s since its last tick, every 1 s."
    )
    found = overview.headline([disk, concern()], health(probe("store"), late))
    assert found == (Status.UNHEALTHY, "Unhealthy.", words)


def test_sentences_of_checks_become_one() -> None:
    clock = probe("store", Status.DEGRADED, "The clock is ahead: upkeep waits.")
    _, _, words = overview.headline([], health(clock, probe("disk", Status.DEGRADED, "1 GiB free")))
    assert words == "2 things need a look: store: The clock is ahead: upkeep waits; disk: 1 GiB free."


def test_what_is_too_much_to_read_is_counted() -> None:
    disks = [concern(metric="disk_usage_percent", labels=(("mount", f"/{at}"),)) for at in range(300)]
    _, _, sentence = overview.headline(disks, CALM)
    assert sentence.startswith("300 things need a look: disk /0 ")
    assert sentence.count("disk /") == 10
    assert sentence.endswith("; and 290 more.")


def test_a_check_that_says_the_same_as_a_concern_is_not_repeated() -> None:
    resources = probe("resources", Status.DEGRADED, "CPU was 91.3 % on average over the last 60 s (limit 80 %)")
    _, _, sentence = overview.headline([concern()], health(resources, probe("store")))
    assert sentence == "One thing needs a look: CPU 91.3 %, above 80 % for 12 min."


def test_a_concern_about_the_cpu_hides_no_full_disk() -> None:
    full = probe("disk", Status.UNHEALTHY, "12 MiB free for the store, below the floor of 256 MiB")
    _, _, sentence = overview.headline([concern()], health(full, probe("store")))
    assert "12 MiB free for the store" in sentence


@pytest.mark.parametrize(
    ("labels", "words"),
    [((), "CPU"), ((("core", "3"),), "CPU 3"), ((("host", "a"), ("core", "3")), "CPU a 3")],
)
def test_a_series_is_named_in_words(labels: Labels, words: str) -> None:
    assert overview.named("cpu_usage_percent", labels) == words


def test_a_metric_without_words_keeps_its_name() -> None:
    assert overview.named("queue_depth", ()) == "queue_depth"


def test_shares_say_what_they_are_shares_of(runtime: Runtime) -> None:
    assert (panels.cores(), panels.memory()) == ("", "")
    for core in range(4):
        keep(runtime, "cpu_core_usage_percent", 1.0, (("core", str(core)),))
    keep(runtime, "memory_limit_bytes", 2.0**33, unit="By")
    kept.forget()
    assert (panels.cores(), panels.memory()) == ("of 4 cores", "of 8 GiB")
    keep(runtime, "cpu_limit_cores", 1.5, unit="1")
    kept.forget()
    assert panels.cores() == "of 1.5 cores, container limit"


def test_thresholds_are_lines_in_a_chart() -> None:
    assert [(line.value, line.status) for line in panels.limits("cpu_usage_percent")] == [
        (80.0, "warning"),
        (95.0, "critical"),
    ]
    assert panels.limits("queue_depth") == ()


def test_the_store_s_growth_is_forecast_from_the_rate_so_far(runtime: Runtime, clock: ManualClock) -> None:
    assert panels.growth() == "a forecast needs a minute of data"
    runtime.started = NOW
    runtime.writer.submit([Sample(NOW, Metric("x"), (("n", str(n)),), 0.0) for n in range(6_000)])
    runtime._stop_writer.set()
    runtime.writer.run(runtime._stop_writer)
    clock.move(600.0)
    # 10 samples/s for 7 days, 4 bytes each: 24.2 MB.
    assert panels.growth().startswith("10 samples/s; raw samples will level off near 23.1 MiB")


def test_an_absolute_view_does_not_tick() -> None:
    still = State(seconds=60.0, window=Window(1.0, 61.0), compare="week", live=True, refresh=5.0, zone="UTC")
    shown = panels.view(still)
    assert (shown.window_seconds, shown.end, shown.step, shown.refresh) == (60.0, 61.0, 1.0, None)
    assert (shown.compare_shift, shown.compare_label, shown.zone) == (604_800.0, "last week", "UTC")


def test_a_machine_alone_shows_itself(runtime: Runtime) -> None:
    keep(runtime, "cpu_usage_percent", 12.0)
    assert overview.connected() == (False, False)
    assert [tile.label for tile in overview.chosen_tiles()] == [
        "CPU",
        "Memory",
        "Disk",
        "Load",
        "Network",
        "Disk writes",
    ]


def test_with_requests_the_tiles_begin_with_them(runtime: Runtime) -> None:
    metric = Metric(overview.REQUESTS, Kind.HISTOGRAM, "s")
    labels = (("http_request_method", "GET"), ("http_response_status_code", "500"), ("http_route", "/"))
    runtime.store.append([HistogramSample(NOW - 5, metric, labels, Histogram.of([0.1]))])
    kept.forget()
    assert overview.connected() == (True, False)
    assert [tile.label for tile in overview.chosen_tiles()] == ["Requests", "Errors", "p95", "CPU", "Memory", "Disk"]


def test_deploys_of_the_range_stand_on_its_charts(runtime: Runtime) -> None:
    for ts, title in ((NOW - 7_200, "v1"), (NOW - 60, "v2")):
        runtime.store.annotate(Annotation(ts=ts, kind=DEPLOY, title=title, service="shop"))
    state = State(seconds=3_600.0, window=None, compare="none", live=True, refresh=5.0, zone="UTC")
    assert [(mark.t, mark.text) for mark in panels.marks(state)] == [(NOW - 60, "deploy shop v2")]
