"""Samples that stopped, or never came: none of a metric's series with the rule's labels had one within the window."""

from __future__ import annotations

import math

import numpy as np

from perf.alerts.kinds.track import BREACH, CLEARED, Track
from perf.errors import RuleError
from perf.model import EVERY, Across, Aggregate, AlertRule, RangeQuery, Selector, Window
from perf.ports import Store

LOOK = 10.0
"""Windows looked back on, so that the silence can be told."""


def tracks(rule: AlertRule, store: Store, window: Window) -> list[Track]:
    """One track, of the rule's own labels; its value is the silence in seconds, NaN when that began before what is looked at."""
    if not rule.metric:
        raise RuleError(f"{rule.name}: say which metric must not be absent")
    ticks = np.arange(math.ceil(window.start / EVERY), math.ceil(window.end / EVERY)).astype(np.float64) * EVERY
    begin = math.floor((window.start - LOOK * rule.window) / EVERY) * EVERY
    query = RangeQuery(
        selector=Selector(rule.metric, rule.labels),
        window=Window(max(0.0, begin), window.end),
        step=EVERY,
        aggregate=Aggregate.COUNT,
        across=Across.SUM,
    )
    found = store.read(query)
    came = np.concatenate(([-math.inf], found[0].ts)) if found else np.array([-math.inf])
    silence = ticks - came[np.searchsorted(came, ticks, "right") - 1]
    codes = np.where(silence > rule.window, np.int8(BREACH), np.int8(CLEARED))
    return [Track(rule.labels, ticks, codes, np.where(np.isfinite(silence), silence, np.nan))]
