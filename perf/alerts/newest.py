"""The newest value of every series, and which of them came since the last look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perf.model import EVERY, Array, Labels, Metric, SeriesInfo

Flags = npt.NDArray[np.bool_]


class Newest:
    """One metric's series in the order of their ids, which never changes: new ones only come behind.

    *ts* (n,) are starts of evaluations, *values* (n,) NaN for a distribution, *fresh* (n,) those of a newer evaluation than at
    the look before (*news*: whether any are), *since* (n,) than at the last evaluation of everything.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.labels: list[Labels] = []
        self.places: dict[Labels, int] = {}
        self.columns: list[int] = []
        self.look = 0
        self.ts: Array = np.zeros(0)
        self.values: Array = np.zeros(0)
        self.fresh: Flags = np.zeros(0, np.bool_)
        self.since: Flags = np.zeros(0, np.bool_)
        self.news = False

    def add(self, labels: Labels, column: int) -> None:
        """One more series, which is at *column* of the board."""
        self.places[labels] = len(self.labels)
        self.labels.append(labels)
        self.columns.append(column)


class Board:
    """Every metric's newest values."""

    def __init__(self) -> None:
        self._metrics: dict[str, Newest] = {}
        self._size = self._looks = 0
        self._ts: Array = np.zeros(0)
        self._values: Array = np.zeros(0)
        self._fresh: Flags = np.zeros(0, np.bool_)
        self._since: Flags = np.zeros(0, np.bool_)
        self._late: Flags = np.zeros(0, np.bool_)
        self._tick = -np.inf

    def look(self, infos: Sequence[SeriesInfo], tick: float) -> None:
        """Take over what *infos*, every series by id, say at *tick*; a sample from the future counts as of now. Another look at the
        same tick is for samples that came late.
        """
        for column, info in enumerate(infos[self._size :], self._size):
            self._metrics.setdefault(info.metric.name, Newest(info.metric)).add(info.labels, column)
        before = np.full(len(infos), -np.inf)
        before[: self._size] = self._ts
        self._size = len(infos)
        times = np.array([-np.inf if info.last_ts is None else info.last_ts for info in infos])
        self._ts = np.minimum(np.floor(times / EVERY) * EVERY, tick)
        self._values = np.array([np.nan if info.last_value is None else info.last_value for info in infos])
        self._fresh = self._ts > before
        self._since = self._fresh.copy()
        self._since[: len(self._late)] |= self._late
        self._late = self._since if tick == self._tick else np.zeros(0, np.bool_)
        self._tick = tick
        self._looks += 1

    def of(self, metric: str) -> Newest:
        """What is known of *metric*; nothing for one that never came."""
        found = self._metrics.get(metric)
        if found is None:
            return Newest(Metric(metric))
        if found.look != self._looks:  # once for all its rules
            columns = np.array(found.columns)
            found.ts, found.values, found.fresh = self._ts[columns], self._values[columns], self._fresh[columns]
            found.since = self._since[columns]
            found.news = bool(found.fresh.any())
            found.look = self._looks
        return found
