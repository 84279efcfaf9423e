"""Running totals as increases: what is sent adds up at a receiver that knows nothing of what came before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from perf.model import Kind, Labels, Measurement, Sample


class Deltas:
    """Turns our running totals into increases, per series; a total that became smaller has begun anew, as all have in a fork."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._last: dict[tuple[str, Labels], float] = {}

    def increases(self, measurements: Iterable[Measurement]) -> Iterator[Measurement]:
        """*measurements* with the increase of each counter instead of its total."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._last.clear()
        for each in measurements:
            if not isinstance(each, Sample) or each.metric.kind is not Kind.COUNTER:
                yield each
                continue
            key = (each.metric.name, each.labels)
            last = self._last.get(key, 0.0)
            self._last[key] = each.value
            increase = each.value if each.value < last else each.value - last
            yield Sample(each.ts, each.metric, each.labels, increase)
