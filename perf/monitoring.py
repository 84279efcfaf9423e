"""The public face of recording: decorators, timers and the process's one monitor. It delegates, and holds no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import msgspec

from perf.clock import SystemClock
from perf.model import Exemplar, Kind, Metric, Threshold
from perf.ports import Clock
from perf.record import Edge, Recorder, current
from perf.record.callers import edges
from perf.record.recorder import RecordError
from perf.record.timers import FUNCTION, OPERATION, PAGE, Timer, recorded
from perf.record.watch import Watch

__all__ = [
    "DatabaseOperationMixin",
    "PerformanceMetric",
    "PerformanceMetricType",
    "PerformanceMonitor",
    "PerformanceTimer",
    "async_performance_timer",
    "get_performance_monitor",
    "log_processing_step",
    "monitor_performance",
    "start_performance_monitoring",
    "track_performance",
]

CUSTOM = Metric("custom_metric", Kind.GAUGE, "", "A number that a program recorded under a name of its own.")
ITEMS = Metric("processing_items_total", Kind.COUNTER, "1", "Items that a processing step has worked on.")

_Function = TypeVar("_Function", bound=Callable[..., Any])  # any signature


class Done:
    """An answer that is there already: awaiting it costs nothing, and neither does leaving it be."""

    def __await__(self) -> Generator[None, None, None]:
        """Nothing to wait for."""
        yield from ()


class PerformanceMetricType(StrEnum):
    """What a metric recorded by hand is about."""

    CPU_USAGE = "cpu_usage"
    MEMORY_USAGE = "memory_usage"
    RESPONSE_TIME = "response_time"
    DATABASE_QUERY_TIME = "database_query_time"
    SEARCH_RESPONSE_TIME = "search_response_time"
    DOCUMENT_PROCESSING_TIME = "document_processing_time"
    DISK_IO = "disk_io"
    NETWORK_IO = "network_io"

    @property
    def threshold(self) -> Threshold:
        """Its limits: percent for CPU and memory, seconds for times, MB/s for input and output."""
        return _THRESHOLDS[self]


_THRESHOLDS: Mapping[PerformanceMetricType, Threshold] = {
    PerformanceMetricType.CPU_USAGE: Threshold(50.0, 70.0),
    PerformanceMetricType.MEMORY_USAGE: Threshold(90.0, 97.0),
    PerformanceMetricType.RESPONSE_TIME: Threshold(0.5, 5.0),
    PerformanceMetricType.DATABASE_QUERY_TIME: Threshold(1.0, 5.0),
    PerformanceMetricType.SEARCH_RESPONSE_TIME: Threshold(0.5, 5.0),
    PerformanceMetricType.DOCUMENT_PROCESSING_TIME: Threshold(10.0, 60.0),
    PerformanceMetricType.DISK_IO: Threshold(100.0, 500.0),
    PerformanceMetricType.NETWORK_IO: Threshold(50.0, 100.0),
}


class PerformanceMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One number recorded by hand. *timestamp* is Unix seconds or a datetime (naive means UTC); None means now.

    *metric_type* may be its text. *tags* become labels; *context* is for people and is not stored. Raises: RecordError.
    """

    metric_type: PerformanceMetricType
    value: float
    timestamp: float | datetime | None = None
    context: dict[str, Any] = {}  # whatever the caller knows
    tags: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Find the type that is named."""
        try:
            msgspec.structs.force_setattr(self, "metric_type", PerformanceMetricType(self.metric_type))
        except ValueError as error:
            raise RecordError(f"metric_type: {error}; known: {', '.join(PerformanceMetricType)}") from error

    @property
    def status(self) -> str:
        """``healthy``, ``degraded`` or ``unhealthy``, by the threshold of its type."""
        return self.metric_type.threshold.status(self.value).value


class PerformanceMonitor:
    """What a program records, and how to ask for it. `get_performance_monitor` answers the process's one monitor."""

    def __init__(self, recorder: Recorder | None = None, clock: Clock | None = None) -> None:
        self._recorder = recorder
        self._clock: Clock = clock or SystemClock()
        self._started = False

    @property
    def recorder(self) -> Recorder:
        """What this monitor records into."""
        return self._recorder or current()

    def start_monitoring(self, service: str = "") -> Done:
        """Have what is recorded kept: sent, as *service*, to the owner of a store (settings ``send``) until the process ends.

        A process that owns a store, or sends already, goes on as it was. The store is never opened here. May be awaited.
        Raises: SettingsError.
        """
        from perf import default  # imported late: recording alone needs neither network nor threads

        self._started = default.send(service) or self._started
        return Done()

    def stop_monitoring(self) -> Done:
        """Send what is left, if `start_monitoring` began to, within a few seconds: what nobody takes waits in a file.

        Recording itself goes on, in memory. May be awaited.
        """
        from perf import default  # as above

        if self._started:
            default.stop_sending()
        self._started = False
        return Done()

    def add_custom_metric(self, name: str, value: float, category: str = "custom") -> None:
        """Record *value* now under a name of your own."""
        series = self.recorder.values(CUSTOM, {"category": category, "name": name})
        series.put(self._clock.now(), float(value))

    def record_metric(self, metric: PerformanceMetric) -> Done:
        """Record *metric* at its own time. May be awaited."""
        labels = {**metric.tags, "name": metric.metric_type.value, "category": "performance"}
        self.recorder.values(CUSTOM, labels).put(self._seconds(metric.timestamp), float(metric.value))
        return Done()

    def track_function_performance(
        self, name: str | None = None, category: str = "function"
    ) -> Callable[[_Function], _Function]:
        """Decorator: record how long each call takes. *name* defaults to the qualified name of the function."""

        def decorate(function: _Function) -> _Function:
            return recorded(function, self.recorder, name=name or "", category=category)

        return decorate

    def track_page_load(self, page: str) -> Timer:
        """Context manager: record how long *page* takes to load."""
        return Timer(Watch(self.recorder, PAGE, {"page": page}, "page", page))

    def get_performance_summary(self, hours: float = 24) -> dict[str, Any]:  # the flat dict that old scripts read
        """What is known of the last *hours*: from the store when this process owns one, else since it began to record.

        What has no data is None, never 0. ``system_health_score`` is 0 to 100 (docs/guides/health.md).
        """
        from perf import default  # as above
        from perf.views.summary import here, owned  # likewise: numpy is for those who ask

        runtime, totals, now = default.running(), list(self.recorder.totals()), self._clock.now()
        if runtime is None:
            return here(totals, now, hours)
        return owned(totals, runtime.store, runtime.settings.health, now, hours)

    def get_slow_calls(self, since: float = 0.0) -> list[Exemplar]:
        """The slowest calls that ended at *since* (Unix seconds) or later."""
        return self.recorder.exemplars(since)

    def get_callers(self) -> list[Edge]:
        """Who calls whom, the costliest first: estimates, from traces."""
        return edges(self.recorder.totals())

    def _seconds(self, moment: float | datetime | None) -> float:
        if moment is None:
            return self._clock.now()
        if isinstance(moment, datetime):
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return float(moment)


class PerformanceTimer(Timer):
    """Times a block, plain or asynchronous: ``with PerformanceTimer("custom_operation", "processing") as timer: ...``."""

    def __init__(self, name: str, category: str = "general", *, recorder: Recorder | None = None) -> None:
        super().__init__(Watch(recorder or current(), FUNCTION, {"category": category, "function": name}))

    @property
    def duration_ms(self) -> float:
        """How long the block took, in milliseconds; 0 before its end."""
        return self.nanoseconds / 1e6

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class DatabaseOperationMixin:
    """For a class that does its own database calls: ``with self.track_operation("find", "trips"): ...``."""

    db_system = "other"

    def track_operation(self, operation: str, collection: str) -> Timer:
        """Record how long the *operation* on the *collection*, or table, takes."""
        labels = {"db_collection": collection, "db_operation": operation, "db_system": self.db_system}
        return Timer(Watch(current(), OPERATION, labels, "database", f"{operation} {collection}"))

    def record_operation(self, operation: str, collection: str, duration_ms: float) -> None:
        """Record an operation that somebody else has timed."""
        labels = {"db_collection": collection, "db_operation": operation, "db_system": self.db_system}
        current().distribution(OPERATION, labels).record(duration_ms / 1e3)


def get_performance_monitor() -> PerformanceMonitor:
    """The process's one monitor."""
    return _MONITOR


def start_performance_monitoring(service: str = "") -> PerformanceMonitor:
    """Start the process's monitor, which sends as *service* (by default the program's name), and return it."""
    _MONITOR.start_monitoring(service)
    return _MONITOR


def track_performance(name: str | None = None, category: str = "function") -> Callable[[_Function], _Function]:
    """Decorator: record how long each call takes. *name* defaults to the qualified name of the function."""
    return _MONITOR.track_function_performance(name, category)


@overload
def monitor_performance(category: _Function) -> _Function: ...


@overload
def monitor_performance(category: str = ..., name: str | None = ...) -> Callable[[_Function], _Function]: ...


def monitor_performance(category: Any = "general", name: str | None = None) -> Any:  # two ways to be used, see above
    """Decorator, with or without arguments: as `track_performance`, but names the category first."""
    if callable(category):
        return _MONITOR.track_function_performance(name, "general")(category)
    return _MONITOR.track_function_performance(name, category)


def async_performance_timer(name: str, category: str = "general") -> PerformanceTimer:
    """Times an asynchronous block: ``async with`` the answer."""
    return PerformanceTimer(name, category)


def log_processing_step(step: str, duration_ms: float, items_processed: int | None = None) -> None:
    """Record a step that somebody else has timed, and how many items it worked on."""
    recorder = current()
    recorder.distribution(FUNCTION, {"category": "processing", "function": step}).record(duration_ms / 1e3)
    if items_processed:
        recorder.counter(ITEMS, {"step": step}).add(float(items_processed))


_MONITOR = PerformanceMonitor()
