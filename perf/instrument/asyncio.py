"""How late an asyncio loop runs what is due: the time that something else kept it busy.

async def main():
    perf.instrument.asyncio.instrument()
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from perf.model import Kind, Metric

if TYPE_CHECKING:
    from perf.record import Recorder

LAG = Metric("asyncio_loop_lag_seconds", Kind.HISTOGRAM, "s", "How late the asyncio loop ran a timer that was due.")

INTERVAL = 0.1
"""Seconds between two looks, of about 1 µs and a wake-up each."""


def instrument(*, recorder: Recorder | None = None, interval: float = INTERVAL) -> None:
    """Record the lag of the running loop, every *interval* seconds until it is closed. A second time does nothing.

    *recorder* defaults to the process's own.

    Raises: RuntimeError when no loop is running.
    """
    loop = asyncio.get_running_loop()
    if loop in _watched:
        return
    if recorder is None:
        from perf.record import current

        recorder = current()
    _watched[loop] = _Pulse(loop, recorder, interval)


def uninstrument() -> None:
    """No longer record the lag of the running loop."""
    pulse = _watched.pop(asyncio.get_running_loop(), None)
    if pulse is not None:
        pulse.stopped = True


class _Pulse:
    """A timer that sets itself again. Not a task: there is nothing to cancel or to wait for when the loop ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, recorder: Recorder, interval: float) -> None:
        # A strong reference, which a timer's handle has too, would keep the loop in the table of loops.
        self._loop = weakref.ref(loop)
        self.stopped = False
        self._record = recorder.distribution(LAG).record
        self._interval = interval
        self._due = loop.time() + interval
        loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        loop = self._loop()
        if loop is not None and not self.stopped:
            now = loop.time()
            # A timer may come a tick of the clock early.
            self._record(max(0.0, now - self._due))
            self._due = now + self._interval
            loop.call_at(self._due, self._beat)


_watched: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Pulse] = weakref.WeakKeyDictionary()
