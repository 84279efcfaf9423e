"""Whether a silence or a recurring maintenance window holds. Pure; daylight saving as clocks on walls have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from perf.errors import PerfError
from perf.model import AlertRule, Incident, Labels, Notification, Silence

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK = 62
"""Days looked ahead for windows to come."""
_DAY = 86_400.0
_RECURRENCE = re.compile(r"(?:(daily)|weekly(?:\s+([a-z, ]+))?|monthly\s+([0-9]{1,2}))")


class SilenceError(PerfError):
    """A silence that nobody can keep."""


def check(silence: Silence) -> None:
    """Raises: SilenceError when *silence* has no matcher, a broken pattern, zone or recurrence, or ends before it starts."""
    if not silence.matchers:
        raise SilenceError("a silence needs a matcher: without one it would silence everything")
    if silence.end is not None and silence.end <= silence.start:
        raise SilenceError("a silence ends after it starts")
    for matcher in silence.matchers:
        try:
            matcher.fits("")
        except ValueError as error:
            raise SilenceError(f"{matcher.label}: {error}") from error
    _zone(silence.zone)
    if silence.recurrence:
        _days(silence.recurrence)
        if silence.end is None:
            raise SilenceError("a recurring silence needs an end: its first window says how long it is")


def covering(silences: Iterable[Silence], rule: AlertRule, labels: Labels, ts: float) -> Silence | None:
    """The first of *silences* that holds for an incident of *rule* with *labels* at *ts*."""
    return next((one for one in silences if holds(one, ts) and fits(one, rule, labels)), None)


def fits(silence: Silence, rule: AlertRule, labels: Labels) -> bool:
    """Whether every matcher fits; the label ``rule`` is the rule's name, ``severity`` its severity."""
    return _fit(silence, {"severity": rule.severity.value, **dict(labels), "rule": rule.name})


def hushed(silences: Iterable[Silence], one: Notification, ts: float) -> bool:
    """Whether one of *silences* holds at *ts* for what *one* tells of; its labels have the rule's name."""
    known = {"severity": one.severity.value, **dict(one.labels)}
    return any(holds(silence, ts) and _fit(silence, known) for silence in silences)


def holds(silence: Silence, ts: float) -> bool:
    """Whether *silence* is in force at *ts*; half open."""
    if ts < silence.start:
        return False
    if not silence.recurrence:
        return silence.end is None or ts < silence.end
    return any(start <= ts < end for start, end in windows(silence, ts))


def windows(silence: Silence, ts: float) -> list[tuple[float, float]]:
    """The windows of a recurring *silence* that begin on the day of *ts* or so long before that they may still last.

    They begin at the wall-clock time of the first one. An hour that a clock change skips is taken as if it hadn't been, one
    that comes twice begins the first time (PEP 495); the wall-clock end follows the same rule.
    """
    zone = _zone(silence.zone)
    first = datetime.fromtimestamp(silence.start, zone).replace(tzinfo=None)
    length = datetime.fromtimestamp(silence.end or silence.start, zone).replace(tzinfo=None) - first
    today = datetime.fromtimestamp(ts, zone).date()
    wanted = _days(silence.recurrence) or {("week", first.weekday())}
    found = []
    for back in range(length.days + 3):
        day = today + timedelta(days=1 - back)
        if day < first.date() or not {("day", 0), ("week", day.weekday()), ("month", day.day)} & wanted:
            continue
        start = datetime.combine(day, first.time())
        found.append((_unix(start, zone), _unix(start + length, zone)))
    return found


def coming(silence: Silence, now: float, count: int) -> list[tuple[float, float]]:
    """The next *count* windows of a recurring *silence* that aren't over at *now* (Unix seconds), by time; those of two months."""
    found: set[tuple[float, float]] = set()
    for day in range(LOOK):
        found |= {span for span in windows(silence, max(now, silence.start) + day * _DAY) if span[1] > now}
        if len(found) > count:  # Windows may overlap the day on which they were found.
            break
    return sorted(found)[:count]


def finished(silence: Silence, rules: Sequence[AlertRule], incidents: Iterable[Incident]) -> bool:
    """Whether a silence "until resolved" has nothing left that is open."""
    by_id = {rule.id: rule for rule in rules}
    open_ones = [one for one in incidents if one.open and one.rule_id in by_id]
    return silence.end is None and not any(fits(silence, by_id[one.rule_id], one.labels) for one in open_ones)


def over(silences: Iterable[Silence], rules: Sequence[AlertRule], incidents: Sequence[Incident]) -> list[Silence]:
    """Those "until resolved" for which something has ended since they began, and nothing is open any more."""
    by_id = {rule.id: rule for rule in rules}
    return [
        silence
        for silence in silences
        if silence.end is None and _served(silence, by_id, incidents) and finished(silence, rules, incidents)
    ]


def _served(silence: Silence, rules: Mapping[str, AlertRule], incidents: Iterable[Incident]) -> bool:
    """Whether an incident that fired and that *silence* fits has ended since it began."""
    return any(
        one.fired_at is not None
        and one.resolved_at is not None
        and one.resolved_at >= silence.start
        and one.rule_id in rules
        and fits(silence, rules[one.rule_id], one.labels)
        for one in incidents
    )


def _fit(silence: Silence, known: Mapping[str, str]) -> bool:
    return all(matcher.fits(known.get(matcher.label, "")) for matcher in silence.matchers)


def _unix(local: datetime, zone: ZoneInfo) -> float:
    return local.replace(tzinfo=zone).astimezone(UTC).timestamp()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SilenceError(f"no time zone {name!r}; one is written Europe/Berlin") from None


def _days(recurrence: str) -> set[tuple[str, int]]:
    """``daily``, ``weekly``, ``weekly mon,thu`` or ``monthly 15`` as kinds of days; empty: the weekday of the first."""
    match = _RECURRENCE.fullmatch(recurrence.strip().lower())
    if match is None:
        raise SilenceError(f"{recurrence!r}: a recurrence is daily, weekly, weekly mon,thu or monthly 15")
    if match[1]:
        return {("day", 0)}
    if match[3]:
        if not 1 <= int(match[3]) <= 31:
            raise SilenceError(f"{recurrence!r}: a month has no day {match[3]}")
        return {("month", int(match[3]))}
    names = [name.strip()[:3] for name in (match[2] or "").split(",") if name.strip()]
    if not set(names) <= set(DAYS):
        raise SilenceError(f"{recurrence!r}: days are {', '.join(DAYS)}")
    return {("week", DAYS.index(name)) for name in names}
