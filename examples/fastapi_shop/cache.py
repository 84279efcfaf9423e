"""The shop's cache: the newest entries, and how often they helped."""

from __future__ import annotations

from collections import OrderedDict

from perf.model import Kind, Metric
from perf.record import current

REQUESTS = Metric("cache_requests_total", Kind.COUNTER, "1", "Look-ups in caches, by result.")


class Cache:
    """Keeps the *size* entries that were asked for last."""

    def __init__(self, name: str, *, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[int, dict[str, object]] = OrderedDict()
        self._hit = current().counter(REQUESTS, {"cache": name, "result": "hit"})
        self._miss = current().counter(REQUESTS, {"cache": name, "result": "miss"})

    def get(self, key: int) -> dict[str, object] | None:
        """What is kept for *key*."""
        found = self._kept.pop(key, None)
        if found is None:
            self._miss.add()
            return None
        self._kept[key] = found
        self._hit.add()
        return found

    def put(self, key: int, value: dict[str, object]) -> None:
        """Keep *value*; the oldest goes."""
        self._kept[key] = value
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
