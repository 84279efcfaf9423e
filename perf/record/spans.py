"""Who calls whom: now and then a call opens a trace, and every recorded call inside tells its caller and its own share."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar, Token

import msgspec

MAX_WAITING = 20_000
MAX_SPANS = 1_000
"""Spans that one trace holds; the rest of its calls are recorded as if there was none."""
MAX_TURNS = 10
"""Drains that a trace may last: a server started inside a recorded function would trace everything for ever."""
MAX_EDGES = 10_000


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """How often *caller* called *callee* since the start, and for how many seconds in all: estimates, from the traces."""

    caller: str
    callee: str
    calls: float
    seconds: float


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds in *function* itself since the start, without what it called that is recorded too: an estimate."""

    function: str
    seconds: float


class Trace:
    """One call and everything recorded inside it."""

    __slots__ = ("id", "spans", "turns")

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.spans = 0
        self.turns = 0


class Span:
    """A call that is under way in a trace."""

    __slots__ = ("inner_ns", "name", "parent", "token", "trace")

    def __init__(self, name: str, parent: Span | None, trace: Trace) -> None:
        self.name = name
        self.parent = parent
        self.trace = trace
        self.inner_ns = 0
        self.token: Token[Span | None] | None = None

    def callers(self) -> tuple[str, ...]:
        """The names above, the nearest first."""
        names: list[str] = []
        above = self.parent
        while above is not None and len(names) < 32:
            names.append(above.name)
            above = above.parent
        return tuple(names)


ACTIVE: ContextVar[Span | None] = ContextVar("perf_span", default=None)
"""The innermost traced call of this thread or task."""


class Spans:
    """The traces of one recorder. `live` is the one thing that untraced calls look at: empty, it costs them 4 ns."""

    def __init__(self) -> None:
        self.live: set[Trace] = set()
        self._ended: deque[tuple[str, str, int, int]] = deque(maxlen=MAX_WAITING)
        self._calls: dict[str, int] = {}
        self._own: dict[str, int] = {}
        self._edges: dict[tuple[str, str], tuple[int, int]] = {}

    def within(self) -> Span | None:
        """The live span that the present call is in."""
        span = ACTIVE.get()
        return span if span is not None and span.trace in self.live else None

    def begin(self, name: str, parent: Span | None) -> Span:
        """A span for a call of *name* that begins now; without *parent* it opens a trace."""
        trace = Trace() if parent is None else parent.trace
        if parent is None:
            self.live.add(trace)
        trace.spans += 1
        if trace.spans >= MAX_SPANS:
            self.live.discard(trace)
        span = Span(name, parent, trace)
        span.token = ACTIVE.set(span)
        return span

    def end(self, span: Span, took_ns: int) -> None:
        """*span* took so long."""
        if span.token is not None:
            try:
                ACTIVE.reset(span.token)
            except ValueError:  # The call ends in another context than it began in.
                ACTIVE.set(None)
        if span.parent is None:
            self.live.discard(span.trace)
            caller = ""
        else:
            span.parent.inner_ns += took_ns
            caller = span.parent.name
        # Calls that run side by side can take longer together than the one that waits for them.
        self._ended.append((caller, span.name, took_ns, max(0, took_ns - span.inner_ns)))

    def fold(self) -> None:
        """Add up what ended. One thread at a time."""
        for _ in range(len(self._ended)):
            caller, name, took, own = self._ended.popleft()
            if name not in self._calls and len(self._calls) >= MAX_EDGES:
                continue
            self._calls[name] = self._calls.get(name, 0) + 1
            self._own[name] = self._own.get(name, 0) + own
            if caller and ((caller, name) in self._edges or len(self._edges) < MAX_EDGES):
                calls, total = self._edges.get((caller, name), (0, 0))
                self._edges[caller, name] = (calls + 1, total + took)

    def turn(self) -> None:
        """Once a drain: give up traces that don't end."""
        for trace in tuple(self.live):
            trace.turns += 1
            if trace.turns > MAX_TURNS:
                self.live.discard(trace)

    def edges(self, calls: Mapping[str, int]) -> list[Edge]:
        """Every caller and callee, scaled from the traced calls of the caller to all its *calls*."""
        found = []
        for (caller, callee), (seen, nanos) in tuple(self._edges.items()):
            scale = max(1.0, calls.get(caller, 0) / max(1, self._calls.get(caller, 0)))
            found.append(Edge(caller=caller, callee=callee, calls=seen * scale, seconds=nanos / 1e9 * scale))
        return sorted(found, key=lambda edge: -edge.seconds)

    def own(self, calls: Mapping[str, int]) -> list[Own]:
        """Every function's own time, scaled from its traced calls to all its *calls*."""
        found = []
        for name, nanos in tuple(self._own.items()):
            scale = max(1.0, calls.get(name, 0) / max(1, self._calls.get(name, 0)))
            found.append(Own(function=name, seconds=nanos / 1e9 * scale))
        return sorted(found, key=lambda own: -own.seconds)

    def forget(self) -> None:
        """Start over, in a forked child."""
        self.live.clear()
        self._ended.clear()
        self._calls, self._own, self._edges = {}, {}, {}
