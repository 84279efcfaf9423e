"""The flat summary that people and old scripts read: from the store where this process has one, else from what it recorded itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from perf.health.score import scored
from perf.model import Histogram, Labels, Metric, RangeQuery, Selector, Window
from perf.model.distribution import merge
from perf.ports import Store
from perf.settings import HealthSettings
from perf.views import cache, health
from perf.views.distributions import ERRORS, FUNCTION, OPERATION, PAGE, REQUEST, STATUS
from perf.views.series import means, minutes

Recorded: TypeAlias = Sequence[tuple[Metric, Labels, Histogram | float]]
Summary: TypeAlias = dict[str, Any]  # numbers, None, and nested tables, as old scripts read it
"""What has no data is None, never 0. Times in keys that end in ``_ms`` are milliseconds; ``function_avg_duration_...`` is in seconds."""

CUSTOM = "custom_metric"
_TIMED = (FUNCTION, REQUEST, OPERATION, PAGE)
_RESOURCES = {
    "cpu_usage_percent": ("cpu_usage_percent", 1.0),
    "memory_usage_percent": ("memory_usage_percent", 1.0),
    "memory_usage_mb": ("process_memory_bytes", 2.0**20),
}
"""Key -> the metric whose mean it is, and by what that is divided."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Count, sum and extremes of durations, in seconds."""

    count: int
    total: float
    low: float
    high: float

    def plus(self, other: Facts) -> Facts:
        """Both together."""
        return Facts(
            count=self.count + other.count,
            total=self.total + other.total,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )


_Timed: TypeAlias = dict[tuple[str, Labels], Facts]
_Numbers: TypeAlias = dict[tuple[str, Labels], float]


def owned(totals: Recorded, store: Store, settings: HealthSettings, now: float, hours: float) -> Summary:
    """What *store* knows of the last *hours*, and *totals* where it knows nothing yet: they are stored in a moment."""
    window = Window(now - hours * 3600.0, now + 1.0)
    timed, numbers = _split(totals)
    found = _flat(timed | _stored(store, window), numbers, now, hours)
    for key, (metric, unit) in _RESOURCES.items():
        found[key] = next((mean / unit for mean in means(store, metric, window)), None)
    # What was recorded here a moment ago is newer than what is stored of it.
    found["custom_metrics"] = _custom(store, window.start) | found["custom_metrics"]
    return _scored(found, health.facts(store, window), settings)


def here(totals: Recorded, now: float, hours: float) -> Summary:
    """What a program without a store recorded since it began: *totals*."""
    timed, numbers = _split(totals)
    found = _flat(timed, numbers, now, hours)
    requests = [value for metric, _, value in totals if metric.name == REQUEST and isinstance(value, Histogram)]
    query = found["avg_query_time_ms"]
    known = {
        "responses": merge(requests).quantile(0.95) if requests else None,
        "database": None if query is None else query / 1e3,
        "errors": found["error_rate_percent"],
        "cache": _hits(numbers),
    }
    return _scored(found, known, HealthSettings())


def _split(totals: Recorded) -> tuple[_Timed, _Numbers]:
    """Durations, and everything else."""
    timed: _Timed = {}
    numbers: _Numbers = {}
    for metric, labels, value in totals:
        if isinstance(value, Histogram):
            timed[metric.name, labels] = Facts(count=value.count, total=value.total, low=value.low, high=value.high)
        else:
            numbers[metric.name, labels] = value
    return timed, numbers


def _flat(timed: _Timed, numbers: _Numbers, now: float, hours: float) -> Summary:
    found: Summary = {
        "timestamp": now,
        "hours": hours,
        "avg_query_time_ms": _average_ms(_by(timed, OPERATION, ())),
        "error_rate_percent": _error_percent(timed, numbers),
        **dict.fromkeys(_RESOURCES),
        "api_requests": _table(_by(timed, REQUEST, ("http_request_method", "http_route")), "request_count"),
        "database_operations": _table(_by(timed, OPERATION, ("db_operation", "db_collection")), "operation_count"),
        "page_loads": _table(_by(timed, PAGE, ("page",)), "load_count"),
        "custom_metrics": {dict(labels)["name"]: value for (name, labels), value in numbers.items() if name == CUSTOM},
    }
    for key, facts in _by(timed, FUNCTION, ("function",)).items():
        found[f"function_avg_duration_{key}"] = facts.total / facts.count
        found[f"function_call_count_{key}"] = facts.count
    return found


def _scored(found: Summary, known: Mapping[str, float | None], settings: HealthSettings) -> Summary:
    score = scored(known, settings.score).value
    return found | {"cache_hit_rate_percent": known["cache"], "system_health_score": score}


def _stored(store: Store, window: Window) -> _Timed:
    found: _Timed = {}
    for name in _TIMED:
        query = RangeQuery(selector=Selector(name), window=window, step=minutes(window))
        for part in store.distributions(query, shape=False):
            if len(part.ts):
                found[name, part.labels] = Facts(
                    count=int(part.count.sum()),
                    total=float(part.total.sum()),
                    low=float(part.low.min()),
                    high=float(part.high.max()),
                )
    return found


def _custom(store: Store, since: float) -> dict[str, float]:
    """Name -> the newest number that a program recorded under it, *since* then."""
    known = [info for info in store.series() if info.metric.name == CUSTOM]
    newest = sorted((one.last_ts, one.last_value, dict(one.labels)) for one in known if one.last_ts is not None)
    return {labels.get("name", ""): value for ts, value, labels in newest if ts >= since and value is not None}


def _by(timed: _Timed, metric: str, names: tuple[str, ...]) -> dict[str, Facts]:
    """The facts of *metric*, together for all series with the same values of the labels *names*, joined by colons."""
    found: dict[str, Facts] = {}
    for (name, labels), facts in timed.items():
        if name == metric and facts.count:
            values = dict(labels)
            key = ":".join(values.get(label, "") for label in names)
            found[key] = found[key].plus(facts) if key in found else facts
    return found


def _table(facts: Mapping[str, Facts], count: str) -> dict[str, dict[str, float]]:
    return {
        key: {
            count: one.count,
            "avg_duration_ms": one.total / one.count * 1e3,
            "max_duration_ms": one.high * 1e3,
            "min_duration_ms": one.low * 1e3,
        }
        for key, one in facts.items()
    }


def _average_ms(facts: Mapping[str, Facts]) -> float | None:
    return next((one.total / one.count * 1e3 for one in facts.values()), None)


def _error_percent(timed: _Timed, numbers: _Numbers) -> float | None:
    """Failed requests (5xx) of all where there are requests, else failed calls of all calls since the process began."""
    status = _by(timed, REQUEST, (STATUS,))
    if status:
        failed = sum(one.count for code, one in status.items() if code.startswith("5"))
        return 100.0 * failed / sum(one.count for one in status.values())
    calls = sum(one.count for one in _by(timed, FUNCTION, ()).values())
    errors = sum(value for (name, _), value in numbers.items() if name == ERRORS)
    return min(100.0, 100.0 * errors / calls) if calls else None


def _hits(numbers: _Numbers) -> float | None:
    """Percent of the requests of caches that a tier answered; None without any."""
    tiers = [(dict(labels).get("tier"), count) for (name, labels), count in numbers.items() if name == cache.REQUESTS]
    requests = sum(count for _, count in tiers)
    loaded = sum(count for tier, count in tiers if tier == cache.LOADED)
    return 100.0 * (1.0 - loaded / requests) if requests else None
