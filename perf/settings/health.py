"""The settings group ``health``: what is probed, how often, and what a score is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from perf.settingtree import Group, Seconds, says

Part: TypeAlias = tuple[float, float, float]
"""A part of the score: free up to the first number, all of its points (the third) lost from the second on, in proportion between."""

Rating: TypeAlias = tuple[float, float]
"""A number is good up to the first, needs improvement up to the second, and is poor beyond; downwards where less is worse."""


class ScoreSettings(Group, frozen=True):
    """What the score is made of: for each part where it is free, where all is lost, and its points. Parts without data don't count."""

    window: Annotated[Seconds, says("time that it looks back on")] = 3600.0
    responses: Annotated[Part, says("p95 of requests, in seconds")] = (0.5, 5.0, 30.0)
    database: Annotated[Part, says("mean of database operations, in seconds")] = (0.2, 5.0, 20.0)
    errors: Annotated[Part, says("failed requests, in percent")] = (1.0, 10.0, 25.0)
    cache: Annotated[Part, says("hits of caches, in percent")] = (85.0, 35.0, 10.0)
    cpu: Annotated[Part, says("CPU in use, in percent")] = (70.0, 100.0, 8.0)
    memory: Annotated[Part, says("memory in use, in percent")] = (80.0, 100.0, 7.0)


class RatingSettings(Group, frozen=True):
    """Up to where a number is good, and from where on poor; between them it needs improvement."""

    query: Annotated[Rating, says("mean of database operations, in seconds")] = (1.0, 5.0)
    cache: Annotated[Rating, says("hits of caches, in percent")] = (85.0, 70.0)
    cpu: Annotated[Rating, says("CPU in use, in percent")] = (50.0, 70.0)
    memory: Annotated[Rating, says("memory of a process, in MiB")] = (256.0, 512.0)
    score: Annotated[Rating, says("the score itself")] = (90.0, 70.0)


class HealthSettings(Group, frozen=True):
    """What is probed beside perf itself, and what the score is made of."""

    timeout: Annotated[Seconds, says("longest time of a probe that names none")] = 2.0
    interval: Annotated[Seconds, says("how often a probe runs that names none")] = 10.0
    probes: Annotated[
        dict[str, dict[str, Any]],  # Any: each kind has its own options, and checks them itself
        says("by name: kind and options (docs/guides/health.md)"),
    ] = msgspec.field(default_factory=dict)
    score: ScoreSettings = ScoreSettings()
    ratings: RatingSettings = RatingSettings()


def problems(settings: HealthSettings) -> str:
    """What contradicts in *settings*; empty when nothing does."""
    for name in settings.score.__struct_fields__[1:]:
        target, worst, points = part = getattr(settings.score, name)
        if not all(map(math.isfinite, part)) or target == worst or points < 0:
            return (
                f"health.score.{name}: the first two numbers differ, points are not negative, and all three are finite"
            )
    for name in settings.ratings.__struct_fields__:
        good, poor = getattr(settings.ratings, name)
        if not math.isfinite(good) or not math.isfinite(poor) or good == poor:
            return f"health.ratings.{name}: good and poor differ, and are finite"
    return ""


def secrets(settings: HealthSettings) -> Iterator[str]:
    """Every value in *settings* that nobody may read: headers, connection strings, and passwords in addresses."""
    for options in settings.probes.values():
        headers = options.get("headers")
        yield from (str(value) for value in (headers.values() if isinstance(headers, dict) else ()))
        for key in ("url", "dsn"):
            text = str(options.get(key, ""))
            yield text if key == "dsn" else _password(text)


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
