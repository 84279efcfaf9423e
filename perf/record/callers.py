"""Ended traces as counters: how often and how long who called whom, and what the time of a call went into.

Raw counts of the traced calls: whoever reads them scales them from the traced calls of a function to all its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from perf.model import Histogram, Kind, Labels, Metric
from perf.record.series import Counter
from perf.record.spans import Span

CALLS = Metric("trace_calls_total", Kind.COUNTER, "1", "Traced calls, by caller and callee.")
SECONDS = Metric("trace_seconds_total", Kind.COUNTER, "s", "Time of traced calls, by caller and callee.")
SPLIT = Metric("trace_split_seconds_total", Kind.COUNTER, "s", "Time of traced calls, by what it was spent in.")
CUT = Metric("trace_cut_calls_total", Kind.COUNTER, "1", "Traced calls of which only the first part was seen.")

TELL_SECONDS = 5.0
"""Traces change these counters with every drain; each change is a row in the store."""
SELF = "self"
_WHOLE = frozenset({"database", "cache", "http"})
"""Kinds whose calls aren't split: what they wait for is elsewhere."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """How often *caller* called *callee* since the start, and for how many seconds in all: estimates, from the traces."""

    caller: str
    callee: str
    calls: float
    seconds: float


class Callers:
    """What ended traces add up to, until it is told."""

    def __init__(self, counter: Callable[[Metric, Mapping[str, str]], Counter]) -> None:
        """*counter* gives the counters that are told to."""
        self._counter = counter
        self._edges: dict[tuple[str, str, str], list[int]] = {}
        self._split: dict[tuple[str, str], float] = {}
        self._cut: dict[str, int] = {}
        self._told: float | None = None

    def fold(self, traces: Sequence[Sequence[Span]]) -> None:
        """Add up *traces*, each in the order of beginning."""
        for spans in traces:
            inner: dict[Span, dict[str, float]] = {}
            # Whatever is inside a span began after it.
            for span in reversed(spans):
                if span.took_ns >= 0:  # Else it outlives its trace.
                    self._add(span, inner)

    def tell(self, now: float | None = None) -> None:
        """Add to the counters, unless that was less than `TELL_SECONDS` before *now* (monotonic seconds)."""
        if now is not None:
            if self._told is not None and now - self._told < TELL_SECONDS:
                return
            self._told = now
        edges, self._edges = self._edges, {}
        for (caller, callee, kind), (calls, nanos) in edges.items():
            labels = {"callee": callee, "caller": caller, "kind": kind}
            self._counter(CALLS, labels).add(float(calls))
            self._counter(SECONDS, labels).add(nanos / 1e9)
        split, self._split = self._split, {}
        for (function, kind), nanoseconds in split.items():
            self._counter(SPLIT, {"function": function, "kind": kind}).add(nanoseconds / 1e9)
        cut, self._cut = self._cut, {}
        for function, count in cut.items():
            self._counter(CUT, {"function": function}).add(float(count))

    def forget(self) -> None:
        """Start over, in a forked child."""
        self._edges, self._split, self._cut, self._told = {}, {}, {}, None

    def _add(self, span: Span, inner: dict[Span, dict[str, float]]) -> None:
        parent = span.parent
        edge = self._edges.setdefault((parent.name if parent is not None else "", span.name, span.kind), [0, 0])
        edge[0] += 1
        edge[1] += span.took_ns
        if 0 < span.trace.cut_ns < span.ended_ns and span.kind not in _WHOLE:
            self._cut[span.name] = self._cut.get(span.name, 0) + 1
        parts = split(span, inner.pop(span, {}))
        if span.kind not in _WHOLE:
            for kind, nanoseconds in parts.items():
                key = (span.name, kind)
                self._split[key] = self._split.get(key, 0.0) + nanoseconds
        if parent is not None and parent.trace is span.trace:
            above, share = inner.setdefault(parent, {}), _during(parent, span)
            for kind, nanoseconds in parts.items():
                kind = span.kind if kind == SELF else kind
                above[kind] = above.get(kind, 0.0) + nanoseconds * share


def _during(parent: Span, span: Span) -> float:
    """The share of *span* that was while *parent* was: a task may end later than what began it."""
    if not parent.ended_ns or span.ended_ns <= parent.ended_ns:
        return 1.0
    return max(0, parent.ended_ns - span.began_ns) / (span.ended_ns - span.began_ns)


def split(span: Span, inner: Mapping[str, float]) -> dict[str, float]:
    """What *span* spent its time in, in nanoseconds that add up to its own: `SELF`, and the kinds of calls *inside* it."""
    took = float(span.took_ns)
    if span.kind in _WHOLE or not inner:
        return {SELF: took}
    seen, cut = took, span.trace.cut_ns
    if cut and span.ended_ns > cut:
        # After the cut nothing is seen of what it called: the part before stands for the whole.
        seen = max(1.0, float(cut - span.began_ns))
    inside = sum(inner.values())
    # Calls side by side can take longer together than the one that waits for them.
    whole = max(seen, inside, 1.0)
    parts = {kind: nanoseconds * took / whole for kind, nanoseconds in inner.items()}
    parts[SELF] = took * (whole - inside) / whole
    return parts


def edges(totals: Sequence[tuple[Metric, Labels, Histogram | float]]) -> list[Edge]:
    """Every caller and callee among the *totals* of a recorder, scaled from the traced calls of a function to all its calls;
    the costliest first.
    """
    calls: dict[str, int] = {}
    traced: dict[str, float] = {}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for metric, pairs, value in totals:
        labels = dict(pairs)
        if isinstance(value, Histogram):
            name = labels.get("function", "")
            calls[name] = calls.get(name, 0) + value.count
        elif metric.name in (CALLS.name, SECONDS.name):
            edge = found.setdefault((labels["caller"], labels["callee"]), {CALLS.name: 0.0, SECONDS.name: 0.0})
            edge[metric.name] += value
            if metric.name == CALLS.name:
                traced[labels["callee"]] = traced.get(labels["callee"], 0.0) + value
    answer = []
    for (caller, callee), edge in found.items():
        scale = max(1.0, calls.get(caller, 0) / traced.get(caller, 1.0))
        if caller:
            answer.append(
                Edge(caller=caller, callee=callee, calls=edge[CALLS.name] * scale, seconds=edge[SECONDS.name] * scale)
            )
    return sorted(answer, key=lambda edge: -edge.seconds)
