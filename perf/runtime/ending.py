"""How a server ends by a signal: not ready, a pause, streams, the server's own end, and all of it within the grace period.

The first signal begins it, the second ends the process at once. What is committed is safe either way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn, TypeAlias

from perf.ports import Clock
from perf.settings import ProductionSettings

SIGNALS = (signal.SIGTERM, signal.SIGINT)
FAILED = 1
REQUESTS_SHARE = 0.4
"""The part of the grace period that requests get which are being answered; the rest is the store's."""

_Handler: TypeAlias = Callable[[int, FrameType | None], object]
_log = logging.getLogger(__name__)


class Ending:
    """The end of this process. *leave* makes it not ready; *end_streams* ends answers that would go on for ever."""

    def __init__(
        self,
        settings: ProductionSettings,
        clock: Clock,
        *,
        leave: Callable[[], None],
        end_streams: Callable[[], None],
    ) -> None:
        self._settings, self._clock = settings, clock
        self._leave, self._end_streams = leave, end_streams
        # Of the few things that a signal handler may touch: putting something into it is reentrant.
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._deadline: float | None = None
        self._ended = threading.Event()

    @property
    def requests_seconds(self) -> float:
        """What a server should wait for requests, in seconds."""
        return max(0.1, (self._settings.grace - self._settings.pause) * REQUESTS_SHARE)

    @property
    def left(self) -> float:
        """Seconds of the grace period that are left; all of them before a signal."""
        if self._deadline is None:
            return self._settings.grace
        return max(0.0, self._deadline - self._clock.monotonic())

    def take_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stand between the signals and the handlers that the server of *loop* has set; in the main thread."""
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        known = {number: handler for number, handler in handlers.items() if callable(handler)}
        run = threading.Thread(target=self._wait, args=(loop, known), name="perf-ending", daemon=True)
        run.start()
        for number in known:
            signal.signal(number, self._signalled)

    def done(self) -> None:
        """Everything is closed: nothing has to be ended by force any more."""
        self._ended.set()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if self._deadline is not None:
            at_once(number)
        self._deadline = self._clock.monotonic() + self._settings.grace
        self._signals.put(number)

    def _wait(self, loop: asyncio.AbstractEventLoop, handlers: dict[signal.Signals, _Handler]) -> None:
        """The thread: from the first signal to the end."""
        number = self._signals.get()
        self._leave()
        # Whoever sits at the keyboard has no load balancer to wait for.
        pause = self._settings.pause if number == signal.SIGTERM else 0.0
        _log.info("ending by %s; not ready, still answering for %g s", signal.Signals(number).name, pause)
        self._ended.wait(min(pause, self.left))
        self._end_streams()
        loop.call_soon_threadsafe(handlers[signal.Signals(number)], number, None)
        if not self._ended.wait(self.left):
            _log.error("not closed within %g s; ending by force", self._settings.grace)
            os._exit(FAILED)


def at_once(number: int, _frame: FrameType | None = None) -> NoReturn:
    """The handler of a second signal: ends the process here and now, with the exit code that shells expect."""
    os._exit(128 + number)
