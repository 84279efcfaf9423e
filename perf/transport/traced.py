"""Requests that were counted from spans before their program's first metric told of the same ones: they count once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from perf.model import Labels
from perf.transport.buckets import Explicit, Exponential

UNMATCHED = "__unmatched__"

Request: TypeAlias = tuple[str, str, str]
"""Method, route and status: what a request's span and its program's own metric have in common."""
Counts: TypeAlias = dict[Labels, Counter[Request]]
"""By sender: the labels of its resource."""


class Traced:
    """Who sends request durations as a metric, and, of those who don't yet, what their spans were counted for."""

    def __init__(self) -> None:
        self.metered: set[Labels] = set()
        self._counts: Counts = {}

    def rest(
        self, taken: Counts, sender: Labels, labels: Labels, point: Explicit | Exponential
    ) -> Explicit | Exponential:
        """What *point*, in the first request of *sender* with that metric, adds to its spans; *taken* is used up by it."""
        known = self._counts.get(sender)
        if known is None or not point.count:
            return point
        left, request = taken.setdefault(sender, Counter(known)), request_of(labels)
        twice = min(left[request], point.count)
        left[request] -= twice
        return point.thinned(point.count - twice) if twice else point

    def keep(self, counted: Counts, metered: set[Labels]) -> None:
        """A request has been stored that *counted* spans, or held the metric of the *metered*."""
        for sender, requests in counted.items():
            self._counts.setdefault(sender, Counter()).update(requests)
        self.metered |= metered
        for sender in metered:
            self._counts.pop(sender, None)


def request_of(labels: Labels) -> Request:
    """The part of *labels* that both have."""
    told: Mapping[str, str] = dict(labels)
    route = told.get("http_route", UNMATCHED)
    return told.get("http_request_method", ""), route, told.get("http_response_status_code", "")
