"""What travels from who records to who stores, and under which number."""

from __future__ import annotations

import math
from typing import TypeAlias

from perf.model.distribution import HistogramSample
from perf.model.exemplar import Exemplar
from perf.model.metric import Kind, Sample

Measurement: TypeAlias = Sample | HistogramSample | Exemplar
"""What a store keeps."""

Batch: TypeAlias = tuple[str, int]
"""Producer and sequence number of measurements that arrived together; a producer's numbers only grow."""


def encodable(text: str) -> str:
    """*text* without the surrogates that a file's name or a request may hold, and UTF-8 can't."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def storable(measurement: Measurement) -> bool:
    """Whether a store can hold *measurement*: a finite number, a sound distribution, or a call that took a finite time."""
    if isinstance(measurement, Sample):
        return measurement.metric.kind is not Kind.HISTOGRAM and math.isfinite(measurement.value)
    if isinstance(measurement, HistogramSample):
        return measurement.metric.kind is Kind.HISTOGRAM and measurement.histogram.sound
    return measurement.metric.kind is Kind.HISTOGRAM and 0.0 <= measurement.seconds < math.inf
