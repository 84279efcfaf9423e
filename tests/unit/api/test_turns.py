"""A flood of requests leaves the event loop to everybody else."""

from __future__ import annotations

import asyncio
import sys

import pytest
from starlette.types import Receive, Scope, Send

from perf.api import turns
from perf.api.turns import Turns

AT_ONCE = 3


async def _nothing(*_: object) -> None: ...


class Flood:
    """Requests that are answered without waiting for anything, and in which turn of the loop each was."""

    def __init__(self) -> None:
        self.turn = 0
        self.answered: list[tuple[int, int]] = []
        self.turns = Turns(self._answer, at_once=AT_ONCE)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.answered.append((self.turn, scope["number"]))

    def begin(self, number: int, kind: str = "http") -> asyncio.Task[None]:
        return asyncio.create_task(self.turns({"type": kind, "number": number}, _nothing, _nothing))  # type: ignore[arg-type]  # neither is asked

    async def count(self) -> None:
        """Somebody else, who takes one turn after another."""
        while True:
            await asyncio.sleep(0)
            self.turn += 1

    def widest(self) -> int:
        """How many were answered in the fullest turn."""
        turns = [turn for turn, _ in self.answered]
        return max(map(turns.count, turns))


def test_a_flood_is_answered_in_its_order_and_a_few_in_each_turn() -> None:
    async def run() -> Flood:
        flood = Flood()
        counting = asyncio.create_task(flood.count())
        await asyncio.gather(*(flood.begin(number) for number in range(50)))
        counting.cancel()
        return flood

    flood = asyncio.run(run())
    assert [number for _, number in flood.answered] == list(range(50))
    assert flood.widest() == AT_ONCE
    assert flood.turn >= 50 // AT_ONCE


def test_who_leaves_keeps_nobody_waiting() -> None:
    async def run() -> list[int]:
        flood = Flood()
        tasks = [flood.begin(number) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[5:15]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(flood.begin(20), 5)
        return [number for _, number in flood.answered]

    assert asyncio.run(run()) == [*range(5), *range(15, 21)]


def test_requests_now_and_then_and_websockets_wait_for_nothing() -> None:
    async def run() -> list[int]:
        flood = Flood()
        for number in range(20):
            await flood.begin(number)
        started = [flood.begin(number, "websocket") for number in range(20, 30)]
        await asyncio.sleep(0)
        assert len(flood.answered) == 30
        await asyncio.gather(*started)
        return [number for _, number in flood.answered]

    assert asyncio.run(run()) == list(range(30))


def test_the_interpreter_is_handed_on_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.getswitchinterval()
    try:
        turns.prompt()
        assert sys.getswitchinterval() == pytest.approx(turns.SWITCH_SECONDS)
    finally:
        sys.setswitchinterval(before)
