"""Rows of the store in memory, and folding them to coarser ones. Pure."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import msgspec
import numpy as np

from perf.model import Aggregate, Histogram
from perf.model.distribution import merge
from perf.store import answers, levels
from perf.store.levels import Plan


class Point(msgspec.Struct, order=True):
    """One row of a level: its time, what its samples add up to, and the newest of them; times in microseconds."""

    ts: int
    last_ts: int
    last: float
    n: int
    total: float
    low: float
    high: float


class Shape(msgspec.Struct):
    """One distribution of a level; the time in microseconds."""

    ts: int
    histogram: Histogram


def folded(points: list[Point], width: int) -> list[Point]:
    """*points* as one per *width* microseconds, sorted."""
    rows: dict[int, Point] = {}
    for point in sorted(points):
        ts = levels.floor(point.ts, width)
        row = rows.get(ts)
        if row is None:
            rows[ts] = msgspec.structs.replace(point, ts=ts)
            continue
        row.n += point.n
        row.total += point.total
        row.low, row.high = min(row.low, point.low), max(row.high, point.high)
        row.last_ts, row.last = max((row.last_ts, row.last), (point.last_ts, point.last))
    return [rows[ts] for ts in sorted(rows)]


def heaped(shapes: list[Shape], width: int) -> list[Shape]:
    """*shapes* as one per *width* microseconds, sorted."""
    rows: dict[int, list[Histogram]] = defaultdict(list)
    for shape in shapes:
        rows[levels.floor(shape.ts, width)].append(shape.histogram)
    return [Shape(ts, merge(rows[ts])) for ts in sorted(rows)]


def stepped(sid: int, points: list[Point], plan: Plan, wanted: Aggregate) -> list[tuple[float, ...]]:
    """(id, step, value, low, high) of each step that has one."""
    if wanted is Aggregate.RATE:
        return [(sid, step, rate, rate, rate) for step, rate in _rates(points, plan).items()]
    result: list[tuple[float, ...]] = []
    for row in folded([point for point in points if point.ts >= plan.start], plan.step):
        n, total, low, high = (np.array([number], np.float64) for number in (row.n, row.total, row.low, row.high))
        value = row.last if wanted is Aggregate.LAST else float(answers.valued(wanted, n, total, low, high)[0])
        result.append((sid, row.ts, value, row.low, row.high))
    return result


def _rates(points: list[Point], plan: Plan) -> dict[int, float]:
    """Start of a step -> increase per second over the pairs of neighbours that end in it."""
    increases: dict[int, float] = defaultdict(float)
    distances: dict[int, int] = defaultdict(int)
    ordered = sorted(points, key=lambda point: (point.last_ts, point.last))
    for before, after in pairwise(ordered):
        distance = after.last_ts - before.last_ts
        if distance <= plan.gap and after.ts >= plan.start:
            step = levels.floor(after.ts, plan.step)
            increases[step] += after.last if after.last < before.last else after.last - before.last
            distances[step] += distance
    return {step: increases[step] / (distances[step] / 1e6) for step in increases if distances[step]}
