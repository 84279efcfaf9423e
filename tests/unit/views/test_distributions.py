"""Distributions over a window and over time, and tables by total, asked of a store in memory."""

from __future__ import annotations

import math

import pytest

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Histogram, HistogramSample, Kind, Labels, Metric, Sample, Selector, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views.distributions import FAILED, distribution, heatmap, totals

T0 = 1_700_006_400.0
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
A: Labels = (("route", "/a"), ("status", "200"))
B: Labels = (("route", "/b"), ("status", "200"))
B5: Labels = (("route", "/b"), ("status", "500"))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(StoreSettings(), ManualClock(T0))
    for at, labels, observed in (
        (0, A, [0.5, 0.25]),
        (61, A, [0.5]),
        (1, B, [8.0]),
        (7_300, B5, [2.0, 4.0]),
    ):
        store.append([HistogramSample(T0 + at, WAIT, labels, Histogram.of(observed))])
    store.append([Sample(T0, Metric("load"), (), 1.0)])
    return store


def test_a_distribution_merges_all_series_of_a_window(store: MemoryStore) -> None:
    found = distribution(store, Selector("wait_seconds"), Window(T0, T0 + 100))
    assert found == Histogram.of([0.25, 0.5, 0.5, 8.0])
    assert found.quantile(0.5) == pytest.approx(0.5, rel=0.022)


def test_a_short_window_is_half_open_to_the_second(store: MemoryStore) -> None:
    assert distribution(store, Selector("wait_seconds", A), Window(T0, T0 + 61)).count == 2
    assert distribution(store, Selector("wait_seconds", A), Window(T0 + 1, T0 + 62)).count == 1


@pytest.mark.parametrize(
    "seconds", [3540.0, 3600.0, 7199.0, 7200.0, 7260.0, 3 * 86_400.0, 61 * 86_400.0, 365 * 86_400.0]
)
def test_a_long_window_is_widened_to_whole_minutes_or_hours(store: MemoryStore, seconds: float) -> None:
    window = Window(T0 + 7_301 - seconds, T0 + 7_301)
    expected = {3540.0: 2, 3600.0: 2, 7199.0: 2, 7200.0: 2}.get(seconds, 6)
    assert distribution(store, Selector("wait_seconds"), window).count == expected


def test_a_distribution_of_nothing_is_empty(store: MemoryStore) -> None:
    found = distribution(store, Selector("unknown"), Window(T0, T0 + 100))
    assert (found.count, math.isnan(found.quantile(0.5))) == (0, True)


def test_totals_are_sorted_by_sum(store: MemoryStore) -> None:
    window = Window(T0, T0 + 3 * 3600)
    assert [(row.labels, row.count, row.total, row.low, row.high) for row in totals(store, "wait_seconds", window)] == [
        (B, 1, 8.0, 8.0, 8.0),
        (B5, 2, 6.0, 2.0, 4.0),
        (A, 3, 1.25, 0.25, 0.5),
    ]


def test_totals_are_grouped_by_labels(store: MemoryStore) -> None:
    window = Window(T0, T0 + 3 * 3600)
    rows = totals(store, "wait_seconds", window, ["route"])
    assert [(row.labels, row.count, row.mean) for row in rows] == [
        ((("route", "/b"),), 3, 14 / 3),
        ((("route", "/a"),), 3, 1.25 / 3),
    ]
    assert [row.count for row in totals(store, "wait_seconds", window, [])] == [6]
    assert totals(store, "unknown", window) == []


def test_a_heatmap_counts_observations_between_its_bounds(store: MemoryStore) -> None:
    found = heatmap(store, Selector("wait_seconds", (("status", "200"),)), Window(T0 + 5, T0 + 120), 60.0)
    assert found is not None
    assert found.ts.tolist() == [T0, T0 + 60]
    assert found.counts.shape == (2, len(found.bounds) - 1)
    for observed, counts in ((0.25, [1, 0]), (0.5, [1, 1]), (8.0, [1, 0])):
        (column,) = (place for place, upper in enumerate(found.bounds[1:]) if upper == observed)
        assert found.counts[:, column].tolist() == counts
    assert found.counts.sum() == 4


def test_zeros_have_the_first_column_of_a_heatmap(store: MemoryStore) -> None:
    store.append([HistogramSample(T0, Metric("z", Kind.HISTOGRAM), (), Histogram.of([0.0, 1.0]))])
    store.append([HistogramSample(T0, Metric("zz", Kind.HISTOGRAM), (), Histogram.of([0.0]))])
    found = heatmap(store, Selector("z"), Window(T0, T0 + 60), 60.0)
    assert found is not None
    assert (found.bounds[0], found.bounds[-1], found.counts.tolist()) == (0.0, 1.0, [[1, 1]])
    only = heatmap(store, Selector("zz"), Window(T0, T0 + 60), 60.0)
    assert only is not None
    assert (len(only.bounds), only.counts.tolist()) == (2, [[1]])


def test_what_is_no_distribution_is_refused(store: MemoryStore) -> None:
    with pytest.raises(QueryError, match="load is not a distribution"):
        distribution(store, Selector("load"), Window(T0, T0 + 100))
    assert heatmap(store, Selector("unknown"), Window(T0, T0 + 100), 10.0) is None


REQUESTS = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s")
CALLS = Metric("function_duration_seconds", Kind.HISTOGRAM, "s")
PAGES = Metric("page_load_seconds", Kind.HISTOGRAM, "s")
ERRORS = Metric("function_errors_total", Kind.COUNTER, "1")


def test_requests_that_failed_are_errors(store: MemoryStore) -> None:
    for status, error, seconds in (("200", "", 1.0), ("404", "", 2.0), ("500", "KeyError", 3.0), ("503", "", 4.0)):
        labels: Labels = (("http_response_status_code", status), ("http_route", "/a"))
        labels = (("error_type", error), *labels) if error else labels
        store.append([HistogramSample(T0, REQUESTS, labels, Histogram.of([seconds, seconds]))])
    window = Window(T0 - 1, T0 + 10)
    (row,) = totals(store, REQUESTS.name, window, ["http_route"])
    assert (row.labels, row.count, row.errors, row.total, row.low, row.high) == (
        (("http_route", "/a"),),
        8,
        4,
        20,
        1,
        4,
    )
    assert [each.errors for each in totals(store, REQUESTS.name, window)] == [2, 2, 0, 0]
    (status,) = [each for each in totals(store, REQUESTS.name, window, FAILED) if each.errors == 0 and each.total == 4]
    assert status.labels == (("http_response_status_code", "404"),)


def test_jobs_that_failed_are_errors_and_cancelled_ones_are_not(store: MemoryStore) -> None:
    runs = Metric("job_duration_seconds", Kind.HISTOGRAM, "s")
    for outcome in ("success", "failure", "cancelled"):
        store.append([HistogramSample(T0, runs, (("job", "nightly"), ("outcome", outcome)), Histogram.of([1.0]))])
    (row,) = totals(store, runs.name, Window(T0 - 1, T0 + 10), ["job"])
    assert (row.count, row.errors) == (3, 1)


def test_calls_that_failed_are_errors_of_their_function_alone(store: MemoryStore) -> None:
    load: Labels = (("category", "io"), ("function", "load"))
    sort: Labels = (("category", "cpu"), ("function", "sort"))
    page: Labels = (("page", "home"),)
    for labels, metric in ((load, CALLS), (sort, CALLS), (page, PAGES)):
        store.append([HistogramSample(T0 + 5, metric, labels, Histogram.of([1.0] * 9))])
    for labels, error, counted in (
        (load, "KeyError", {-10: 3, 0: 3, 10: 5, 20: 6}),
        (load, "OSError", {10: 0, 20: 1}),
        (page, "KeyError", {0: 0, 10: 7}),
    ):
        told = tuple(sorted((*labels, ("error_type", error))))
        store.append([Sample(T0 + ts, ERRORS, told, float(value)) for ts, value in counted.items()])
    window = Window(T0, T0 + 30)

    def errors(metric: Metric, by: list[str] | None) -> dict[Labels, int | None]:
        return {row.labels: row.errors for row in totals(store, metric.name, window, by)}

    assert errors(CALLS, ["function"]) == {(("function", "load"),): 4, (("function", "sort"),): 0}
    assert errors(CALLS, None) == {load: 4, sort: 0}
    assert errors(CALLS, []) == {(): 4}
    assert errors(PAGES, ["page"]) == {page: 7}


def test_errors_are_unknown_where_nothing_tells_them(store: MemoryStore) -> None:
    assert {row.errors for row in totals(store, "wait_seconds", Window(T0, T0 + 3 * 3600))} == {None}
