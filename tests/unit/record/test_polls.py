"""What is asked before every drain."""

from __future__ import annotations

import pytest

from perf.clock import ManualClock
from perf.model import Kind, Metric
from perf.record import Recorder

SEEN = Metric("seen_total", Kind.COUNTER, "1")


def test_a_poll_is_asked_once_before_each_drain(clock: ManualClock) -> None:
    recorder = Recorder(clock)

    def poll() -> None:
        recorder.counter(SEEN).add()

    recorder.polls.add(poll)
    recorder.polls.add(poll)
    assert [value for _, _, value in recorder.totals()] == [1.0]
    assert [value for _, _, value in recorder.totals()] == [2.0]


def test_a_poll_that_raises_is_counted_and_stops_nothing(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(clock)

    def broken() -> None:
        raise ValueError("broken")

    recorder.polls.add(broken)
    recorder.polls.add(lambda: recorder.counter(SEEN).add())
    assert [value for _, _, value in recorder.totals()] == [1.0]
    assert recorder.dropped() == {"errors": 1}
    assert "asking" in caplog.text
