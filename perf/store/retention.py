"""What may be deleted at a time, and which time to believe. Decides only; the stores delete."""

from __future__ import annotations

from perf.model import Level
from perf.ports import Clock
from perf.settings import StoreSettings
from perf.store.levels import MICRO, floor

_MINUTE = 60 * MICRO
_DAY = 1_440 * _MINUTE
_JUMP_SECONDS = 60.0
_HOLD_SECONDS = 3_600.0


def cuts(now: int, settings: StoreSettings) -> dict[Level, int]:
    """From where each level keeps its rows at *now*: whole sealed runs of raw samples, whole days of roll-ups.

    A level kept for less than eight of those is cut more finely, though never finer than its rows or a minute.
    """
    keep = settings.retention
    raw_run = max(round(settings.seal_every * MICRO), _MINUTE)
    return {
        Level.RAW: _cut(now, keep.raw, raw_run, _MINUTE),
        Level.MINUTE: _cut(now, keep.minute, _DAY, _MINUTE),
        Level.HOUR: _cut(now, keep.hour, _DAY, 60 * _MINUTE),
    }


def alerts_cut(now: int, settings: StoreSettings) -> int:
    """From where incidents that are over and what was sent for them are kept at *now*: like minutes, and a day at least, which
    cooldown and flapping look back on.
    """
    return min(cuts(now, settings)[Level.MINUTE], now - _DAY)


def audit_cut(now: int, settings: StoreSettings) -> int:
    """From where the audit log is kept at *now*."""
    return now - round(settings.retention.audit * MICRO)


class SteadyTime:
    """Wall time that doesn't believe a jump forward before it has lasted an hour.

    Retention deletes by age: a clock that is a year ahead for a minute must not empty the store.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trusted: float | None = None
        self._at = clock.monotonic()
        self._jumped: float | None = None

    def anchor(self, newest: float | None) -> None:
        """The newest sample is of *newest* (Unix seconds): the clock should be about there. None: believe it at first."""
        self._trusted = newest

    def settle(self, now: float) -> float:
        """The time to act upon when the wall clock says *now*; never later than it."""
        elapsed_to = self._clock.monotonic()
        expected = now if self._trusted is None else self._trusted + elapsed_to - self._at
        if now > expected + _JUMP_SECONDS:
            self._jumped = elapsed_to if self._jumped is None else self._jumped
            if elapsed_to - self._jumped < _HOLD_SECONDS:
                return expected
        self._trusted, self._at, self._jumped = now, elapsed_to, None
        return now

    def problem(self) -> str | None:
        """What is odd about the clock, as a sentence."""
        if self._jumped is None:
            return None
        return "The wall clock is ahead of the samples: roll-up and retention wait until it has been so for an hour."


def _cut(now: int, keep: float, run: int, row: int) -> int:
    promised = round(keep * MICRO)
    return floor(floor(now - promised, max(min(run, promised // 8), 1)), row)
