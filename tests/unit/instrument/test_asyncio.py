from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest

from perf.clock import SystemClock
from perf.instrument.asyncio import instrument, uninstrument
from perf.model import Histogram
from perf.record import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


def lag(recorder: Recorder) -> Histogram:
    (found,) = [value for metric, _, value in recorder.totals() if metric.name == "asyncio_loop_lag_seconds"]
    assert isinstance(found, Histogram)
    return found


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_loop_that_is_kept_busy_is_late(recorder: Recorder) -> None:
    async def main() -> None:
        instrument(recorder=recorder, interval=0.01)
        instrument(recorder=recorder, interval=0.01)
        await asyncio.sleep(0.1)
        spin(0.1)
        await asyncio.sleep(0.05)

    began = time.perf_counter()
    asyncio.run(main())
    assert 0.05 < lag(recorder).high < time.perf_counter() - began
    assert 2 <= lag(recorder).count <= 20  # fewer where the loop is late: a beat that was missed is left out


def test_it_ends_with_the_loop_and_begins_in_the_next(recorder: Recorder) -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        instrument(recorder=recorder, interval=0.001)
        await asyncio.sleep(0.02)

    asyncio.run(main())
    first = lag(recorder).count
    asyncio.run(main())
    assert lag(recorder).count > first > 0
    gc.collect()
    assert [loop() for loop in loops] == [None, None]


def test_it_can_be_stopped(recorder: Recorder) -> None:
    async def main() -> None:
        instrument(recorder=recorder, interval=0.001)
        await asyncio.sleep(0.01)
        uninstrument()
        uninstrument()
        count = lag(recorder).count
        await asyncio.sleep(0.01)
        assert lag(recorder).count == count

    asyncio.run(main())


def test_without_a_loop_it_says_so(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        instrument(recorder=recorder)
