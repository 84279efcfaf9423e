"""One number from 0 to 100 for how well things go, and what each part of it cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from perf.settings.health import Part, Rating, RatingSettings, ScoreSettings

GRADES = ((80.0, "excellent"), (60.0, "good"), (40.0, "fair"), (0.0, "poor"))
TITLES = {
    "responses": ("Response times", "s", "p95 of requests"),
    "database": ("Database", "s", "mean of operations"),
    "errors": ("Errors", "%", "of requests"),
    "cache": ("Cache", "%", "hits"),
    "cpu": ("CPU", "%", "in use"),
    "memory": ("Memory", "%", "in use"),
}
"""Part -> its title, its unit, and what is measured."""
_RATED = {
    "query": ("Queries", "s", "database", 1.0),
    "cache": ("Cache hits", "%", "cache", 1.0),
    "cpu": ("CPU", "%", "cpu", 1.0),
    "memory": ("Process memory", "By", "process_memory", 2.0**-20),
    "score": ("Score", "1", "score", 1.0),
}
"""Setting -> title, unit, fact, and what the fact is multiplied with to be compared."""


class Rated(StrEnum):
    """What a number is called."""

    GOOD = "good"
    NEEDS_IMPROVEMENT = "needs improvement"
    POOR = "poor"


class ScorePart(msgspec.Struct, frozen=True, kw_only=True):
    """One part: its *value* (None: nobody measured it), where it is free (*target*) and where all *points* are lost (*worst*),
    and what it *cost*. Points are shares of 100 among the parts that were measured.
    """

    name: str
    title: str
    unit: str
    measures: str
    value: float | None
    target: float
    worst: float
    points: float
    cost: float


class RatedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number in *unit*, and what it is called."""

    title: str
    value: float
    unit: str
    rated: Rated


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """*value* from 0 to 100 and its *grade*; both None and empty when nothing was measured."""

    value: float | None
    grade: str
    parts: tuple[ScorePart, ...]
    ratings: tuple[RatedNumber, ...] = ()


def scored(facts: Mapping[str, float | None], settings: ScoreSettings) -> Score:
    """100 less what each part of *facts* costs. A part without a value doesn't count, and the others share its points."""
    limits: dict[str, Part] = {name: getattr(settings, name) for name in TITLES}
    whole = sum(limits[name][2] for name in TITLES if facts.get(name) is not None)
    parts = tuple(_part(name, facts.get(name), limits[name], whole) for name in TITLES)
    if whole <= 0:
        return Score(value=None, grade="", parts=parts)
    value = min(100.0, max(0.0, 100.0 - sum(part.cost for part in parts)))
    return Score(value=value, grade=grade(value), parts=parts)


def ratings(facts: Mapping[str, float | None], settings: RatingSettings) -> tuple[RatedNumber, ...]:
    """What the numbers among *facts* are called, as far as they were measured."""
    found = []
    for name, (title, unit, fact, scale) in _RATED.items():
        value = facts.get(fact)
        if value is not None:
            word = rated(value * scale, getattr(settings, name))
            found.append(RatedNumber(title=title, value=value, unit=unit, rated=word))
    return tuple(found)


def grade(value: float) -> str:
    """excellent from 80, good from 60, fair from 40, else poor."""
    return next(word for least, word in GRADES if value >= least or least == 0.0)


def rated(value: float, limits: Rating) -> Rated:
    """*value* between the limits good and poor; which of them is larger tells whether less is better."""
    good, poor = limits
    sign = 1.0 if poor > good else -1.0
    if sign * value < sign * good:
        return Rated.GOOD
    return Rated.NEEDS_IMPROVEMENT if sign * value < sign * poor else Rated.POOR


def _part(name: str, value: float | None, limits: Part, whole: float) -> ScorePart:
    target, worst, weight = limits
    title, unit, measures = TITLES[name]
    points = 0.0 if value is None or whole <= 0 else 100.0 * weight / whole
    lost = 0.0 if value is None else min(1.0, max(0.0, (value - target) / (worst - target)))
    return ScorePart(
        name=name,
        title=title,
        unit=unit,
        measures=measures,
        value=value,
        target=target,
        worst=worst,
        points=points,
        cost=points * lost,
    )
