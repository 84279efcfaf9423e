"""Questions about distributions: all observations of a window, how they spread over time, and tables by total."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from perf.model import Across, Array, Distributions, Histogram, Labels, Metric, RangeQuery, Selector, Window
from perf.model.distribution import NOTHING, bound
from perf.ports import Store
from perf.timerange import checked_step
from perf.views.counters import increases

STATUS = "http_response_status_code"
OUTCOME = "outcome"
"""How a job ended: ``success``, ``failure`` or ``cancelled``."""
FAILED = (STATUS, "error_type", OUTCOME)
"""Labels that tell errors from the rest."""
FUNCTION, PAGE = "function_duration_seconds", "page_load_seconds"
REQUEST, OPERATION = "http_server_request_duration_seconds", "db_client_operation_duration_seconds"
ERRORS = "function_errors_total"
COUNTED = frozenset({FUNCTION, PAGE})
"""Metrics whose errors `ERRORS` counts, under the same labels."""

_HOUR, _DAY = 3_600.0, 86_400.0
_WIDTHS = ((2 * _HOUR, 1.0), (60 * _DAY, 60.0), (math.inf, _HOUR))
"""Up to which length a window keeps its edges to the second, to the minute, to the hour."""


class Heatmap(msgspec.Struct, frozen=True, kw_only=True):
    """Observations by step and bucket: *ts* (n,) starts of the steps that have any, *bounds* (w + 1,) in the metric's unit,
    ascending, *counts* (n, w). A column holds what is above its lower bound, up to and including its upper one; the first
    starts at 0, and includes it, when there are zeros.
    """

    metric: Metric
    step: float
    ts: Array
    bounds: Array
    counts: npt.NDArray[np.int64]


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """All observations of a window with these labels: number, sum and extremes in the metric's unit.

    *errors* is how many of them failed; None where the metric doesn't tell.
    """

    labels: Labels
    count: int
    total: float
    low: float
    high: float
    errors: int | None = None

    @property
    def mean(self) -> float:
        """The average observation."""
        return self.total / self.count


def heatmap(store: Store, selector: Selector, window: Window, step: float) -> Heatmap | None:
    """How often each magnitude was observed in each step (seconds), over all series of *selector*; None without any.

    Raises: QueryError when the metric isn't a distribution, or the step is too fine.
    """
    width = checked_step(step, window.seconds)
    aligned = Window(math.floor(window.start / width) * width, window.end)
    found = store.distributions(RangeQuery(selector=selector, window=aligned, step=width, across=Across.MERGE))
    if not found:
        return None
    whole = found[0]
    bounds = [bound(whole.first + place) for place in range(whole.buckets.shape[1] + 1)]
    counts = whole.buckets
    if whole.zero.any():
        # Numbers between zero and the first bucket are rare: one column reaches from 0 to it.
        bounds = [0.0, *(bounds if counts.shape[1] else [bound(-480)])]
        counts = np.column_stack((whole.zero, counts))
    return Heatmap(
        metric=whole.metric, step=whole.step, ts=whole.ts, bounds=np.array(bounds, np.float64), counts=counts
    )


def distribution(store: Store, selector: Selector, window: Window) -> Histogram:
    """Everything that all series of *selector* observed in *window*; beyond two hours its edges are widened to whole
    minutes, beyond sixty days to hours.

    Raises: QueryError when the metric isn't a distribution.
    """
    found = store.distributions(_whole(selector, window, across=Across.MERGE))
    return _histogram(found[0]) if found else NOTHING


def totals(store: Store, metric: str, window: Window, by: Sequence[str] | None = None) -> list[Total]:
    """Number, sum, extremes and errors of every series of *metric*, or of every group with the same labels *by*; the largest
    sum first. The edges of *window* as in `distribution`.

    Raises: QueryError when the metric isn't a distribution.
    """
    across = None if by is None else Across.MERGE
    query = _whole(Selector(metric), window, across=across, by=(*(by or ()), *FAILED))
    groups: dict[Labels, list[tuple[Distributions, bool]]] = {}
    for found in store.distributions(query, shape=False):
        key = found.labels if by is None else tuple(pair for pair in found.labels if pair[0] in by)
        groups.setdefault(key, []).append((found, _failed(found.labels)))
    failures = _failures(store, metric, window, by)
    rows = [_total(labels, parts, failures) for labels, parts in groups.items()]
    return sorted(rows, key=lambda row: (-row.total, row.labels))


def _total(labels: Labels, parts: list[tuple[Distributions, bool]], failures: dict[Labels, float] | None) -> Total:
    """*parts* with the same labels, and whether each holds errors, in one; else the *failures* say how many are."""
    count = sum(int(found.count.sum()) for found, _ in parts)
    errors = sum(int(found.count.sum()) for found, failed in parts if failed)
    told = any(name in FAILED for found, _ in parts for name, _ in found.labels)
    if failures is not None:
        told, errors = True, min(round(failures.get(labels, 0.0)), count)
    return Total(
        labels=labels,
        count=count,
        total=sum(float(found.total.sum()) for found, _ in parts),
        low=min(float(found.low.min()) for found, _ in parts),
        high=max(float(found.high.max()) for found, _ in parts),
        errors=errors if told else None,
    )


def _failed(labels: Labels) -> bool:
    """Whether observations with these labels are errors, in the words of OpenTelemetry and of jobs."""
    return any(
        name == "error_type" or (name == STATUS and value.startswith("5")) or (name, value) == (OUTCOME, "failure")
        for name, value in labels
    )


def _failures(store: Store, metric: str, window: Window, by: Sequence[str] | None) -> dict[Labels, float] | None:
    """Labels of a row -> errors, of metrics whose errors are counted beside them; else None."""
    if metric not in COUNTED:
        return None
    series = {info.labels for info in store.series() if info.metric.name == metric}
    found: dict[Labels, float] = {}
    for labels, errors in increases(store, ERRORS, window):
        whole = tuple(pair for pair in labels if pair[0] != "error_type")
        if whole in series:
            key = whole if by is None else tuple(pair for pair in whole if pair[0] in by)
            found[key] = found.get(key, 0.0) + errors
    return found


def _whole(selector: Selector, window: Window, *, across: Across | None, by: tuple[str, ...] = ()) -> RangeQuery:
    """A question whose few steps cover all of *window*, from the coarsest level that is exact enough for its length."""
    width = next(width for longest, width in _WIDTHS if window.seconds <= longest)
    rows = math.ceil(window.seconds / width) + 1
    # A step that the next level's rows divide would be answered from these.
    step = width * (rows + 1 if rows % 60 == 0 else rows)
    return RangeQuery(selector=selector, window=window, step=step, across=across, by=by)


def _histogram(found: Distributions) -> Histogram:
    counts = found.buckets.sum(axis=0).tolist()
    return Histogram(
        count=int(found.count.sum()),
        total=float(found.total.sum()),
        low=float(found.low.min()),
        high=float(found.high.max()),
        zero=int(found.zero.sum()),
        buckets={found.first + place: count for place, count in enumerate(counts) if count},
    )
