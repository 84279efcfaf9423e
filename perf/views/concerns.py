"""What is above its threshold now, and since when: the facts behind the dashboard's one-sentence answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from perf.model import Aggregate, Labels, RangeQuery, Selector, SeriesInfo, Status, Threshold, Window
from perf.ports import Store
from perf.views.gaps import after_gaps
from perf.views.series import newest

LOOKBACK = 86_400.0
_STEP = 60.0
_RECENT, _FINE = 60.0, 5.0


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """A series above its threshold: its mean of the last minute, the *limit* it is above, and since when (Unix seconds)."""

    metric: str
    labels: Labels
    unit: str
    value: float
    limit: float
    status: Status
    since: float


def concerns(store: Store, thresholds: Mapping[str, Threshold], now: float) -> list[Concern]:
    """Every series above its threshold at *now*, the worst first."""
    found = [
        concern
        for metric, threshold in thresholds.items()
        for info in newest(store, metric, now)
        if (concern := _concern(store, info, threshold, now)) is not None
    ]
    return sorted(found, key=lambda concern: (-concern.status.rank, concern.metric, concern.labels))


def _concern(store: Store, info: SeriesInfo, threshold: Threshold, now: float) -> Concern | None:
    value = _mean(store, info, now)
    status = threshold.status(value)
    if value is None or status in (Status.HEALTHY, Status.UNKNOWN):
        return None
    limit = threshold.warning
    if status is Status.UNHEALTHY and threshold.critical is not None:
        limit = threshold.critical
    return Concern(
        metric=info.metric.name,
        labels=info.labels,
        unit=info.metric.unit,
        value=value,
        limit=limit,
        status=status,
        since=_since(store, info, limit, now),
    )


def _mean(store: Store, info: SeriesInfo, now: float) -> float | None:
    """The mean of the last minute: one spike isn't a state."""
    # In fine steps: one wide step would be cut in two by the next multiple of its width.
    series = store.read(_query(info, Window(now - _RECENT, now + 1.0), _FINE))
    return float(series[0].values.mean()) if series else None


def _since(store: Store, info: SeriesInfo, limit: float, now: float) -> float:
    """When the present run of minutes above *limit* began; at most a day back, and not before data are missing."""
    series = store.read(_query(info, Window(now - LOOKBACK, now + 1.0), _STEP))
    if not series or not len(series[0].ts):
        return now
    ts, above = series[0].ts, series[0].values > limit
    if not above[-1]:  # The present minute has just begun; what it holds so far says little.
        ts, above = ts[:-1], above[:-1]
    below, missing = np.flatnonzero(~above), after_gaps(ts, _STEP)
    first = max(int(below[-1]) + 1 if len(below) else 0, int(missing[-1]) if len(missing) else 0)
    return float(ts[first]) if first < len(ts) else now


def _query(info: SeriesInfo, window: Window, step: float) -> RangeQuery:
    return RangeQuery(
        selector=Selector(info.metric.name, info.labels), window=window, step=step, aggregate=Aggregate.AVG
    )
