"""Times and spans as people write them: ``now-3h``, RFC 3339, Unix seconds; and the steps that fit a window."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from perf.errors import QueryError
from perf.model import Window
from perf.settingtree import quantity

MAX_POINTS = 11_000
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_RELATIVE = re.compile(r"now(?:\s*-\s*(?P<span>[0-9.]+\s*[a-z]+))?")
_NEWEST = 1e11  # A number above this is milliseconds: 1e11 s is the year 5138.
_YEARS = (-62_135_596_800.0, 253_402_300_799.0)  # 1 to 9999: what a date can say.
_SHORTEST, _LONGEST = 1e-6, _YEARS[1]


def instant(text: str, now: float) -> float:
    """Unix seconds of ``now``, ``now-3h``, RFC 3339 with a zone, Unix seconds or milliseconds; within the years 1 to 9999.

    Raises: QueryError when *text* is none of them.
    """
    found = _instant(text, now)
    if not _YEARS[0] <= found <= _YEARS[1]:
        raise QueryError(f"a time lies between the years 1 and 9999: {text[:40]!r} does not", text=text)
    return found


def _instant(text: str, now: float) -> float:
    match = _RELATIVE.fullmatch(text.strip())
    try:
        if match:
            return now - (quantity(match["span"], "seconds") if match["span"] else 0.0)
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text.strip()):
            number = float(text)
            return number / 1000 if abs(number) > _NEWEST else number
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise QueryError(f"not a time: {text!r} (now-3h, 2026-01-31T12:00:00Z, or Unix seconds)", text=text) from error
    if moment.tzinfo is None:
        raise QueryError(f"a time needs its zone: {text!r} (add Z or +02:00)", text=text)
    return moment.timestamp()


def window(start: str, end: str, now: float) -> Window:
    """The half-open window from *start* to *end*, each as in `instant`.

    Raises: QueryError when it is empty or backwards.
    """
    first, last = instant(start, now), instant(end, now)
    if not first < last:
        raise QueryError(f"from must be before to: {start!r} is not before {end!r}")
    return Window(first, last)


def duration(text: str) -> float:
    """Seconds of ``30s``, ``5m`` or a bare number.

    Raises: QueryError when *text* isn't a positive duration.
    """
    try:
        seconds = quantity(text, "seconds")
    except ValueError as error:
        raise QueryError(str(error), text=text) from error
    if seconds <= 0:
        raise QueryError(f"a duration must be above zero: {text!r}", text=text)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise QueryError(f"a duration has at least a microsecond and at most 8,000 years: {text[:40]!r}", text=text)
    return seconds


def step_for(span: float, max_points: int) -> float:
    """The smallest round step in seconds that cuts *span* seconds into at most *max_points*."""
    needed = span / max(max_points, 1)
    return float(next((step for step in _STEPS if step >= needed), math.ceil(needed / 86_400) * 86_400))


def checked_step(step: float, span: float) -> float:
    """*step*, if it doesn't ask for more than MAX_POINTS points of a series.

    Raises: QueryError with the smallest step that would do.
    """
    if span / step > MAX_POINTS:
        raise QueryError(
            f"{span / step:,.0f} points a series are too many: use a step of {step_for(span, MAX_POINTS):g} s or more"
        )
    return step


def rfc3339(ts: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond where there are any."""
    moment = datetime.fromtimestamp(ts, UTC)
    spec = "seconds" if moment.microsecond == 0 else "milliseconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
