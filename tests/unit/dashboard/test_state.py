"""What a reader chose, and how times are written."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import state
from dashboard.state import RANGES, State
from perf.model import Window

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""


def chosen(**changes: object) -> State:
    given_ = {"seconds": 3600.0, "window": None, "compare": "none", "live": True, "refresh": 5.0, "zone": "UTC"}
    return State(**{**given_, **changes})  # type: ignore[arg-type]  # of the right types in every test


@pytest.mark.parametrize(
    ("seconds", "step"), [(300.0, 1.0), (3600.0, 10.0), (10_800.0, 30.0), (86_400.0, 300.0), (2_592_000.0, 7200.0)]
)
def test_a_chart_has_at_most_four_hundred_points(seconds: float, step: float) -> None:
    assert chosen(seconds=seconds).step == step


@pytest.mark.parametrize(
    ("changes", "ticks"),
    [
        ({}, 5.0),
        ({"refresh": 60.0}, 10.0),
        ({"seconds": 300.0}, 1.0),
        ({"seconds": 300.0, "refresh": 0.5}, 0.5),
        ({"live": False}, 0.0),
        ({"window": Window(0.0, 1.0)}, 0.0),
    ],
)
def test_a_page_ticks_at_least_once_a_step_unless_it_stands_still(changes: dict[str, object], ticks: float) -> None:
    assert chosen(**changes).ticks == ticks


@pytest.mark.parametrize(
    ("compare", "shift", "label"),
    [
        ("none", None, ""),
        ("previous", 3600.0, "previous period"),
        ("yesterday", 86_400.0, "yesterday"),
        ("week", 604_800.0, "last week"),
        ("nonsense", None, ""),
    ],
)
def test_a_comparison_lies_back_by_its_shift(compare: str, shift: float | None, label: str) -> None:
    found = chosen(compare=compare)
    assert (found.shift, found.compare_label) == (shift, label)


def test_the_window_ends_now_unless_it_is_absolute() -> None:
    assert chosen().span(NOW) == Window(NOW - 3600, NOW)
    assert chosen(window=Window(1.0, 2.0)).span(NOW) == Window(1.0, 2.0)


@pytest.mark.parametrize(
    ("configured", "age", "name"),
    [
        ("3h", None, "5m"),
        ("3h", 10.0, "5m"),
        ("3h", 301.0, "15m"),
        ("3h", 3600.0, "1h"),
        ("3h", 1e9, "3h"),
        ("5m", 1e9, "5m"),
        ("nonsense", 1e9, "3h"),
    ],
)
def test_a_first_visit_shows_a_range_that_has_data(configured: str, age: float | None, name: str) -> None:
    assert state.first_range(configured, age) == name


@given(st.sampled_from(sorted(RANGES)), st.floats(0, 1e9))
def test_a_first_range_is_never_longer_than_the_configured(configured: str, age: float) -> None:
    assert RANGES[state.first_range(configured, age)] <= RANGES[configured]


@pytest.mark.parametrize("name", [None, "", "Mars", "../etc", "\0", "America"])
def test_a_zone_nobody_knows_is_utc(name: str | None) -> None:
    assert state.zone_named(name) == "UTC"


def test_times_have_their_date_unless_it_is_today_s() -> None:
    assert state.clock_time(NOW, "UTC", NOW) == "22:13"
    assert state.clock_time(NOW, "UTC", NOW, seconds=True) == "22:13:20"
    assert state.clock_time(NOW, "UTC", NOW + 7200) == "2023-11-14 22:13"
    assert state.clock_time(NOW, "Asia/Tokyo", NOW + 7200) == "07:13"


def test_a_wall_clock_time_is_read_in_the_shown_zone() -> None:
    moment = datetime(2023, 11, 14, 23, 13, 20)  # noqa: DTZ001  # What a date input gives.
    assert state.from_local(moment, "Europe/Berlin") == NOW
    assert state.to_local(NOW + 0.5, "Europe/Berlin") == moment


@given(st.integers(0, 2_000_000_000))
def test_there_and_back_is_the_same_moment_but_for_the_hour_that_comes_twice(ts: int) -> None:
    back = state.from_local(state.to_local(float(ts), "Europe/Berlin"), "Europe/Berlin")
    assert back in (ts, ts - 3600)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (8100, "2 h 15 min"),
        (86_400, "1 d"),
        (86_400 + 3 * 3600 + 5, "1 d 3 h"),
    ],
)
def test_a_span_of_time_is_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert state.lasted(seconds) == words
