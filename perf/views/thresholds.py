"""Thresholds in force, how they are changed, and what one would have meant."""

from __future__ import annotations

import msgspec
import numpy as np

from perf.model import Across, Aggregate, Array, Change, RangeQuery, Selector, Threshold, Window
from perf.ports import Clock, MetricStore, Overrides, Store
from perf.settings import Settings, as_thresholds, check_threshold
from perf.store.writer import Writer
from perf.views.audit import AuditLog
from perf.views.writes import PATIENCE, written

_PREFIX = "thresholds."
_STEP = 60.0


class Breaches(msgspec.Struct, frozen=True, kw_only=True):
    """What a limit would have meant: times above it, *seconds* in all, and the highest value seen (None without data)."""

    times: int
    seconds: float
    highest: float | None


def in_force(settings: Settings, overrides: Overrides) -> dict[str, Threshold]:
    """Metric -> threshold: the configured ones, with stored changes winning."""
    changed = {
        path.removeprefix(_PREFIX): as_thresholds(value)
        for path, value in overrides.overrides().items()
        if path.startswith(_PREFIX)
    }
    return {**settings.thresholds, **changed}


def change(
    store: MetricStore, writer: Writer, clock: Clock, metric: str, threshold: Threshold | None, *, author: str
) -> None:
    """Store *threshold* for *metric* (None: back to the configured one); durable when it returns.

    Raises: SettingsError for limits that make no sense, StoreError when it can't be stored (then it never will be).
    """
    if threshold is not None:
        check_threshold(f"thresholds.{metric}", threshold)
    value = None if threshold is None else msgspec.json.encode(threshold).decode()
    before = store.overrides().get(_PREFIX + metric, "")
    entry = Change(ts=clock.now(), path=_PREFIX + metric, value=value, author=author)
    written(writer, lambda: store.override(entry), f"thresholds.{metric}", patience=PATIENCE)
    AuditLog(store, writer, clock).note("threshold.change", metric, before=before, after=value or "", by=author)


def breaches(store: Store, metric: str, limit: float, window: Window) -> Breaches:
    """How often the worst series of *metric* stood above *limit*, by the averages of whole minutes in *window*."""
    query = RangeQuery(selector=Selector(metric), window=window, step=_STEP, aggregate=Aggregate.AVG, across=Across.MAX)
    found = store.read(query)
    if not found or not len(found[0].ts):
        return Breaches(times=0, seconds=0.0, highest=None)
    series = found[0]
    times, seconds = _spells(series.ts, series.values > limit, max(series.step, _STEP))
    return Breaches(times=times, seconds=seconds, highest=float(np.max(series.values)))


def _spells(ts: Array, above: np.ndarray[tuple[int], np.dtype[np.bool_]], step: float) -> tuple[int, float]:
    """Runs of *above* (n,), and their length in seconds; a hole in *ts* ends a run."""
    joined = np.concatenate(([False], above[:-1] & (np.diff(ts) <= 2.5 * step)))
    return int(np.count_nonzero(above & ~joined)), float(np.count_nonzero(above) * step)
