"""Domain values: what perf measures, asks and answers."""

from perf.model.metric import Array, Kind, Labels, Metric, Sample, SeriesInfo
from perf.model.question import (
    Across,
    Aggregate,
    Level,
    RangeQuery,
    RowOrder,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SqlResult,
    Window,
)
from perf.model.state import Beat, Change, LevelUsage, ProbeResult, Status, StoreUsage, Threshold, WriterStats

__all__ = [
    "Across",
    "Aggregate",
    "Array",
    "Beat",
    "Change",
    "Kind",
    "Labels",
    "Level",
    "LevelUsage",
    "Metric",
    "ProbeResult",
    "RangeQuery",
    "RowOrder",
    "Rows",
    "RowsQuery",
    "Sample",
    "Selector",
    "Series",
    "SeriesInfo",
    "SqlResult",
    "Status",
    "StoreUsage",
    "Threshold",
    "Window",
    "WriterStats",
]
