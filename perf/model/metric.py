"""What is measured: metrics, their series and samples. Frozen values, free of I/O and cheap to make."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:  # numpy costs a program that only records 0.1 s and 30 MB.
    import numpy as np
    import numpy.typing as npt

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Label pairs sorted by name; the empty tuple for a metric with one series."""

Array: TypeAlias = "npt.NDArray[np.float64]"
"""Numbers of one series or column, (n,)."""


class Kind(StrEnum):
    """How the numbers of a metric behave over time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True):
    """What is measured: name (snake_case, base unit last), kind, unit (UCUM-like: ``s``, ``By``, ``%``) and a sentence."""

    name: str
    kind: Kind = Kind.GAUGE
    unit: str = ""
    help: str = ""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One number of one series at one time (Unix seconds)."""

    ts: float
    metric: Metric
    labels: Labels
    value: float


class SeriesInfo(msgspec.Struct, frozen=True):
    """A known series: its id in the store, identity, when it was first and last seen (Unix seconds) and its last value.

    *last_ts* and *last_value* are None when nothing arrived since the store was opened; a distribution has no value.
    """

    sid: int
    metric: Metric
    labels: Labels
    first_seen: float
    last_ts: float | None = None
    last_value: float | None = None
