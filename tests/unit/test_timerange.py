"""Times and steps as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf import timerange
from perf.errors import QueryError
from perf.model import Window

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-3h", NOW - 10_800),
        ("now - 90s", NOW - 90),
        ("now-1.5d", NOW - 129_600),
        ("1700000000", NOW),
        ("1700000000.5", NOW + 0.5),
        ("1700000000500", NOW + 0.5),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14T23:13:20 01:00", NOW),  # A plus sign in a query string arrives as a space.
    ],
)
def test_an_instant_is_read(text: str, expected: float) -> None:
    assert timerange.instant(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "now-3x", "now+3h", "2023-11-14T22:13:20", "nan", "1e9"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        timerange.instant(text, NOW)


def test_a_window_must_not_be_empty() -> None:
    assert timerange.window("now-1h", "now", NOW) == Window(NOW - 3600, NOW)
    with pytest.raises(QueryError, match="from must be before to"):
        timerange.window("now", "now-1h", NOW)


@pytest.mark.parametrize(
    ("span", "points", "step"),
    [(900, 400, 5), (10_800, 400, 30), (86_400, 400, 300), (604_800, 400, 1800), (2_592_000, 400, 7200), (10, 400, 1)],
)
def test_the_step_is_round_and_small_enough(span: float, points: int, step: float) -> None:
    assert timerange.step_for(span, points) == step


@given(st.floats(1, 1e9), st.integers(1, 5_000))
def test_a_step_never_gives_more_points_than_asked(span: float, points: int) -> None:
    assert span / timerange.step_for(span, points) <= points


def test_too_fine_a_step_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(QueryError, match="use a step of 10 s or more"):
        timerange.checked_step(1.0, 100_000.0)


@pytest.mark.parametrize("text", ["0", "0s", "-5s", "soon"])
def test_a_duration_is_above_zero(text: str) -> None:
    with pytest.raises(QueryError):
        timerange.duration(text)


def test_times_are_written_in_utc() -> None:
    assert timerange.rfc3339(NOW) == "2023-11-14T22:13:20Z"
    assert timerange.rfc3339(NOW + 0.25) == "2023-11-14T22:13:20.250Z"
