"""Raw samples, the newest first, from any place on."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from perf.model import Labels, RowsQuery, Selector, Window
from perf.ports import Store
from perf.views.export import Record

Place: TypeAlias = tuple[float, str, Labels, float]
"""Where a sample stands among others: time, metric, labels, value; the largest comes first."""
_TICK = 2e-6
"""Beyond the microseconds of the store."""


def place(sample: Record) -> Place:
    """Where *sample* stands."""
    value = sample.value if math.isfinite(sample.value) else math.copysign(sys.float_info.max, sample.value)
    return sample.ts, sample.metric, sample.labels, value


def newest_first(
    store: Store, selectors: Sequence[Selector], window: Window, search: str, *, after: Place | None, size: int
) -> Iterator[Record]:
    """The samples of *window* in falling order, read *size* at a time; with *after* from about its time on."""
    if after is not None:
        window = Window(window.start, max(window.start + _TICK, min(window.end, after[0] + _TICK)))
    offset = 0
    while True:
        found = store.rows(
            RowsQuery(window=window, selectors=tuple(selectors), search=search, limit=size, offset=offset)
        )
        columns = zip(found.ts.tolist(), found.sids.tolist(), found.values.tolist(), strict=True)
        for ts, sid, value in columns:
            info = found.series[sid]
            yield Record(ts, info.metric.name, info.labels, value, info.metric.unit)
        if len(found.ts) < size:
            return
        offset += size
