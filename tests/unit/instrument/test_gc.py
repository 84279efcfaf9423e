from __future__ import annotations

import gc as collector
from collections.abc import Iterator
from time import perf_counter_ns

import pytest

from perf.clock import SystemClock
from perf.instrument import gc
from perf.model import HistogramSample, Sample
from perf.record import Recorder


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Collections happen when the test says so, and no others."""
    recorder = Recorder(SystemClock())
    collector.collect()
    collector.disable()
    gc.instrument(recorder=recorder)
    try:
        yield recorder
    finally:
        gc.uninstrument()
        collector.enable()


def pauses(recorder: Recorder) -> dict[str, int]:
    """Generation -> collections."""
    found = [each for each in recorder.drain(1.0) if isinstance(each, HistogramSample)]
    return {dict(each.labels)["generation"]: each.histogram.count for each in found}


def test_each_collection_is_one_pause_of_its_generation(recorder: Recorder) -> None:
    for generation in (0, 0, 0, 1, 2):
        collector.collect(generation)
    assert pauses(recorder) == {"0": 3, "1": 1, "2": 1}


def test_the_pause_is_no_longer_than_the_call_around_it(recorder: Recorder) -> None:
    began = perf_counter_ns()
    collector.collect()
    around = perf_counter_ns() - began
    (pause,) = [each for each in recorder.drain(1.0) if isinstance(each, HistogramSample)]
    assert 0 < pause.histogram.total <= around / 1e9


def test_freed_objects_are_counted(recorder: Recorder) -> None:
    for _ in range(100):
        ring: list[object] = []
        ring.append(ring)
    del ring
    found = collector.collect()  # whatever else has become garbage since the test began, too
    assert found >= 100
    freed = [
        each.value
        for each in recorder.drain(1.0)
        if isinstance(each, Sample) and each.metric.name == "python_gc_collected_objects_total" and each.value
    ]
    assert freed == [found]


def test_twice_is_once_and_undone_is_undone(recorder: Recorder) -> None:
    before = len(collector.callbacks)
    gc.instrument(recorder=recorder)
    assert len(collector.callbacks) == before
    gc.uninstrument()
    gc.uninstrument()
    assert len(collector.callbacks) == before - 1
    collector.collect()
    assert pauses(recorder) == {}


def test_a_collection_under_way_when_it_began_is_left_out() -> None:
    recorder = Recorder(SystemClock())
    gc._watching(recorder)("stop", {"generation": 2, "collected": 5, "uncollectable": 0})
    assert pauses(recorder) == {}
