"""Slow calls are handed out once each: when their minute is over, or at the last drain."""

from __future__ import annotations

from perf.clock import ManualClock
from perf.model import Exemplar, Kind, Metric
from perf.record import Recorder
from perf.record.exemplars import MAX_KEPT
from perf.record.watch import Watch

WORK = Metric("work_seconds", Kind.HISTOGRAM, "s")


def slow(recorder: Recorder, clock: ManualClock, *, last: bool = False) -> list[float]:
    told = recorder.drain(clock.now(), last=last)
    return sorted(each.seconds for each in told if isinstance(each, Exemplar))


def call(watch: Watch, seconds: float) -> None:
    watch.note(round(seconds * 1e9), None, (), {})


def test_a_minute_is_handed_out_once_when_it_is_over() -> None:
    clock = ManualClock(1_700_000_000.0)
    recorder = Recorder(clock)
    watch = Watch(recorder, WORK, {"n": "1"})
    call(watch, 1.0)
    clock.move(59)
    call(watch, 2.0)
    assert slow(recorder, clock) == []
    clock.move(1)
    assert slow(recorder, clock) == [1.0, 2.0]
    call(watch, 3.0)
    assert slow(recorder, clock) == []
    assert slow(recorder, clock, last=True) == [3.0]
    assert slow(recorder, clock, last=True) == []
    assert [each.seconds for each in recorder.exemplars()] == [3.0, 2.0, 1.0]


def test_it_carries_its_metric_labels_and_time() -> None:
    clock = ManualClock(1_700_000_000.0)
    recorder = Recorder(clock)
    call(Watch(recorder, WORK, {"n": "1"}), 1.0)
    clock.move(5)
    (found,) = [each for each in recorder.drain(clock.now(), last=True) if isinstance(each, Exemplar)]
    assert (found.ts, found.metric, found.labels) == (1_700_000_000.0, WORK, (("n", "1"),))


def test_a_clock_set_back_ends_the_minute() -> None:
    clock = ManualClock(1_700_000_000.0)
    recorder = Recorder(clock)
    call(Watch(recorder, WORK, {}), 1.0)
    clock.jump(-3600.0)
    assert slow(recorder, clock) == [1.0]


def test_what_is_remembered_here_is_bounded() -> None:
    clock = ManualClock(1_700_000_000.0)
    recorder = Recorder(clock, label_cap=MAX_KEPT)
    for number in range(MAX_KEPT // 10 + 1):
        watch = Watch(recorder, WORK, {"n": str(number)})
        for seconds in range(1, 11):
            call(watch, float(seconds))
    assert len(slow(recorder, clock, last=True)) == MAX_KEPT + 10
    assert len(recorder.exemplars()) == MAX_KEPT
