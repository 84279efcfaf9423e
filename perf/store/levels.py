"""Which level of the store answers a question, and how steps and rows line up. Pure: no store, no clock of its own.

Times here are integer microseconds since the epoch: sums and comparisons are exact, and both stores agree to the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from perf.errors import QueryError
from perf.model import Level, Window

MICRO = 1_000_000
BEGINNING = -62_135_596_800 * MICRO
"""Year 1: earlier than any sample."""
ENDING = 253_402_300_799 * MICRO
"""Year 9999: later than any sample."""
LATENESS = 10 * MICRO
"""A minute is closed this long after its end, so that what is still in the queue isn't late."""

_GAP_SECONDS = 300.0


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


def _level(step: int, start: int, kept: Mapping[Level, int]) -> Level:
    reaching = [level for level in Level if kept[level] <= start]
    fitting = [level for level in reaching if not width(level) or step % width(level) == 0]
    if fitting:
        return fitting[-1]
    return reaching[0] if reaching else min(Level, key=lambda level: kept[level])
