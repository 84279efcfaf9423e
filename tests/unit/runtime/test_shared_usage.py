"""What the store holds is asked once for the probes of one turn, and never longer."""

from __future__ import annotations

import threading

import pytest

from perf.clock import ManualClock
from perf.errors import StoreError
from perf.model import StoreUsage
from perf.runtime.probes import SHARED_SECONDS, SharedUsage


class Holding:
    """A store that counts how often it is asked, and fails while told to; *gate* holds up its answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def usage(self) -> StoreUsage:
        self.asked += 1
        self.gate.wait(30.0)
        if self.fails:
            raise StoreError("away")
        return StoreUsage(location="x", file_bytes=self.asked, wal_bytes=0, free_bytes=None, series=0, levels=())


def test_those_that_ask_in_one_turn_share_an_answer() -> None:
    holding, clock = Holding(), ManualClock()
    shared = SharedUsage(holding.usage, clock)
    assert [shared().file_bytes, shared().file_bytes] == [1, 1]
    clock.move(SHARED_SECONDS)
    assert [shared().file_bytes, shared().file_bytes] == [2, 2]


def test_those_that_ask_at_the_same_time_share_an_answer() -> None:
    holding, found = Holding(), list[int]()
    shared = SharedUsage(holding.usage, ManualClock())
    holding.gate.clear()
    threads = [threading.Thread(target=lambda: found.append(shared().file_bytes)) for _ in range(3)]
    for thread in threads:
        thread.start()
    holding.gate.set()
    for thread in threads:
        thread.join(30.0)
    assert (found, holding.asked) == ([1, 1, 1], 1)


def test_a_failure_is_not_remembered() -> None:
    holding = Holding()
    shared = SharedUsage(holding.usage, ManualClock())
    holding.fails = True
    with pytest.raises(StoreError, match="away"):
        shared()
    holding.fails = False
    assert shared().file_bytes == 2
