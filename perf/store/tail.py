"""The newest raw samples once more, in memory: a live page asks for the last seconds of a dozen series at every tick, and a
statement each would cost it more than anything else. Not a level: whatever it can't answer whole, the file answers.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from perf.model import Aggregate, Level
from perf.store import answers
from perf.store.answers import Found
from perf.store.catalog import Columns
from perf.store.levels import MICRO, Plan, floor

REACH = 900 * MICRO
"""How far back it remembers, in microseconds."""

CAPACITY = 200_000
"""Samples that it holds at most, about 3 MB."""

LARGEST_BATCH = 1_000
"""Samples of one commit; more is a backfill, which nobody watches live."""

LARGEST_ANSWER = 5_000
"""Samples that one answer may look at: beyond that a statement is faster."""

_TRIM = 60 * MICRO


class Tail:
    """Samples by series, each sorted by time. Filled by the writing thread, read by any."""

    def __init__(self, stored: int) -> None:
        """*stored*: the newest time already in the file (microseconds); what is later will be remembered."""
        self._lock = threading.Lock()
        self._since = stored + 1
        self._trim_at = 0
        self._held = 0
        self._times: dict[int, array[int]] = {}
        self._values: dict[int, array[float]] = {}

    def add(self, columns: Columns) -> None:
        """Remember what has been committed."""
        if not len(columns.ts):
            return
        newest = int(columns.ts.max())
        with self._lock:
            if len(columns.ts) > LARGEST_BATCH or self._held + len(columns.ts) > CAPACITY:
                self._forget(newest)
                return
            for ts, sid, value in zip(columns.ts.tolist(), columns.sids.tolist(), columns.values.tolist(), strict=True):
                if ts >= self._since:
                    self._insert(sid, ts, value)
            if newest > self._trim_at:
                self._trim(newest - REACH)
                self._trim_at = newest + _TRIM

    def find(self, sids: Sequence[int], plan: Plan, wanted: Aggregate) -> Found | None:
        """What `answers.answer` needs, or None when this doesn't reach back far enough, or holds too much of it."""
        if wanted is Aggregate.RATE and plan.level is not Level.RAW:
            return None
        with self._lock:
            if (plan.before if wanted is Aggregate.RATE else plan.start) < self._since:
                return None
            pieces = {sid: self._piece(sid, plan, neighbour=wanted is Aggregate.RATE) for sid in sids}
            if sum(len(piece) for piece in pieces.values()) > LARGEST_ANSWER:
                return None
        rows = _rates(pieces, plan) if wanted is Aggregate.RATE else _steps(pieces, plan, wanted)
        columns = np.array(list(rows), np.float64).reshape(-1, 5).T
        steps = columns[1].astype(np.int64)
        return Found(columns[0].astype(np.int64), steps, columns[2], columns[3], columns[4])

    def _insert(self, sid: int, ts: int, value: float) -> None:
        times = self._times.get(sid)
        if times is None:
            times, self._values[sid] = self._times.setdefault(sid, array("q")), array("d")
        if not times or ts >= times[-1]:
            times.append(ts)
            self._values[sid].append(value)
        else:
            self._values[sid].insert(bisect_right(times, ts), value)
            insort(times, ts)
        self._held += 1

    def _piece(self, sid: int, plan: Plan, *, neighbour: bool) -> list[tuple[int, float]]:
        """The samples of the plan's window, sorted by time and value; with the moment before it when a *neighbour* is wanted."""
        times = self._times.get(sid)
        if times is None:
            return []
        begin, end = bisect_left(times, plan.start), bisect_left(times, plan.end)
        if neighbour and begin and times[begin - 1] >= plan.before:
            begin = bisect_left(times, times[begin - 1])
        return sorted(zip(times[begin:end], self._values[sid][begin:end], strict=True))

    def _trim(self, cut: int) -> None:
        for sid, times in self._times.items():
            old = bisect_left(times, cut)
            del times[:old]
            del self._values[sid][:old]
            self._held -= old
        self._since = max(self._since, cut)

    def _forget(self, newest: int) -> None:
        self._times.clear()
        self._values.clear()
        self._held = 0
        self._since = max(self._since, newest + 1)


def _steps(
    pieces: dict[int, list[tuple[int, float]]], plan: Plan, wanted: Aggregate
) -> Iterator[tuple[float, float, float, float, float]]:
    """(id, step, value, low, high) of each step that has a sample."""
    for sid, piece in pieces.items():
        groups: dict[int, list[float]] = {}
        for ts, value in piece:
            groups.setdefault(floor(ts, plan.step), []).append(value)
        for step, values in groups.items():
            low, high = min(values), max(values)
            if wanted is Aggregate.LAST:
                yield sid, step, values[-1], low, high
                continue
            numbers = (np.array([number], np.float64) for number in (len(values), sum(values), low, high))
            yield sid, step, float(answers.valued(wanted, *numbers)[0]), low, high


def _rates(
    pieces: dict[int, list[tuple[int, float]]], plan: Plan
) -> Iterator[tuple[float, float, float, float, float]]:
    """The same for the increase per second, over the pairs of neighbours that end in a step."""
    for sid, piece in pieces.items():
        sums: dict[int, tuple[float, int]] = {}
        for (before, old), (after, new) in pairwise(piece):
            if after < plan.start or after - before > plan.gap:
                continue
            step = floor(after, plan.step)
            increase, distance = sums.get(step, (0.0, 0))
            sums[step] = increase + (new if new < old else new - old), distance + after - before
        for step, (increase, distance) in sums.items():
            if distance:
                rate = increase / (distance / 1e6)
                yield sid, step, rate, rate, rate
