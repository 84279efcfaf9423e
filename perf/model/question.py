"""What is asked of a store, and what it answers. Frozen values, free of I/O and cheap to make."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from perf.model.matching import Match
from perf.model.metric import Array, Kind, Labels, Metric, SeriesInfo

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Aggregate(StrEnum):
    """How the samples of one series inside one step become one number."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    LAST = "last"
    COUNT = "count"
    RATE = "rate"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"

    @property
    def quantile(self) -> float | None:
        """From 0 to 1 for a percentile, which only distributions have; else None."""
        return {"p50": 0.5, "p95": 0.95, "p99": 0.99}.get(self.value)


class Across(StrEnum):
    """How several series become one, step by step. Distributions are merged, and then asked for a percentile."""

    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MERGE = "merge"


class Level(StrEnum):
    """Where an answer came from: raw samples or a roll-up."""

    RAW = "raw"
    MINUTE = "1m"
    HOUR = "1h"

    @property
    def seconds(self) -> float:
        """Width of one row in seconds; 0 for raw samples."""
        return {"raw": 0.0, "1m": 60.0, "1h": 3600.0}[self.value]


class Window(msgspec.Struct, frozen=True, order=True):
    """Half-open span of time ``[start, end)`` in Unix seconds."""

    start: float
    end: float

    def __post_init__(self) -> None:
        """Refuse what isn't a span."""
        if not (math.isfinite(self.start) and math.isfinite(self.end)) or self.end <= self.start:
            raise ValueError(f"a window needs start < end, not [{self.start}, {self.end})")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end - self.start


class Selector(msgspec.Struct, frozen=True):
    """Which series: a metric name, the label values they must have, and what else must hold for labels."""

    metric: str
    labels: Labels = ()
    tests: tuple[Match, ...] = ()

    def matches(self, name: str, labels: Labels) -> bool:
        """Whether the series *name* with *labels* is meant."""
        if name != self.metric or not set(self.labels) <= set(labels):
            return False
        return not self.tests or all(one.fits(dict(labels).get(one.label, "")) for one in self.tests)


class RangeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A question about series over time; *step* in seconds, steps are aligned to multiples of it since the epoch.

    ``aggregate=None`` means the natural one of the metric's kind: rate for counters, else the average. ``across=None``
    answers every matching series, otherwise they are combined; *by* keeps these labels apart. Percentiles combine by MERGE
    alone, and nothing else does; averages of distributions combine to the average of all observations.
    """

    selector: Selector
    window: Window
    step: float
    aggregate: Aggregate | None = None
    across: Across | None = None
    by: tuple[str, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one series: *ts* (n,) starts of steps, *values* (n,), and the extremes inside each step.

    Steps without a sample are absent, never zero. *low* and *high* are (n,); for rates they equal *values*.
    """

    metric: Metric
    labels: Labels
    aggregate: Aggregate
    step: float
    level: Level
    ts: Array
    values: Array
    low: Array
    high: Array

    @property
    def unit(self) -> str:
        """The unit of *values*: per second for a rate, none for a count."""
        if self.aggregate is Aggregate.RATE:
            if self.metric.kind is Kind.HISTOGRAM:
                return "1/s"
            return f"{self.metric.unit or '1'}/s"
        return "1" if self.aggregate is Aggregate.COUNT else self.metric.unit


class Distributions(msgspec.Struct, frozen=True, kw_only=True):
    """What one series, or a group of them, observed step by step: *ts* (n,) starts of steps, *count*, *total*, *low*, *high*
    and *zero* (n,), and *buckets* (n, w), where column j counts bucket *first* + j. Steps without observations are absent.
    """

    metric: Metric
    labels: Labels
    step: float
    level: Level
    ts: Array
    count: npt.NDArray[np.int64]
    total: Array
    low: Array
    high: Array
    zero: npt.NDArray[np.int64]
    first: int
    buckets: npt.NDArray[np.int64]


class RowOrder(StrEnum):
    """What a table of samples is sorted by."""

    TIME = "ts"
    VALUE = "value"
    METRIC = "metric"


class RowsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of raw samples. Empty *selectors* mean every series; *search* is a case-insensitive part of the metric's name
    or of a label value. *limit* is at most 100,000 rows.
    """

    window: Window
    selectors: tuple[Selector, ...] = ()
    search: str = ""
    order: RowOrder = RowOrder.TIME
    descending: bool = True
    limit: int = 50
    offset: int = 0


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Raw samples, column-wise: *ts* (n,), *sids* (n,), *values* (n,); *series* explains every sid; *total* counts all rows
    of the question, but no further than 10,000 (then *capped* is true).
    """

    ts: Array
    sids: npt.NDArray[np.int32]
    values: Array
    series: dict[int, SeriesInfo]
    total: int
    capped: bool


class SqlResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a read-only statement returned: builtin values row by row; *truncated* when the row cap cut it."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[object, ...]]
    truncated: bool
    seconds: float
