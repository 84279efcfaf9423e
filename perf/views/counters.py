"""What counters counted in a window, exactly where their samples reach."""

from __future__ import annotations

import math

import numpy as np

from perf.model import Aggregate, Labels, RangeQuery, Selector, Series, Window
from perf.ports import Store

MOST_STEPS = 1_000
REACH = 300.0
"""How far before the window (seconds) the value to count from is looked for."""
_WIDTHS = ((2 * 3_600.0, 1.0), (60 * 86_400.0, 60.0), (math.inf, 3_600.0))


def increases(store: Store, name: str, window: Window) -> list[tuple[Labels, float]]:
    """How much every series of the counter *name* grew in *window*; resets count from zero.

    A window beyond a quarter of an hour is widened at its edges, by a thousandth of its length at most.
    """
    row = next(width for longest, width in _WIDTHS if window.seconds <= longest)
    step = math.ceil(window.seconds / row / MOST_STEPS) * row
    asked = Window(window.start - max(REACH, step), window.end)
    query = RangeQuery(selector=Selector(name), window=asked, step=step, aggregate=Aggregate.LAST)
    first = math.floor(window.start / step) * step
    return [(series.labels, _grown(series, first)) for series in store.read(query)]


def _grown(series: Series, first: float) -> float:
    """The increase in the steps from *first* on, out of the last value and the extremes of each."""
    last, low, high = series.values, series.low, series.high
    before = np.concatenate((low[:1], last[:-1]))
    # In a step with a reset the counter went from the value before up to its highest, and again from zero to its last.
    grown = np.where(low < before, np.where(high > last, np.maximum(high - before, 0.0), 0.0) + last, last - before)
    return float(np.maximum(grown, 0.0)[series.ts >= first].sum())
