"""Distributions: base-2 exponential histograms that merge exactly across time, processes and series.

Sixteen buckets a doubling (scale 4 of OpenTelemetry's exponential histogram), so that a percentile is within `ERROR` of the
true one, however many histograms it was merged from.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from functools import reduce

import msgspec

from perf.model.metric import Labels, Metric

SCALE = 4
"""2**SCALE buckets a doubling."""
BASE: float = 2.0 ** (2.0**-SCALE)
ERROR = (BASE - 1) / (BASE + 1)
"""Relative error of a percentile at most: 2.2 %."""
SMALLEST = 1e-9
"""What is below counts as zero: a nanosecond, or a billionth of any other unit."""

_DOUBLING = 1 << SCALE
_FARTHEST = 1_075 * _DOUBLING
"""No float is in a bucket further from zero."""
_LIMIT = 2**40
"""Observations in one interval: what sums them must not overflow."""
_MANTISSAS = tuple(2.0 ** (i / _DOUBLING - 1) for i in range(_DOUBLING))


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Observations >= 0 in their metric's base unit: number, sum, extremes, and how many lie in each bucket.

    *zero* of them are below `SMALLEST`; bucket i of *buckets* holds those in ``(BASE**i, BASE**(i + 1)]``. Extremes and
    counts are exact. Without observations *low* is infinite and *high* zero.
    """

    count: int
    total: float
    low: float
    high: float
    zero: int = 0
    buckets: dict[int, int] = {}

    @classmethod
    def of(cls, values: Iterable[float]) -> Histogram:
        """The histogram of *values*. Raises: ValueError when one is negative or not finite."""
        seen = [float(value) for value in values]
        if any(not (math.isfinite(value) and value >= 0) for value in seen):
            raise ValueError("a distribution holds finite numbers from 0 on")
        buckets: dict[int, int] = {}
        for value in seen:
            if value >= SMALLEST:
                index = bucket_of(value)
                buckets[index] = buckets.get(index, 0) + 1
        return cls(
            count=len(seen),
            total=math.fsum(seen),
            low=min(seen, default=math.inf),
            high=max(seen, default=0.0),
            zero=sum(value < SMALLEST for value in seen),
            buckets=buckets,
        )

    def merged(self, other: Histogram) -> Histogram:
        """The histogram of both sets of observations: exact, in any order or grouping (*total* up to float rounding)."""
        buckets = dict(self.buckets)
        for index, n in other.buckets.items():
            buckets[index] = buckets.get(index, 0) + n
        return Histogram(
            count=self.count + other.count,
            total=self.total + other.total,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            zero=self.zero + other.zero,
            buckets=buckets,
        )

    def quantile(self, q: float) -> float:
        """The observation of rank ceil(q * count), within `ERROR` of it; the first and last are exact. NaN without any.

        Raises: ValueError when *q* isn't within 0 and 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile is from 0 to 1, not {q}")
        if not self.count:
            return math.nan
        wanted = rank(q, self.count)
        if wanted == 1 or wanted == self.count:
            return self.low if wanted == 1 else self.high
        passed, found = self.zero, 0.0
        if passed < wanted:
            for index in sorted(self.buckets):
                passed += self.buckets[index]
                found = middle(index)
                if passed >= wanted:
                    break
        return min(max(found, self.low), self.high)

    @property
    def sound(self) -> bool:
        """Whether this can have come from observations: counts that add up, and finite numbers from 0 on in order."""
        return (
            0 < self.count < _LIMIT
            and self.zero >= 0
            and self.zero + sum(self.buckets.values()) == self.count
            and min(self.buckets.values(), default=1) > 0
            and all(abs(index) <= _FARTHEST for index in self.buckets)
            and math.isfinite(self.total)
            and 0 <= self.low <= self.high < math.inf
        )

    @property
    def mean(self) -> float:
        """Sum over number, within the extremes; NaN without observations."""
        return min(max(self.total / self.count, self.low), self.high) if self.count else math.nan


NOTHING = Histogram(count=0, total=0.0, low=math.inf, high=0.0)
"""The histogram of no observation."""


class HistogramSample(msgspec.Struct, frozen=True, gc=False):
    """What one series observed in the interval that ended at *ts* (Unix seconds): a difference, never a running total."""

    ts: float
    metric: Metric
    labels: Labels
    histogram: Histogram


def bucket_of(value: float) -> int:
    """The index of the bucket of *value* >= `SMALLEST`. A power of two is the last number of its bucket, exactly."""
    # A logarithm would drift by a bucket near the bounds: compare the mantissa with a table instead.
    mantissa, exponent = math.frexp(value)
    return _DOUBLING * (exponent - 1) - 1 + bisect_left(_MANTISSAS, mantissa)


def bound(index: int) -> float:
    """The lower bound of bucket *index* (outside of it), which is the upper bound of the one before (inside of that)."""
    doublings, part = divmod(index, _DOUBLING)
    return math.ldexp(_MANTISSAS[part], doublings + 1) if doublings <= 1023 else math.inf


def middle(index: int) -> float:
    """The number in bucket *index* with the same relative distance, `ERROR`, to both bounds."""
    return bound(index) * (2 * BASE / (1 + BASE))


def rank(q: float, count: int) -> int:
    """The nearest rank of quantile *q* among *count* observations, from 1."""
    # 0.07 * 100 is a hair above 7 in floats.
    return min(max(math.ceil(q * count - 1e-9), 1), count)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """All of *histograms* in one."""
    return reduce(Histogram.merged, histograms, NOTHING)
