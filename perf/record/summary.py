"""The flat summary that people and old scripts read: from the store where this process has one, else from the recorder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from perf.model import Aggregate, Histogram, Labels, Metric, RangeQuery, Selector, Window
from perf.ports import Store

FUNCTION = "function_duration_seconds"
ERRORS = "function_errors_total"
REQUEST = "http_server_request_duration_seconds"
OPERATION = "db_client_operation_duration_seconds"
PAGE = "page_load_seconds"
CUSTOM = "custom_metric"

_TIMED = (FUNCTION, REQUEST, OPERATION, PAGE)
_STEP = 60.0
_STEPS = 400

Totals: TypeAlias = Iterable[tuple[Metric, Labels, Histogram | float]]


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


def summary(
    totals: Totals, store: Store | None, now: float, hours: float
) -> dict[str, Any]:  # a dict, as old scripts read it
    """What is known of the last *hours*; what has no data is None, never 0. Without *store*: since the process began.

    Times in keys that end in ``_ms`` are milliseconds; ``function_avg_duration_...`` is in seconds.
    """
    timed: _Timed = {}
    numbers: dict[tuple[str, Labels], float] = {}
    for metric, labels, value in totals:
        if isinstance(value, Histogram):
            timed[metric.name, labels] = Facts(count=value.count, total=value.total, low=value.low, high=value.high)
        else:
            numbers[metric.name, labels] = value
    if store is not None:
        # What was recorded a moment ago isn't stored yet.
        timed |= _stored(store, Window(now - hours * 3600.0, now + 1.0))
    memory = _mean(store, "process_memory_bytes", now, hours)
    found: dict[str, Any] = {  # numbers, None, and the nested tables
        "timestamp": now,
        "hours": hours,
        "avg_query_time_ms": _average_ms(_by(timed, OPERATION, ())),
        "error_rate_percent": _error_percent(timed, numbers),
        "cpu_usage_percent": _mean(store, "cpu_usage_percent", now, hours),
        "memory_usage_percent": _mean(store, "memory_usage_percent", now, hours),
        "memory_usage_mb": None if memory is None else memory / 2**20,
        "api_requests": _table(_by(timed, REQUEST, ("http_request_method", "http_route")), "request_count"),
        "database_operations": _table(_by(timed, OPERATION, ("db_operation", "db_collection")), "operation_count"),
        "page_loads": _table(_by(timed, PAGE, ("page",)), "load_count"),
        "custom_metrics": {dict(labels)["name"]: value for (name, labels), value in numbers.items() if name == CUSTOM},
    }
    for key, facts in _by(timed, FUNCTION, ("function",)).items():
        found[f"function_avg_duration_{key}"] = facts.total / facts.count
        found[f"function_call_count_{key}"] = facts.count
    return found


def _stored(store: Store, window: Window) -> _Timed:
    step = max(_STEP, round(window.seconds / _STEPS / _STEP) * _STEP)
    found: _Timed = {}
    for name in _TIMED:
        for part in store.distributions(RangeQuery(selector=Selector(name), window=window, step=step), shape=False):
            if len(part.ts):
                found[name, part.labels] = Facts(
                    count=int(part.count.sum()),
                    total=float(part.total.sum()),
                    low=float(part.low.min()),
                    high=float(part.high.max()),
                )
    return found


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


def _error_percent(timed: _Timed, numbers: Mapping[tuple[str, Labels], float]) -> float | None:
    """Failed requests (5xx) of all where there are requests, else failed calls of all calls since the process began."""
    status = _by(timed, REQUEST, ("http_response_status_code",))
    if status:
        failed = sum(one.count for code, one in status.items() if code.startswith("5"))
        return 100.0 * failed / sum(one.count for one in status.values())
    calls = sum(one.count for one in _by(timed, FUNCTION, ()).values())
    errors = sum(value for (name, _), value in numbers.items() if name == ERRORS)
    return min(100.0, 100.0 * errors / calls) if calls else None


def _mean(store: Store | None, metric: str, now: float, hours: float) -> float | None:
    """The mean of the first series of *metric* over the last *hours*."""
    if store is None:
        return None
    window = Window(now - hours * 3600.0, now + 1.0)
    step = max(_STEP, round(window.seconds / _STEPS / _STEP) * _STEP)
    query = RangeQuery(selector=Selector(metric), window=window, step=step, aggregate=Aggregate.AVG)
    series = next((one for one in store.read(query) if len(one.values)), None)
    return None if series is None else float(series.values.mean())
