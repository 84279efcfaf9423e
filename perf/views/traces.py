"""Questions about who calls whom, answered from traced calls: a sample, so shares and means hold, and numbers are estimates."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from perf.model import Labels, Window
from perf.ports import Store
from perf.views.counters import increases

CALLS = "trace_calls_total"
SECONDS = "trace_seconds_total"
SPLIT = "trace_split_seconds_total"
CUT = "trace_cut_calls_total"
SELF = "self"
"""The share of a call that nothing recorded inside it explains."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Traced calls between two: the other's *name* and *kind*, how many, and for how many seconds in all."""

    name: str
    kind: str
    calls: float
    seconds: float


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What traces know of one function, request, page, query or job in a window.

    *calls* and *seconds* are those that were traced; *callers* and *callees* the costliest first; *split* says in seconds
    what they were spent in: itself (``self``), or the kind of the innermost recorded call. Of *cut* of the calls only the first part
    was seen: of these, callees are too few.
    """

    name: str
    calls: float
    seconds: float
    callers: list[Link]
    callees: list[Link]
    split: dict[str, float]
    cut: float = 0.0


def traced(store: Store, name: str, window: Window) -> Traced | None:
    """Who calls *name*, whom it calls, and what its time was spent in; None when no call of it was traced."""
    edges = _edges(store, window)
    into = [(labels, calls, seconds) for labels, calls, seconds in edges if labels.get("callee") == name]
    if not into:
        return None
    parts = {
        kind: seconds
        for labels, seconds in increases(store, SPLIT, window)
        if seconds > 0 and dict(labels).get("function") == name and (kind := dict(labels).get("kind", ""))
    }
    return Traced(
        name=name,
        calls=sum(calls for _, calls, _ in into),
        seconds=sum(seconds for _, _, seconds in into),
        callers=_links((one for one in into if one[0].get("caller")), "caller"),
        callees=_links((one for one in edges if one[0].get("caller") == name), "callee"),
        split=dict(sorted(parts.items(), key=lambda part: -part[1])),
        cut=sum(n for labels, n in increases(store, CUT, window) if dict(labels).get("function") == name),
    )


def _edges(store: Store, window: Window) -> list[tuple[dict[str, str], float, float]]:
    """Labels, calls and seconds of every pair with calls in *window*."""
    seconds = dict(increases(store, SECONDS, window))
    found: list[tuple[Labels, float]] = increases(store, CALLS, window)
    return [(dict(labels), calls, seconds.get(labels, 0.0)) for labels, calls in found if calls > 0]


def _links(edges: Iterable[tuple[dict[str, str], float, float]], end: str) -> list[Link]:
    """One link for each name at the *end* of *edges*, over all services; a caller's own kind is not known."""
    sums: dict[tuple[str, str], tuple[float, float]] = {}
    for labels, calls, seconds in edges:
        key = (labels[end], labels.get("kind", "") if end == "callee" else "")
        before = sums.get(key, (0.0, 0.0))
        sums[key] = (before[0] + calls, before[1] + seconds)
    links = [Link(name=name, kind=kind, calls=c, seconds=s) for (name, kind), (c, s) in sums.items()]
    return sorted(links, key=lambda link: (-link.seconds, link.name))
