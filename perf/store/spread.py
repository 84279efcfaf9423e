"""Distributions as columns: merging those of one group and step, and percentiles of what was merged. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from perf.model import Array, Histogram
from perf.model.distribution import middle

Integers = npt.NDArray[np.int64]

_DENSE = 4_000_000
"""Up to so many counters are added up in one array; beyond, by sorting."""


class Spread(msgspec.Struct, frozen=True):
    """Histograms as columns (n,): what each belongs to (*keys*, *times*), number, sum, extremes and zeros; the buckets of
    histogram i are *buckets* and *observed* from ``offsets[i]`` to ``offsets[i + 1]``.
    """

    keys: Integers
    times: Integers
    n: Integers
    total: Array
    low: Array
    high: Array
    zero: Integers
    offsets: Integers
    buckets: Integers
    observed: Integers

    def __len__(self) -> int:
        return len(self.keys)


def spread(keys: Sequence[int], times: Sequence[int], histograms: Sequence[Histogram]) -> Spread:
    """*histograms* with what each belongs to as columns."""
    sizes = np.array([len(histogram.buckets) for histogram in histograms], np.int64)
    return Spread(
        np.array(keys, np.int64),
        np.array(times, np.int64),
        np.array([histogram.count for histogram in histograms], np.int64),
        np.array([histogram.total for histogram in histograms], np.float64),
        np.array([histogram.low for histogram in histograms], np.float64),
        np.array([histogram.high for histogram in histograms], np.float64),
        np.array([histogram.zero for histogram in histograms], np.int64),
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        np.array([index for histogram in histograms for index in histogram.buckets], np.int64),
        np.array([count for histogram in histograms for count in histogram.buckets.values()], np.int64),
    )


def joined(parts: Sequence[Spread]) -> Spread:
    """All of *parts*, one after the other."""
    if not parts:
        return spread([], [], [])
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(int(part.offsets[-1]) for part in parts[:-1])])
    offsets = np.concatenate([[0], *(part.offsets[1:] + start for part, start in zip(parts, starts, strict=True))])
    names = [name for name in Spread.__struct_fields__ if name != "offsets"]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Spread(**columns, offsets=offsets.astype(np.int64))


def shapeless(parts: Spread) -> Spread:
    """*parts* without buckets and zeros."""
    none = np.zeros(0, np.int64)
    flat = {"zero": np.zeros_like(parts.zero), "offsets": np.zeros(len(parts) + 1, np.int64)}
    return msgspec.structs.replace(parts, **flat, buckets=none, observed=none)


def merged(parts: Spread, groups: Integers) -> Spread:
    """One histogram per group (n,) and time, in that order; its buckets ascend. Exact but for the rounding of sums."""
    if not len(parts):
        return parts
    order = np.lexsort((parts.times, groups))
    keys, times = groups[order], parts.times[order]
    change = np.concatenate(([True], (np.diff(keys) != 0) | (np.diff(times) != 0)))
    starts = np.flatnonzero(change)
    cells = np.empty(len(order), np.int64)
    cells[order] = np.cumsum(change) - 1
    offsets, buckets, observed = _added(parts, cells, len(starts))
    return Spread(
        keys[starts],
        times[starts],
        np.add.reduceat(parts.n[order], starts),
        np.add.reduceat(parts.total[order], starts),
        np.minimum.reduceat(parts.low[order], starts),
        np.maximum.reduceat(parts.high[order], starts),
        np.add.reduceat(parts.zero[order], starts),
        offsets,
        buckets,
        observed,
    )


def quantiles(parts: Spread, q: float) -> Array:
    """Quantile *q* of every histogram (n,), whose buckets ascend: `Histogram.quantile` for many."""
    ranks = np.clip(np.ceil(q * parts.n - 1e-9), 1, parts.n).astype(np.int64)
    values = np.zeros(len(parts))
    inside = np.flatnonzero(ranks > parts.zero)
    if len(parts.observed):
        passed = np.concatenate(([0], np.cumsum(parts.observed)))
        wanted = passed[parts.offsets[inside]] + ranks[inside] - parts.zero[inside]
        places = np.searchsorted(passed, wanted, side="left") - 1
        indexes, back = np.unique(parts.buckets[places], return_inverse=True)
        values[inside] = np.array([middle(index) for index in indexes.tolist()], np.float64)[back]
    values = np.clip(values, parts.low, parts.high)
    return np.asarray(np.where(ranks == 1, parts.low, np.where(ranks == parts.n, parts.high, values)))


def _added(parts: Spread, cells: Integers, count: int) -> tuple[Integers, Integers, Integers]:
    """Offsets, buckets and counts of *count* cells, when histogram i belongs to cell ``cells[i]``."""
    if not len(parts.buckets):
        return np.zeros(count + 1, np.int64), parts.buckets, parts.observed
    first = int(parts.buckets.min())
    width = int(parts.buckets.max()) - first + 1
    places = np.repeat(cells, np.diff(parts.offsets)) * width + (parts.buckets - first)
    # Sums of counts below 2**53 are exact in floats.
    if count * width <= _DENSE:
        sums = np.bincount(places, parts.observed, minlength=count * width)
        used = np.flatnonzero(sums)
        observed = sums[used].astype(np.int64)
    else:
        used, back = np.unique(places, return_inverse=True)
        observed = np.bincount(back, parts.observed).astype(np.int64)
    owners, buckets = np.divmod(used, width)
    return np.searchsorted(owners, np.arange(count + 1)).astype(np.int64), buckets + first, observed
