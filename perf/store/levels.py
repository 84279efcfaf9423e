"""Which level of the store answers a question, and how steps and rows line up. Pure: no store, no clock of its own.

Times here are integer microseconds since the epoch: sums and comparisons are exact, and both stores agree to the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from perf.errors import QueryError
from perf.model import Level, Window
from perf.ports import Clock
from perf.settings import StoreSettings

MICRO = 1_000_000
BEGINNING = -62_135_596_800 * MICRO
"""Year 1: earlier than any sample."""
ENDING = 253_402_300_799 * MICRO
"""Year 9999: later than any sample."""
LATENESS = 10 * MICRO
"""A minute is closed this long after its end, so that what is still in the queue isn't late."""

_MINUTE = 60 * MICRO
_DAY = 1_440 * _MINUTE
_GAP_SECONDS = 300.0
_JUMP_SECONDS = 60.0
_HOLD_SECONDS = 3_600.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a question is answered: rows of *level* with start <= ts < end, in steps of *step*; *before* is where to begin
    looking for the neighbour of the first row, *gap* the longest distance over which neighbours belong together.
    """

    level: Level
    step: int
    start: int
    end: int
    before: int
    gap: int


def micros(seconds: float) -> int:
    """*seconds* rounded to the microsecond, within years 1 to 9999."""
    return min(max(round(seconds * MICRO), BEGINNING), ENDING)


def floor(ts: int, width: int) -> int:
    """The latest multiple of *width* since the epoch that isn't after *ts*."""
    return ts // width * width


def width(level: Level) -> int:
    """Width of a row of *level*; 0 for raw samples."""
    return round(level.seconds * MICRO)


def plan(window: Window, step: float, kept: Mapping[Level, int]) -> Plan:
    """How to answer *window* in steps of *step* seconds when each level still has its rows from *kept* on.

    The coarsest level that divides the step and reaches back to the start; when none does, the finest that reaches back
    (else the one that reaches furthest), with the step raised to a multiple of its rows. A window at a roll-up level is
    widened to whole rows.

    Raises: QueryError when *step* isn't at least a microsecond.
    """
    if not (math.isfinite(step) and step >= 1e-6):
        raise QueryError(f"a step is a positive number of seconds, not {step}")
    wanted, start, end = round(step * MICRO), micros(window.start), micros(window.end)
    level = _level(wanted, start, kept)
    row = width(level)
    if row:
        wanted, start, end = -(-wanted // row) * row, floor(start, row), -(-end // row) * row
    gap = round(max(_GAP_SECONDS, 3 * level.seconds) * MICRO)
    before = max(start - gap, BEGINNING)
    if row:
        before = floor(before, row)
    return Plan(level=level, step=wanted, start=start, end=end, before=before, gap=gap)


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


def _cut(now: int, keep: float, run: int, row: int) -> int:
    promised = round(keep * MICRO)
    return floor(floor(now - promised, max(min(run, promised // 8), 1)), row)


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


def _level(step: int, start: int, kept: Mapping[Level, int]) -> Level:
    reaching = [level for level in Level if kept[level] <= start]
    fitting = [level for level in reaching if not width(level) or step % width(level) == 0]
    if fitting:
        return fitting[-1]
    return reaching[0] if reaching else min(Level, key=lambda level: kept[level])
