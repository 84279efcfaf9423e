"""Batches of raw numbers into histograms, and histograms of a part scaled to the whole."""

from __future__ import annotations

import math
from collections import deque

from perf.model import Histogram
from perf.model.distribution import SMALLEST, bucket_of

_SMALL = 64
"""Up to here a loop is faster than numpy."""


def scaled(histogram: Histogram, count: int) -> Histogram:
    """*histogram* of a part of *count* observations as that of all: buckets in proportion, their sum exactly *count*."""
    if count == histogram.count or histogram.count == 0 or count <= 0:
        return histogram
    factor = count / histogram.count
    exact = [(index, n * factor) for index, n in histogram.buckets.items()] + [(None, histogram.zero * factor)]
    parts = {index: int(n) for index, n in exact}
    rest = count - sum(parts.values())
    for index, _ in sorted(exact, key=lambda part: part[1] % 1.0, reverse=True)[:rest]:
        parts[index] += 1
    zero = parts.pop(None)
    return Histogram(
        count=count,
        total=histogram.total * factor,
        low=histogram.low,
        high=histogram.high,
        zero=zero,
        buckets={index: n for index, n in parts.items() if n and index is not None},
    )


def taken(waiting: deque[int] | deque[float], divisor: float) -> tuple[Histogram | None, int, int]:
    """The histogram of what waits, how many that was, and how many of them no distribution can hold."""
    count = len(waiting)
    if count == 0:
        return None, 0, 0
    if count <= _SMALL:
        return _few([waiting.popleft() for _ in range(count)], divisor)
    from perf.record.buckets import many  # numpy costs a program that records little 0.1 s

    return many(waiting, count, divisor)


def _few(raw: list[int] | list[float], divisor: float) -> tuple[Histogram | None, int, int]:
    """As `taken`, of a list, without numpy."""
    values = [value for number in raw if 0.0 <= (value := number / divisor) < math.inf]
    if not values:
        return None, len(raw), len(raw)
    buckets: dict[int, int] = {}
    zero = 0
    for value in values:
        if value >= SMALLEST:
            index = bucket_of(value)
            buckets[index] = buckets.get(index, 0) + 1
        else:
            zero += 1
    histogram = Histogram(
        count=len(values), total=sum(values), low=min(values), high=max(values), zero=zero, buckets=buckets
    )
    return histogram, len(raw), len(raw) - len(values)


def both(
    one: tuple[Histogram | None, int, int], other: tuple[Histogram | None, int, int]
) -> tuple[Histogram | None, int, int]:
    """Two answers of `taken` in one."""
    histogram = one[0] if other[0] is None else sum_of(one[0], other[0])
    return histogram, one[1] + other[1], one[2] + other[2]


def sum_of(one: Histogram | None, other: Histogram) -> Histogram:
    """*one*, if there is one, and *other*."""
    return other if one is None else one.merged(other)
