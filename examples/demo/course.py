"""Invented series as columns, turned into measurements a stretch of time at a time: two weeks as objects would take 2 GB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from perf.model import SCALE, Array, Exemplar, Histogram, HistogramSample, Labels, Measurement, Metric, Sample

Integers = npt.NDArray[np.int64]


class Course(Protocol):
    """One series over the whole story."""

    def between(self, begin: float, end: float) -> Iterator[Measurement]:
        """What is measured from *begin* to before *end*, Unix seconds."""


class Line(msgspec.Struct, frozen=True):
    """Numbers: *ts* (n,) in Unix seconds, ascending, and *values* (n,)."""

    metric: Metric
    labels: Labels
    ts: Array
    values: Array

    def between(self, begin: float, end: float) -> Iterator[Sample]:
        """As `Course`."""
        first, last = np.searchsorted(self.ts, (begin, end))
        columns = zip(self.ts[first:last].tolist(), self.values[first:last].tolist(), strict=True)
        return (Sample(ts, self.metric, self.labels, value) for ts, value in columns)


class Cloud(msgspec.Struct, frozen=True):
    """Observations: those of step i, which ends at ``ts[i]``, are from ``bounds[i]`` to ``bounds[i + 1]`` of *seconds*."""

    metric: Metric
    labels: Labels
    ts: Array
    bounds: Integers
    seconds: Array

    def between(self, begin: float, end: float) -> Iterator[HistogramSample]:
        """As `Course`."""
        first, last = (int(place) for place in np.searchsorted(self.ts, (begin, end)))
        offsets = self.bounds[first : last + 1]
        seconds = self.seconds[offsets[0] : offsets[-1]]
        if not len(seconds):
            return
        counts = np.diff(offsets)
        full = np.flatnonzero(counts)
        starts = offsets[:-1][full] - offsets[0]
        steps = np.repeat(np.arange(len(full)), counts[full])
        indexes = np.ceil(np.log2(seconds) * (1 << SCALE)).astype(np.int64) - 1
        lowest = int(indexes.min())
        width = int(indexes.max()) - lowest + 1
        cells, observed = np.unique(steps * width + indexes - lowest, return_counts=True)
        owners, buckets = np.divmod(cells, width)
        edges = np.searchsorted(owners, np.arange(len(full) + 1)).tolist()
        numbers, amounts = (buckets + lowest).tolist(), observed.tolist()
        columns = zip(
            self.ts[first:last][full].tolist(),
            counts[full].tolist(),
            np.add.reduceat(seconds, starts).tolist(),
            np.minimum.reduceat(seconds, starts).tolist(),
            np.maximum.reduceat(seconds, starts).tolist(),
            edges[:-1],
            edges[1:],
            strict=True,
        )
        for ts, count, total, low, high, left, right in columns:
            held = dict(zip(numbers[left:right], amounts[left:right], strict=True))
            histogram = Histogram(count=count, total=total, low=low, high=high, buckets=held)
            yield HistogramSample(ts, self.metric, self.labels, histogram)


class Slow(msgspec.Struct, frozen=True):
    """Slow calls, the oldest first."""

    calls: list[Exemplar]

    def between(self, begin: float, end: float) -> Iterator[Exemplar]:
        """As `Course`."""
        return (call for call in self.calls if begin <= call.ts < end)
