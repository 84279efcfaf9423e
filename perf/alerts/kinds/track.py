"""What every kind of rule answers: for each label set, when its condition held."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec

from perf.alerts.step import Seen
from perf.model import AlertRule, Array, Labels, Window
from perf.ports import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CLEARED, BETWEEN, BREACH = 0, 1, 2


class Track(msgspec.Struct, frozen=True):
    """Evaluations of one label set: *ts* (n,) ascending Unix seconds, *codes* (n,) of cleared, between and breach, and
    *values* (n,).
    """

    labels: Labels
    ts: Array
    codes: npt.NDArray[np.int8]
    values: Array

    def seen(self, index: int) -> Seen:
        """The evaluation at *index*."""
        code, value = int(self.codes[index]), float(self.values[index])
        return Seen(
            ts=float(self.ts[index]),
            labels=self.labels,
            breach=code == BREACH,
            cleared=code == CLEARED,
            value=value if math.isfinite(value) else None,
        )


class Tracks(Protocol):
    """A kind of rule."""

    def __call__(self, rule: AlertRule, store: Store, window: Window) -> list[Track]:
        """Every evaluation whose time is in *window*. Raises: ConditionError, RuleError, QueryError, StoreError."""


def newest(tracks: list[Track]) -> Iterator[Seen]:
    """The last evaluation of each of *tracks*."""
    for track in tracks:
        if len(track.ts):
            yield track.seen(len(track.ts) - 1)
