"""Domain values: what perf measures, asks and answers."""

from perf.model.distribution import SCALE, Histogram, HistogramSample, Measurement
from perf.model.metric import Array, Kind, Labels, Metric, Sample, SeriesInfo
from perf.model.question import (
    Across,
    Aggregate,
    Distributions,
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
    "SCALE",
    "Across",
    "Aggregate",
    "Array",
    "Beat",
    "Change",
    "Distributions",
    "Histogram",
    "HistogramSample",
    "Kind",
    "Labels",
    "Level",
    "LevelUsage",
    "Measurement",
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
