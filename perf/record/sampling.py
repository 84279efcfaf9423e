"""How many calls may be measured, so that recording stays within its share of a core. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 10_000
"""One call in so many is measured at least."""


def every(calls: Sequence[int], allowed: float) -> list[int]:
    """For each series with so many *calls*: measure one in how many, so that about *allowed* are measured in all.

    The busiest give first: all series get the same allowance, and what the quiet ones don't use goes to the others.
    """
    if sum(calls) <= allowed:
        return [1] * len(calls)
    cap = _cap(calls, allowed)
    return [min(MOST, max(1, math.ceil(n / cap))) for n in calls]


def _cap(calls: Sequence[int], allowed: float) -> float:
    """The most calls that one series may measure."""
    left = max(allowed, 1.0)
    ordered = sorted(calls)
    for index, n in enumerate(ordered):
        share = left / (len(ordered) - index)
        if n > share:
            return share
        left -= n
    return math.inf
