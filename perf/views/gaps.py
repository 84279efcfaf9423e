"""Where data are missing, a line must break: finds the holes in a series of steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from perf.model import Array

WIDEST = 2.5  # In usual spacings: one missed tick is jitter, two are a gap.


def spacing(ts: Array, step: float) -> float:
    """The usual distance between points of *ts* (n,), at least *step* seconds."""
    return max(step, float(np.median(np.diff(ts)))) if len(ts) > 2 else step


def after_gaps(ts: Array, step: float) -> npt.NDArray[np.intp]:
    """The places in *ts* (n,) of points before which others are missing: (m,)."""
    return np.flatnonzero(np.diff(ts) > WIDEST * spacing(ts, step)) + 1


def with_gaps(ts: Array, step: float, *columns: Array) -> tuple[Array, ...]:
    """*ts* (n,) and *columns* (n,) with one NaN row after each point that is followed by a hole: (m,), m >= n."""
    if len(ts) < 2:
        return (ts, *columns)
    after = after_gaps(ts, step)
    if not len(after):
        return (ts, *columns)
    marks = ts[after - 1] + spacing(ts, step)
    return (np.insert(ts, after, marks), *(np.insert(column, after, np.nan) for column in columns))
