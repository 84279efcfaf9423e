"""A thread that does one thing at an interval, survives what goes wrong in it, and shows that it lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from perf.errors import StoreClosed
from perf.model import Beat
from perf.ports import Clock

_log = logging.getLogger(__name__)


class Loop:
    """Calls *turn* every *interval* seconds until stopped; a turn that raises is logged once per message and counted."""

    def __init__(self, name: str, interval: float, turn: Callable[[], None], clock: Clock) -> None:
        self._name = name
        self._interval = interval
        self._turn = turn
        self._clock = clock
        self._last = clock.monotonic()
        self._errors = 0
        self._logged = ""

    def run(self, stop: threading.Event) -> None:
        """The loop; returns when *stop* is set."""
        while not stop.wait(self._interval):
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - a thread's loop.
                self._errors += 1
                if self._logged != str(error):
                    self._logged = str(error)
                    _log.log(loudness(error), "%s: a turn failed", self._name, exc_info=True)
            self._last = self._clock.monotonic()

    def beat(self) -> Beat:
        """The newest sign of life."""
        return Beat(name=self._name, interval=self._interval, last=self._last, errors=self._errors)


def loudness(error: Exception) -> int:
    """At which level of logging a thread tells of *error*: the end waits only so long for what runs, and that it finds the store
    closed then is no failure.
    """
    return logging.DEBUG if isinstance(error, StoreClosed) else logging.ERROR
