"""A thread that does one thing at an interval."""

from __future__ import annotations

import logging
import threading

import pytest

from perf.clock import ManualClock
from perf.errors import StoreClosed
from perf.loops import Loop


class Turns:
    """A turn that raises what *errors* holds, one by one, and ends the loop with the last."""

    def __init__(self, errors: list[Exception | None]) -> None:
        self._errors, self.stop, self.loop = errors, threading.Event(), Loop("test", 0.001, self, ManualClock())

    def __call__(self) -> None:
        error = self._errors.pop(0)
        if not self._errors:
            self.stop.set()
        if error is not None:
            raise error


def test_a_turn_that_raises_is_counted_and_the_loop_goes_on() -> None:
    turns = Turns([None, ValueError("one"), None, KeyError("two"), None])
    turns.loop.run(turns.stop)
    beat = turns.loop.beat()
    assert (beat.name, beat.interval, beat.errors) == ("test", 0.001, 2)


def test_the_same_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    turns = Turns([ValueError("one"), ValueError("one"), ValueError("two"), ValueError("two")])
    with caplog.at_level(logging.ERROR):
        turns.loop.run(turns.stop)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
    assert turns.loop.beat().errors == 4


def test_a_turn_that_the_end_did_not_wait_for_is_counted_and_no_failure_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns = Turns([StoreClosed("x.duckdb: the store is closed")])
    with caplog.at_level(logging.INFO):
        turns.loop.run(turns.stop)
    assert caplog.records == []
    assert turns.loop.beat().errors == 1


def test_a_turn_is_a_sign_of_life() -> None:
    clock = ManualClock()
    stop = threading.Event()

    def turn() -> None:
        clock.move(7.0)
        stop.set()

    loop = Loop("test", 0.001, turn, clock)
    assert loop.beat().last == 0.0
    loop.run(stop)
    assert loop.beat().last == 7.0


def test_a_loop_that_is_stopped_before_its_first_turn_does_nothing() -> None:
    stop = threading.Event()
    stop.set()
    turns: list[None] = []
    Loop("test", 60.0, lambda: turns.append(None), ManualClock()).run(stop)
    assert turns == []
