"""Counts log records of WARNING and above by level and logger. `instrument` switches it on; no handler, no filter.

It stands where records are made: a configuration that comes later, or replaces all handlers, doesn't remove it, and a logger
that is disabled or set to a higher level makes none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from perf.model import Kind, Metric
from perf.record import Recorder, current

MESSAGES = Metric("log_messages_total", Kind.COUNTER, "1", "Log records of WARNING and above.")
CACHED = 10_000

_Factory: TypeAlias = Callable[..., logging.LogRecord]  # as logging.setLogRecordFactory takes it


def instrument(*, recorder: Recorder | None = None) -> None:
    """Count from now on. A second call changes nothing."""
    for factory in _installed:
        if logging.getLogRecordFactory() is not factory:
            break  # Somebody put their own in front, or in place: theirs is wrapped anew, and ours below falls silent.
        return
    uninstrument()
    factory = _Counting(recorder or current(), logging.getLogRecordFactory())
    _installed.append(factory)
    logging.setLogRecordFactory(factory)


def uninstrument() -> None:
    """Count no more. A factory that somebody put around ours stays, and ours hands through."""
    while _installed:
        factory = _installed.pop()
        factory.live = False
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(factory.made)


class _Counting:
    """A factory of log records that counts those of another."""

    def __init__(self, recorder: Recorder, made: _Factory) -> None:
        self.live = True
        self.made = made
        self._recorder = recorder
        self._adds: dict[tuple[str, int], Callable[[], None]] = {}

    def __call__(self, name: Any, level: Any, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """A record. logging.makeLogRecord passes None for both, and more arguments may come with a new Python."""
        if self.live and level and level >= logging.WARNING:
            # Not asking first whether it is there: a dict that fails costs only the first record of a logger.
            try:
                self._adds[name, level]()
            except KeyError:
                self._first(name, level)
        return self.made(name, level, *args, **kwargs)

    def _first(self, name: str, level: int) -> None:
        try:
            if len(self._adds) >= CACHED:  # Loggers named after requests or users.
                self._adds.clear()
            labels = {"level": severity(level), "logger": name.partition(".")[0]}
            add = self._adds[name, level] = self._recorder.counter(MESSAGES, labels).add
            add()
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host. Only its first call logs: no recursion.
            self._recorder.failed("counting a log record")


def severity(level: int) -> str:
    """``warning``, ``error`` or ``critical``: levels of a program's own count as the one below."""
    if level >= logging.CRITICAL:
        return "critical"
    return "error" if level >= logging.ERROR else "warning"


_installed: list[_Counting] = []
