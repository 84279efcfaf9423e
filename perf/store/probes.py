"""What probes said, in memory: keeps the promises of the table."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from perf.errors import QueryError
from perf.model import ProbeResult, Spell, Status, UptimeCell, Window
from perf.store.levels import MICRO, micros

HOLD = 150 * MICRO
"""How long a result stands without a later one: it is kept again every minute, and one may come late."""
MOST_CELLS = 10_000

_Stand: TypeAlias = tuple[ProbeResult, int, int]
"""A result, and from when to when it stood (microseconds)."""


def check_step(window: Window, step: float) -> None:
    """Raises: QueryError for a step that asks for nothing, or for too many cells."""
    if not step > 0 or window.seconds / step > MOST_CELLS:
        raise QueryError(f"a step of {step:g} s cuts {window.seconds:g} s into none or more than {MOST_CELLS:,} cells")


class MemoryProbes:
    """A `perf.ports.ProbeStore` that forgets on exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, list[ProbeResult]] = defaultdict(list)

    def keep(self, results: Sequence[ProbeResult]) -> None:
        """Keep *results*."""
        with self._lock:
            for result in results:
                self._results[result.name].append(result)
                self._results[result.name].sort(key=lambda one: micros(one.ts))

    def spells(self, probe: str, window: Window, limit: int = 100) -> list[Spell]:
        """The newest first."""
        found: list[Spell] = []
        last = None
        for result, start, end in self._stands(probe, window):
            if found and last == start and found[-1].status is result.status:
                start = micros(found.pop().start)
            last = end
            found.append(
                Spell(probe=probe, status=result.status, message=result.message, start=start / MICRO, end=end / MICRO)
            )
        return found[::-1][:limit]

    def uptime(self, window: Window, step: float) -> list[UptimeCell]:
        """By probe and time. Raises: QueryError for a step that is too fine."""
        check_step(window, step)
        begin, width = micros(window.start), micros(step)
        cells: dict[tuple[str, int], dict[Status, int]] = {}
        with self._lock:
            names = sorted(self._results)
        for name in names:
            for result, start, end in self._stands(name, window):
                for number in range((start - begin) // width, (end - 1 - begin) // width + 1):
                    low = begin + number * width
                    seconds = min(end, low + width) - max(start, low)
                    cell = cells.setdefault((name, number), {})
                    cell[result.status] = cell.get(result.status, 0) + seconds
        return [
            UptimeCell(
                probe=name,
                start=(begin + number * width) / MICRO,
                seconds={status: cell[status] / MICRO for status in Status if status in cell},
            )
            for (name, number), cell in sorted(cells.items())
        ]

    def expire(self, before: float) -> None:
        """Forget what was said before *before* (Unix seconds)."""
        with self._lock:
            for name, results in self._results.items():
                self._results[name] = [one for one in results if one.ts >= before]

    def _stands(self, probe: str, window: Window) -> Iterator[_Stand]:
        """Every result of *probe* that stood in *window*, cut to it."""
        begin, end = micros(window.start), micros(window.end)
        with self._lock:
            found = [one for one in self._results.get(probe, ()) if begin - HOLD <= micros(one.ts) < end]
        times = [*(micros(one.ts) for one in found), end]
        for result, (start, after) in zip(found, pairwise(times), strict=True):
            stop = min(after, start + HOLD)
            if stop > max(start, begin):
                yield result, max(start, begin), stop
