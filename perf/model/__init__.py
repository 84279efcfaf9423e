"""Domain values: what perf measures, asks and answers."""

from perf.model.annotation import DEPLOY, NOTE, Annotation
from perf.model.cached import CacheStats, FunctionCounts, Held, Said, TierCounts, TierUsage
from perf.model.distribution import SCALE, Histogram, HistogramSample
from perf.model.exemplar import Exemplar
from perf.model.measurement import Batch, Measurement
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
    "DEPLOY",
    "NOTE",
    "SCALE",
    "Across",
    "Aggregate",
    "Annotation",
    "Array",
    "Batch",
    "Beat",
    "CacheStats",
    "Change",
    "Distributions",
    "Exemplar",
    "FunctionCounts",
    "Held",
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
    "Said",
    "Sample",
    "Selector",
    "Series",
    "SeriesInfo",
    "SqlResult",
    "Status",
    "StoreUsage",
    "Threshold",
    "TierCounts",
    "TierUsage",
    "Window",
    "WriterStats",
]
