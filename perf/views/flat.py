"""The flat summary of a program or an owner, with what only the views know: how caches did, and the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perf.health.score import scored
from perf.model import Histogram, Labels, Metric, Window
from perf.model.distribution import merge
from perf.ports import Store
from perf.record.summary import CUSTOM, REQUEST, summary
from perf.settings import HealthSettings
from perf.views import cache, health

Recorded = Sequence[tuple[Metric, Labels, Histogram | float]]
Summary = dict[str, Any]  # numbers, None, and nested tables, as old scripts read it


def owned(totals: Recorded, store: Store, settings: HealthSettings, now: float, hours: float) -> Summary:
    """What *store* knows of the last *hours*, and *totals* where it knows nothing yet."""
    known = health.facts(store, Window(now - hours * 3600.0, now + 1.0))
    found = summary(totals, store, now, hours)
    # What was recorded here a moment ago is newer than what is stored of it.
    found["custom_metrics"] = _custom(store, now - hours * 3600.0) | found["custom_metrics"]
    return _scored(found, known, settings)


def here(totals: Recorded, now: float, hours: float) -> Summary:
    """What a program without a store recorded since it began: *totals*."""
    found = summary(totals, None, now, hours)
    requests = [value for metric, _, value in totals if metric.name == REQUEST and isinstance(value, Histogram)]
    query = found["avg_query_time_ms"]
    known = {
        "responses": merge(requests).quantile(0.95) if requests else None,
        "database": None if query is None else query / 1e3,
        "errors": found["error_rate_percent"],
        "cache": _hits(totals),
    }
    return _scored(found, known, HealthSettings())


def _custom(store: Store, since: float) -> dict[str, float]:
    """Name -> the newest number that a program recorded under it, *since* then."""
    known = [info for info in store.series() if info.metric.name == CUSTOM]
    newest = sorted((one.last_ts, one.last_value, dict(one.labels)) for one in known if one.last_ts is not None)
    return {labels.get("name", ""): value for ts, value, labels in newest if ts >= since and value is not None}


def _scored(found: Summary, known: dict[str, float | None], settings: HealthSettings) -> Summary:
    score = scored(known, settings.score).value
    return found | {"cache_hit_rate_percent": known["cache"], "system_health_score": score}


def _hits(totals: Recorded) -> float | None:
    """Percent of the requests of caches that a tier answered; None without any."""
    tiers = [(dict(labels).get("tier"), value) for metric, labels, value in totals if metric.name == cache.REQUESTS]
    requests = sum(value for _, value in tiers if isinstance(value, float))
    loaded = sum(value for tier, value in tiers if isinstance(value, float) and tier == cache.LOADED)
    return 100.0 * (1.0 - loaded / requests) if requests else None
