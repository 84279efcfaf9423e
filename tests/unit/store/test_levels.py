"""Which level answers, how windows line up, what may be deleted when, and which time is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import Level, Window
from perf.settings import Retention, StoreSettings
from perf.store.levels import BEGINNING, MICRO, plan, width
from perf.store.retention import SteadyTime, cuts

DAY = 86_400
EVERYTHING = dict.fromkeys(Level, BEGINNING)
KEPT = {Level.RAW: 30 * DAY * MICRO, Level.MINUTE: 10 * DAY * MICRO, Level.HOUR: BEGINNING}


@pytest.mark.parametrize(
    ("start_day", "step", "level", "actual_step"),
    [
        (31, 10, Level.RAW, 10),
        (31, 60, Level.MINUTE, 60),
        (31, 3600, Level.HOUR, 3600),
        (20, 10, Level.MINUTE, 60),
        (20, 90, Level.MINUTE, 120),
        (20, 7200, Level.HOUR, 7200),
        (5, 10, Level.HOUR, 3600),
        (5, 5000, Level.HOUR, 7200),
    ],
)
def test_level_is_coarse_enough_to_be_fast_and_reaches_back(
    start_day: int, step: float, level: Level, actual_step: float
) -> None:
    found = plan(Window(start_day * DAY, 40 * DAY), step, KEPT)
    assert (found.level, found.step) == (level, actual_step * MICRO)


def test_question_older_than_everything_goes_to_the_level_that_reaches_furthest() -> None:
    kept = {Level.RAW: 30 * MICRO * DAY, Level.MINUTE: 20 * MICRO * DAY, Level.HOUR: 10 * MICRO * DAY}
    assert plan(Window(0, DAY), 1, kept).level is Level.HOUR


def test_raw_windows_are_exact_and_rolled_ones_whole_rows() -> None:
    raw = plan(Window(61.5, 130.25), 7, EVERYTHING)
    rolled = plan(Window(61.5, 130.25), 60, EVERYTHING)
    assert (raw.start, raw.end) == (61_500_000, 130_250_000)
    assert (rolled.start, rolled.end) == (60 * MICRO, 180 * MICRO)


@given(
    st.floats(0, 1e9),
    st.floats(1e-3, 1e7),
    st.floats(1e-3, 1e6),
    st.dictionaries(st.sampled_from(list(Level)), st.integers(0, 10**15)),
)
def test_plan_covers_the_window_in_whole_rows(start: float, length: float, step: float, kept: dict[Level, int]) -> None:
    window = Window(start, start + length)
    found = plan(window, step, EVERYTHING | kept)
    row = max(width(found.level), 1)
    assert found.step >= round(step * MICRO)
    assert found.step % row == found.start % row == found.end % row == 0
    assert found.before <= found.start <= round(window.start * MICRO)
    assert found.end >= round(window.end * MICRO)


@pytest.mark.parametrize("step", [0, -5, float("inf"), float("nan")])
def test_impossible_steps_are_refused(step: float) -> None:
    with pytest.raises(QueryError, match="step"):
        plan(Window(0, 1), step, EVERYTHING)


def test_retention_keeps_at_least_what_it_promises_in_whole_runs() -> None:
    now = (100 * DAY + 5 * 3600) * MICRO
    found = cuts(now, StoreSettings(retention=Retention(raw=7.0 * DAY, minute=90.0 * DAY, hour=99.0 * DAY)))
    assert found == {Level.RAW: 93 * DAY * MICRO, Level.MINUTE: 10 * DAY * MICRO, Level.HOUR: DAY * MICRO}


@given(st.integers(0, 10**16), st.floats(1, 1e8), st.floats(1, 1e6))
def test_retention_never_cuts_into_its_promise(now: int, keep: float, seal_every: float) -> None:
    settings = StoreSettings(seal_every=seal_every, retention=Retention(raw=keep, minute=keep, hour=keep))
    for level, cut in cuts(now, settings).items():
        assert cut <= now - round(keep * MICRO), level
        assert cut % max(width(level), 60 * MICRO) == 0


def test_forward_jump_is_believed_after_an_hour() -> None:
    clock = ManualClock(1000.0)
    steady = SteadyTime(clock)
    assert steady.settle(clock.now()) == 1000.0
    clock.jump(5000.0)
    assert steady.settle(clock.now()) == 1000.0
    clock.move(1800.0)
    assert (steady.settle(clock.now()), steady.problem() is None) == (2800.0, False)
    clock.move(1800.0)
    assert (steady.settle(clock.now()), steady.problem()) == (9600.0, None)


def test_backward_jump_is_believed_at_once() -> None:
    clock = ManualClock(1000.0)
    steady = SteadyTime(clock)
    steady.settle(clock.now())
    clock.jump(-500.0)
    assert steady.settle(clock.now()) == 500.0
    clock.move(10.0)
    assert steady.settle(clock.now()) == 510.0


def test_clock_far_ahead_of_the_newest_sample_at_start_has_to_prove_itself() -> None:
    clock = ManualClock(1_000_000.0)
    steady = SteadyTime(clock)
    steady.anchor(500_000.0)
    assert steady.settle(clock.now()) == 500_000.0
    clock.move(3600.0)
    assert steady.settle(clock.now()) == 1_003_600.0
