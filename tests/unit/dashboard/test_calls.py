"""Functions and endpoints: which cost most, and how their durations are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dashboard import calls, charts, kept
from dashboard.state import State
from perf import default
from perf.clock import ManualClock
from perf.model import Histogram, HistogramSample, Kind, Metric
from perf.model.distribution import bound
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.views.distributions import Heatmap

NOW = 1_700_006_400.0
REQUESTS = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s")
STATE = State(seconds=900.0, window=None, compare="none", live=True, refresh=5.0, zone="UTC")


def request(ts: float, route: str, status: int, seconds: list[float]) -> HistogramSample:
    labels = (("http_request_method", "GET"), ("http_response_status_code", str(status)), ("http_route", route))
    return HistogramSample(ts, REQUESTS, labels, Histogram.of(seconds))


@pytest.mark.parametrize("kind", calls.KINDS, ids=lambda kind: kind.title)
def test_the_line_that_makes_them_appear_can_be_copied(kind: calls.Kind) -> None:
    first, _, use = kind.example.partition("\n\n")
    names: dict[str, object] = {}
    exec(first, names)
    used = compile(use, kind.title, "exec").co_names
    assert set(names) & set(used), "what is imported is what is used"
    if not first.startswith("from"):
        call = use[use.index("perf.") :].partition("(")[0]
        assert callable(eval(call, names))


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    silent = SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False))
    settings = Settings(store=StoreSettings(path=str(tmp_path / "perf.duckdb")), sources=silent)
    made = Runtime(settings, ManualClock(NOW))
    default.install(made)
    kept.forget()
    yield made
    default.install(None)
    made.store.close()


def test_rows_stand_by_their_share_of_all_time(runtime: Runtime) -> None:
    slow, fast = request(NOW - 60, "/search", 200, [3.0, 3.0]), request(NOW - 60, "/item", 200, [0.5] * 4)
    failed = request(NOW - 50, "/search", 500, [2.0])
    runtime.store.append([fast, slow, failed])
    rows = calls.costliest(calls.KINDS[0], STATE)
    assert [(row.name, row.share, row.total.count) for row in rows] == [("GET /search", 0.8, 3), ("GET /item", 0.2, 4)]
    assert rows[0].histogram.count == 3


def test_nothing_recorded_is_no_row(runtime: Runtime) -> None:
    assert [calls.costliest(kind, STATE) for kind in calls.KINDS] == [[]] * len(calls.KINDS)


def test_a_heatmap_shows_every_observation() -> None:
    bounds = np.array([bound(index) for index in range(-8, 1)])
    found = Heatmap(
        metric=REQUESTS, step=10.0, ts=np.array([NOW, NOW + 10]), bounds=bounds, counts=np.arange(16).reshape(2, 8)
    )
    (trace,) = charts.latency_heatmap(found, "UTC").data
    assert np.sum(trace.customdata) == np.arange(16).sum()
    assert len(trace.y) == 3  # four buckets in one: two rows, three edges
    assert trace.y[-1] == pytest.approx(np.log10(bounds[-1]))


def test_shares_of_both_ranges_add_up_to_everything() -> None:
    figure = charts.distributions(Histogram.of([0.1, 0.2, 0.4, 3.0]), Histogram.of([0.1, 0.1]))
    assert [sum(trace.y) for trace in figure.data] == [pytest.approx(100.0), pytest.approx(100.0)]


def test_a_range_without_a_past_is_drawn() -> None:
    now, before = charts.distributions(Histogram.of([1.0]), Histogram(count=0, total=0.0, low=0.0, high=0.0)).data
    assert (sum(now.y), sum(before.y)) == (100.0, 0.0)
