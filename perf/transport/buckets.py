"""Histograms of other programs as ours. Pure.

Exponential ones of scale 4 or finer become ours exactly: buckets merge. Coarser ones, and those with explicit bounds, say less
than ours hold: a coarse bucket is spread evenly over the buckets of ours inside it (by logarithm), an explicit one evenly over
its width, as Prometheus interpolates. What is spread counts as inexact; numbers and sums stay exact.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from perf.model import Histogram
from perf.model.distribution import SCALE, SMALLEST, bound, bucket_of

LOWEST, HIGHEST = bucket_of(SMALLEST), 1_024 << SCALE
"""Indexes that a number can have, half-open: from a billionth, below which all is zero, to the end of the floats."""
DEEPEST = 10
"""Doublings below its upper bound to which a bucket that begins at 0 is spread; less than a thousandth lies below."""
COARSEST = -10
"""The coarsest scale of OpenTelemetry: one bucket for all numbers above one."""


class Odd(ValueError):
    """A histogram that none of ours can hold; the message says why."""


class Explicit(msgspec.Struct, frozen=True, kw_only=True):
    """Counts between *bounds* (n,); *counts* (n + 1,): the first up to the first bound, the last above the last."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float | None
    low: float | None = None
    high: float | None = None

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self.counts)

    def since(self, before: Explicit) -> Explicit | None:
        """What came after *before*; None when this isn't its continuation."""
        counts = tuple(now - then for now, then in zip(self.counts, before.counts, strict=False))
        if self.bounds != before.bounds or min(counts, default=0) < 0:
            return None
        return Explicit(bounds=self.bounds, counts=counts, total=_since(self.total, before.total))

    def thinned(self, left: int) -> Explicit:
        """*left* of the observations, of every bucket as many as its share."""
        counts = tuple(_shares(self.counts, left))
        return Explicit(bounds=self.bounds, counts=counts, total=_part(self.total, left, self.count))


class Exponential(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of buckets by index: i holds ``(2**(i / 2**scale), 2**((i + 1) / 2**scale)]``."""

    scale: int
    zero: int
    buckets: dict[int, int]
    total: float | None
    low: float | None = None
    high: float | None = None

    @property
    def count(self) -> int:
        """Number of observations."""
        return self.zero + sum(self.buckets.values())

    def since(self, before: Exponential) -> Exponential | None:
        """What came after *before*, at the coarser scale of both; None when this isn't its continuation."""
        scale = min(self.scale, before.scale)
        now, then = _coarser(self, scale), _coarser(before, scale)
        buckets = {index: n - then.pop(index, 0) for index, n in now.items()}
        if self.zero < before.zero or any(then.values()) or min(buckets.values(), default=0) < 0:
            return None
        return Exponential(
            scale=scale,
            zero=self.zero - before.zero,
            buckets={index: n for index, n in buckets.items() if n},
            total=_since(self.total, before.total),
        )

    def thinned(self, left: int) -> Exponential:
        """*left* of the observations, of every bucket as many as its share."""
        zero, *counts = _shares((self.zero, *self.buckets.values()), left)
        buckets = {index: n for index, n in zip(self.buckets, counts, strict=True) if n}
        return Exponential(scale=self.scale, zero=zero, buckets=buckets, total=_part(self.total, left, self.count))


def converted(point: Explicit | Exponential, factor: float = 1.0) -> tuple[Histogram, bool]:
    """*point*, its unit multiplied by *factor*, as ours; and whether nothing had to be spread or guessed.

    Raises: Odd for negative observations and numbers out of range.
    """
    if not all(math.isfinite(each) for each in (point.total, point.low, point.high) if each is not None):
        raise Odd("a sum or an extreme that isn't finite")
    if isinstance(point, Explicit):
        zero, buckets = _from_bounds(point, factor)
        exact = False
    else:
        # A factor that isn't a power of the base moves a number by up to half a bucket.
        zero, buckets = _from_scale(point, round(math.log2(factor) * (1 << SCALE)))
        exact = point.scale >= SCALE and factor == 1.0
    if not point.count:
        return Histogram(count=0, total=0.0, low=math.inf, high=0.0), True
    total = _guess(buckets) if point.total is None else point.total * factor
    low, high = _extremes(point, zero, buckets, factor)
    if not math.isfinite(total) or total < 0 or low < 0 or not math.isfinite(high):
        raise Odd("negative observations, or a sum that isn't finite")
    if point.count >= 2**32:
        raise Odd("more than four billion observations in one interval")
    histogram = Histogram(count=point.count, total=total, low=low, high=high, zero=zero, buckets=buckets)
    return histogram, exact and point.total is not None


def _shares(counts: Sequence[int], left: int) -> Iterator[int]:
    """*left* split like *counts*; rounding the running count keeps the sum."""
    whole, seen, given = sum(counts), 0, 0
    for n in counts:
        seen += n
        until = round(left * seen / whole)
        yield until - given
        given = until


def _part(total: float | None, left: int, whole: int) -> float | None:
    return None if total is None else total * left / whole


def _from_bounds(point: Explicit, factor: float) -> tuple[int, dict[int, int]]:
    zero = 0
    buckets: dict[int, int] = {}
    lowest = -math.inf if point.low is None else point.low * factor
    highest = math.inf if point.high is None else point.high * factor
    edges = (-math.inf, *(edge * factor for edge in point.bounds), math.inf)
    for n, below, above in zip(point.counts, edges[:-1], edges[1:], strict=True):
        if not n:
            continue
        low, high = max(below, lowest), min(above, highest)
        if high < 0:
            raise Odd("negative observations")
        # The last bucket has no end: without a maximum everything in it counts as its lower bound, as in Prometheus.
        high = max(low, 0.0) if math.isinf(high) else high
        if high < SMALLEST:
            zero += n
        else:
            _spread_width(buckets, n, max(low, 0.0), high)
    return zero, buckets


def _spread_width(buckets: dict[int, int], n: int, low: float, high: float) -> None:
    """Add *n* observations spread evenly over ``(low, high]``; rounding the running count keeps their number exact."""
    last = bucket_of(high)
    first = max(bucket_of(max(low, SMALLEST)), last - (DEEPEST << SCALE), LOWEST)
    placed = 0
    for index in range(first, last):
        until = round(n * (bound(index + 1) - low) / (high - low))
        _add(buckets, index, until - placed)
        placed = max(until, placed)
    _add(buckets, last, n - placed)


def _from_scale(point: Exponential, moved: int) -> tuple[int, dict[int, int]]:
    if not COARSEST <= point.scale <= 20:
        raise Odd(f"a scale of {point.scale}")
    if point.scale >= SCALE:
        buckets = _coarser(point, SCALE)
    else:
        buckets = {}
        for index, n in point.buckets.items():
            _spread_logarithm(buckets, n, index, SCALE - point.scale)
    if not moved and (not buckets or (min(buckets) >= LOWEST and max(buckets) < HIGHEST)):
        return point.zero, buckets
    kept = {index + moved: n for index, n in buckets.items() if index + moved >= LOWEST}
    if max(kept, default=0) >= HIGHEST:
        raise Odd("numbers beyond the floats")
    return point.zero + sum(buckets.values()) - sum(kept.values()), kept


def _spread_logarithm(buckets: dict[int, int], n: int, index: int, finer: int) -> None:
    """Add *n* observations evenly to the buckets that the one at *index*, *finer* scales coarser, is made of."""
    first, width = index << finer, 1 << finer
    if not -2 * HIGHEST < first < 2 * HIGHEST:  # No unit brings it back; spreading it would only take time.
        _add(buckets, first, n)
        return
    steps = min(n, width)
    placed = 0
    for step in range(steps):
        until = n * (step + 1) // steps
        _add(buckets, first + (2 * step + 1) * width // (2 * steps), until - placed)
        placed = until


def _coarser(point: Exponential, scale: int) -> dict[int, int]:
    """The buckets at *scale*, which isn't finer: exact, since a bucket lies in one coarser bucket entirely."""
    if scale == point.scale:  # perf's own, and most there are.
        return dict(point.buckets)
    merged: dict[int, int] = {}
    for index, n in point.buckets.items():
        _add(merged, index >> (point.scale - scale), n)
    return merged


def _add(buckets: dict[int, int], index: int, n: int) -> None:
    if n > 0:
        buckets[index] = buckets.get(index, 0) + n


def _since(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else max(now - before, 0.0)


def _guess(buckets: Mapping[int, int]) -> float:
    """A sum for senders that keep none: each observation in the middle of its bucket."""
    return math.fsum(n * (bound(index) + bound(index + 1)) / 2 for index, n in buckets.items())


def _extremes(
    point: Explicit | Exponential, zero: int, buckets: Mapping[int, int], factor: float
) -> tuple[float, float]:
    """Smallest and largest observation: as sent, else the bounds between which they lie."""
    low = 0.0 if zero or not buckets else bound(min(buckets))
    high = bound(max(buckets) + 1) if buckets else 0.0
    if isinstance(point, Explicit) and point.high is None:
        # The bound of the sender is nearer than that of our bucket.
        edges = [edge * factor for edge in point.bounds]
        place = bisect_right(edges, bound(max(buckets)) if buckets else 0.0)
        high = min(high, edges[place]) if place < len(edges) else high
    low = low if point.low is None else point.low * factor
    high = high if point.high is None else point.high * factor
    return min(low, high), high
