"""Domain values: windows, states, thresholds, selectors."""

from __future__ import annotations

import math

import msgspec
import pytest

from perf.model import Kind, Level, Metric, Sample, Selector, Status, Threshold, Window


def test_window_is_as_long_as_its_ends_are_apart() -> None:
    assert Window(10.0, 25.0).seconds == 15.0


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.nan), (-math.inf, 0.0), (0.0, math.inf)]
)
def test_what_is_no_span_is_no_window(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="a window needs start < end"):
        Window(start, end)


def test_values_cannot_be_changed() -> None:
    sample = Sample(1.0, Metric("cpu_usage_percent"), (), 3.0)
    with pytest.raises(AttributeError):
        sample.value = 4.0  # type: ignore[misc]  # that it is refused is the point


def test_samples_with_the_same_content_are_equal() -> None:
    metric = Metric("disk_read_bytes_total", Kind.COUNTER, "By")
    assert Sample(1.0, metric, (("device", "sda"),), 3.0) == Sample(1.0, metric, (("device", "sda"),), 3.0)


def test_level_widths() -> None:
    assert [level.seconds for level in Level] == [0.0, 60.0, 3600.0]


def test_statuses_are_ranked_from_best_to_worst() -> None:
    assert [(status.value, status.rank) for status in Status] == [
        ("healthy", 0),
        ("unknown", 1),
        ("degraded", 2),
        ("unhealthy", 3),
    ]


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], Status.UNKNOWN),
        ([Status.HEALTHY, Status.HEALTHY], Status.HEALTHY),
        ([Status.HEALTHY, Status.UNKNOWN], Status.UNKNOWN),
        ([Status.UNKNOWN, Status.DEGRADED], Status.DEGRADED),
        ([Status.UNHEALTHY, Status.DEGRADED, Status.HEALTHY], Status.UNHEALTHY),
    ],
)
def test_the_worst_state_counts(states: list[Status], worst: Status) -> None:
    assert Status.worst(states) is worst


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (None, Status.UNKNOWN),
        (math.nan, Status.UNKNOWN),
        (math.inf, Status.UNKNOWN),
        (79.9, Status.HEALTHY),
        (80.0, Status.HEALTHY),
        (80.1, Status.DEGRADED),
        (95.0, Status.DEGRADED),
        (95.1, Status.UNHEALTHY),
    ],
)
def test_a_limit_is_passed_only_above_it(value: float | None, status: Status) -> None:
    assert Threshold(80.0, 95.0).status(value) is status


def test_without_a_critical_limit_nothing_is_unhealthy() -> None:
    assert Threshold(80.0).status(1e9) is Status.DEGRADED


def test_threshold_reads_its_own_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Threshold(1.0, 2.0)), type=Threshold) == Threshold(1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "labels", "matches"),
    [
        ("net_bytes_total", (("device", "eth0"), ("direction", "in")), True),
        ("net_bytes_total", (("device", "eth0"),), True),
        ("net_bytes_total", (("device", "eth1"),), False),
        ("net_bytes_total", (), False),
        ("disk_bytes_total", (("device", "eth0"),), False),
    ],
)
def test_selector_matches_series_that_have_all_its_labels(
    name: str, labels: tuple[tuple[str, str], ...], matches: bool
) -> None:
    assert Selector("net_bytes_total", (("device", "eth0"),)).matches(name, labels) is matches
