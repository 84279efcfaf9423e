"""A value beyond a limit: any condition over the newest sample, or over an aggregate of whole windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from perf.alerts.condition import Condition, Limit, Row, compile
from perf.alerts.kinds.track import BETWEEN, BREACH, CLEARED, Track
from perf.errors import RuleError
from perf.model import Aggregate, AlertRule, Array, Labels, Metric, RangeQuery, Selector, Window
from perf.ports import Store

Codes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

_COMPARE: Mapping[str, np.ufunc] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


class Subject:
    """A threshold rule, read once: its condition, and which series it watches."""

    def __init__(self, rule: AlertRule) -> None:
        """Raises: ConditionError, RuleError."""
        self.rule = rule
        self.condition: Condition = compile(rule.condition)
        self.metric = rule.metric or self.condition.metric
        if not self.metric:
            raise RuleError(f"{rule.name}: say which metric, like: name == 'cpu_usage_percent' and value > 85")
        if self.condition.metric and rule.metric and self.condition.metric != rule.metric:
            raise RuleError(f"{rule.name}: the metric is {rule.metric}, but the condition asks for another")
        if rule.clear is not None and self.condition.limit is None:
            raise RuleError(f"{rule.name}: a clear limit needs a condition with one limit, like: value > 85")
        if rule.aggregate not in tuple(Aggregate):
            raise RuleError(f"{rule.name}: no aggregate {rule.aggregate!r}; known: {', '.join(Aggregate)}")
        self.selector = Selector(self.metric, rule.labels)

    def codes(self, metric: Metric, labels: Labels, ts: Array, values: Array) -> Codes:
        """Whether each of *values* (n,) of one series that is watched breaches or clears (n,)."""
        condition, limit = self.condition, self.condition.limit
        if limit is None:
            row = dict(labels)
            pairs = zip(values.tolist(), ts.tolist(), strict=True)
            rows = (Row(metric.name, _known(value), row, metric.unit, at) for value, at in pairs)
            return np.fromiter((BREACH if condition.closure(one) else CLEARED for one in rows), np.int8, len(values))
        return coded(values, limit, self.rule.clear)

    def watches(self, metric: Metric, labels: Labels) -> bool:
        """Whether the rule looks at a series at all."""
        if not self.selector.matches(metric.name, labels):
            return False
        return self.condition.limit is None or self.meant(metric, labels)

    def meant(self, metric: Metric, labels: Labels) -> bool:
        """Whether the condition, apart from its limit, holds for a series."""
        return self.condition.rest(Row(metric.name, None, dict(labels), metric.unit)) is True


def coded(values: Array, limit: Limit, clear: float | None) -> Codes:
    """Codes of *values* (n,); what isn't a number breaches nothing."""
    compare = _COMPARE[limit.operator]
    breach = compare(values, limit.number)
    if clear is None:
        return np.where(breach, np.int8(BREACH), np.int8(CLEARED))
    return np.where(breach, np.int8(BREACH), np.where(compare(values, clear), np.int8(BETWEEN), np.int8(CLEARED)))


def beyond(values: Array, limit: Limit) -> Flags:
    """Which of *values* (n,) breach *limit*, without a clear limit; what isn't a number breaches nothing."""
    return np.asarray(_COMPARE[limit.operator](values, limit.number))


def tracks(rule: AlertRule, store: Store, window: Window) -> list[Track]:
    """Every series by itself, or the groups that the rule names."""
    subject = Subject(rule)
    shift = 0.0 if rule.aggregate == Aggregate.LAST else rule.step  # a whole window is judged at its end
    first, last = math.ceil(window.start / rule.step), math.ceil(window.end / rule.step)
    begin, end = max(0.0, first * rule.step - shift), last * rule.step - shift
    if end <= begin:
        return []
    query = RangeQuery(
        selector=subject.selector, window=Window(begin, end), step=rule.step, aggregate=Aggregate(rule.aggregate)
    )
    found = []
    for series in store.read(query):
        if not subject.watches(series.metric, series.labels):
            continue
        codes = subject.codes(series.metric, series.labels, series.ts, series.values)
        found.append(Track(series.labels, series.ts + shift, codes, series.values))
    return grouped(found, rule.by) if rule.by else found


def grouped(tracks: Sequence[Track], by: Sequence[str]) -> list[Track]:
    """*tracks* together where they agree in the labels *by*: the worst code of each moment, and the value that has it."""
    groups: dict[Labels, list[Track]] = {}
    for track in tracks:
        labels = tuple(pair for pair in track.labels if pair[0] in by)
        groups.setdefault(labels, []).append(track)
    return [_together(labels, members) for labels, members in groups.items()]


def _together(labels: Labels, members: Sequence[Track]) -> Track:
    ts = np.concatenate([track.ts for track in members])
    codes = np.concatenate([track.codes for track in members])
    values = np.concatenate([track.values for track in members])
    order = np.lexsort((values, codes, ts))
    last = np.append(np.diff(ts[order]) != 0, True) if len(ts) else np.zeros(0, np.bool_)
    chosen = order[last]
    return Track(labels, ts[chosen], codes[chosen], values[chosen])


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
