"""An error budget that burns too fast: bad events against all, over a long span and a short one that proves it goes on.

Spans and factors: Google, The Site Reliability Workbook, chapter 5, table 5-8.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from perf.alerts.kinds.track import BREACH, CLEARED, Track
from perf.errors import RuleError
from perf.model import Aggregate, AlertRule, Array, Kind, RangeQuery, Selector, Window
from perf.ports import Store
from perf.selectors import parse

Minutes = npt.NDArray[np.int64]

MINUTE = 60.0


class Span(NamedTuple):
    """Minutes looked back on, long and short, and how many times too fast is too fast."""

    long: int
    short: int
    factor: float


SPANS = (Span(60, 5, 14.4), Span(6 * 60, 30, 6.0), Span(3 * 24 * 60, 6 * 60, 1.0))


def tracks(rule: AlertRule, store: Store, window: Window) -> list[Track]:
    """One track, of the rule's own labels, minute by minute; its value is how many times too fast the budget burns.

    Minutes without any event in the longest of the spans are absent. The minimum of bad events counts in the long span: in
    the short one a small service whose every request fails would never reach it.
    """
    if rule.objective is None or not 0.0 < rule.objective < 1.0:
        raise RuleError(f"{rule.name}: a burn rate needs an objective between 0 and 1, like 0.999")
    first, last = math.ceil(window.start / MINUTE), math.ceil(window.end / MINUTE)
    if last <= first:
        return []
    begin = max(0, first - SPANS[-1].long)
    bad, total = (_sums(store, _selector(rule, text), begin, last - 1) for text in (rule.bad, rule.total))
    minutes = np.arange(first, last, dtype=np.int64)
    at = minutes - begin
    burning = np.zeros(len(minutes), np.bool_)
    value = np.zeros(len(minutes))
    for span in SPANS:
        long, short = (_burn(bad, total, at, length, 1.0 - rule.objective) for length in span[:2])
        events = _within(bad, at, span.long)
        # Counters give increases that are a hair off whole numbers.
        held = (long >= span.factor) & (short >= span.factor) & (events > rule.min_events - 0.5)
        burning |= held
        value = np.where(held, np.maximum(value, long), value)
    value = np.where(burning, value, _burn(bad, total, at, SPANS[0].long, 1.0 - rule.objective))
    some = _within(total, at, SPANS[-1].long) > 0.0
    codes = np.where(burning, np.int8(BREACH), np.int8(CLEARED))
    return [Track(rule.labels, (minutes[some] * MINUTE).astype(np.float64), codes[some], value[some])]


def _selector(rule: AlertRule, text: str) -> Selector:
    if not text:
        raise RuleError(f"{rule.name}: a burn rate needs what is bad and the total, as selectors")
    expression = parse(text)
    if expression.aggregate or expression.across:
        raise RuleError(f"{rule.name}: a selector has no functions: {text}")
    return expression.selector


def _sums(store: Store, selector: Selector, begin: int, end: int) -> Array:
    """Events before each minute from *begin* to *end* + 1, (end - begin + 1,): differences are counts."""
    counts = np.zeros(max(0, end - begin))
    if len(counts):
        kinds = {info.metric.kind for info in store.series() if info.metric.name == selector.metric}
        wide = Kind.HISTOGRAM in kinds
        query = RangeQuery(
            selector=selector,
            window=Window(begin * MINUTE, end * MINUTE),
            step=MINUTE,
            aggregate=Aggregate.COUNT if wide else Aggregate.RATE,
        )
        for series in store.read(query):
            places = np.rint(series.ts / MINUTE).astype(np.int64) - begin
            # A coarser answer, of old data, spreads evenly over the minutes of its step.
            width = max(1, round(series.step / MINUTE))
            share = series.values / width if wide else series.values * MINUTE
            for offset in range(width):
                inside = places + offset < len(counts)
                np.add.at(counts, places[inside] + offset, share[inside])
    return np.concatenate(([0.0], np.cumsum(counts)))


def _within(sums: Array, at: Minutes, length: int) -> Array:
    """Events in the *length* minutes before each minute *at* (n,)."""
    return np.asarray(sums[at] - sums[np.maximum(0, at - length)])


def _burn(bad: Array, total: Array, at: Minutes, length: int, budget: float) -> Array:
    """How many times faster than *budget* allows the events of *length* minutes went bad; 0 without events."""
    events = _within(total, at, length)
    share = np.divide(_within(bad, at, length), events, out=np.zeros(len(events)), where=events > 0.0)
    return np.asarray(share / budget)
