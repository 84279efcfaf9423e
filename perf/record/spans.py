"""Who calls whom: now and then a call opens a trace, and every recorded call inside becomes a span of it."""

from __future__ import annotations

import secrets
from collections import deque
from contextvars import ContextVar, Token
from time import perf_counter_ns

MAX_WAITING = 20_000
"""Spans of ended traces that wait for the drain."""
MAX_SPANS = 1_000
"""Spans that one trace holds; the rest of its calls are recorded as if there was none."""
MAX_TURNS = 10
"""Drains that a trace may last: a server started inside a recorded function would trace everything for ever."""
MAX_PARENTS = 32


class Trace:
    """One call and everything recorded inside it, in the order of beginning."""

    __slots__ = ("cut_ns", "id", "spans", "turns")

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.spans: list[Span] = []
        self.turns = 0
        self.cut_ns = 0


class Span:
    """A call in a trace; *took_ns* is below zero until it ends. Its name may change up to the end of the trace."""

    __slots__ = ("began_ns", "ended_ns", "kind", "name", "parent", "token", "took_ns", "trace")

    def __init__(self, name: str, kind: str, parent: Span | None, trace: Trace) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.trace = trace
        self.took_ns = -1
        self.began_ns = perf_counter_ns()
        self.ended_ns = 0
        self.token: Token[Span | None] | None = None

    def callers(self) -> tuple[str, ...]:
        """The names above, the nearest first."""
        names: list[str] = []
        above = self.parent
        while above is not None and len(names) < MAX_PARENTS:
            names.append(above.name)
            above = above.parent
        return tuple(names)


ACTIVE: ContextVar[Span | None] = ContextVar("perf_span", default=None)
"""The innermost traced call of this thread or task."""


class Spans:
    """The traces of one recorder. `live` is the one thing that untraced calls look at: empty, it costs them 4 ns."""

    def __init__(self) -> None:
        self.live: set[Trace] = set()
        self.turns = 0
        self.lost = 0
        self._ended: deque[Trace] = deque()
        self._waiting = 0

    def within(self) -> Span | None:
        """The live span that the present call is in."""
        span = ACTIVE.get()
        return span if span is not None and span.trace in self.live else None

    def begin(self, name: str, kind: str, parent: Span | None) -> Span:
        """A span for a call that begins now; without *parent*, which is live, it opens a trace."""
        if parent is None:
            trace = Trace()
            self.live.add(trace)
            # A trace that was cut goes on above this one: its callee is not the outermost.
            parent = ACTIVE.get()
            if parent is not None and parent.took_ns >= 0:
                parent = None
        else:
            trace = parent.trace
        span = Span(name, kind, parent, trace)
        trace.spans.append(span)
        if len(trace.spans) >= MAX_SPANS:
            self._cut(trace)
        resume(span)
        return span

    def end(self, span: Span, took_ns: int) -> None:
        """*span* took so long; the first of a trace ends it."""
        pause(span)
        span.ended_ns = perf_counter_ns()
        span.took_ns = took_ns
        trace = span.trace
        if trace.spans and trace.spans[0] is span:
            self.live.discard(trace)
            # Threads may overwrite each other's sums; the limit needn't be exact.
            if self._waiting < MAX_WAITING:
                self._waiting += len(trace.spans)
                self._ended.append(trace)
            else:
                self.lost += 1
                trace.spans = []

    def taken(self) -> list[list[Span]]:
        """The spans of the traces that ended since the last time, each in the order of beginning. One thread at a time."""
        found = []
        self._waiting = 0
        for _ in range(len(self._ended)):
            trace = self._ended.popleft()
            found.append(trace.spans)
            # A task that outlives the trace keeps its span, and with it the trace, but not all of it.
            trace.spans = []
        return found

    def turn(self) -> None:
        """Once a drain: give up traces that don't end."""
        self.turns += 1
        for trace in tuple(self.live):
            trace.turns += 1
            if trace.turns > MAX_TURNS:
                self._cut(trace)

    def forget(self) -> None:
        """Start over, in a forked child."""
        self.live.clear()
        self._ended.clear()
        self._waiting = self.lost = 0

    def _cut(self, trace: Trace) -> None:
        """No more spans for *trace*."""
        trace.cut_ns = trace.cut_ns or perf_counter_ns()
        self.live.discard(trace)


def resume(span: Span) -> None:
    """What is called from now on is called by *span*."""
    span.token = ACTIVE.set(span)


def pause(span: Span) -> None:
    """Until it is resumed, *span* calls nothing."""
    if span.token is None:
        return
    try:
        ACTIVE.reset(span.token)
    except ValueError:  # In another context than it began in.
        ACTIVE.set(None)
    span.token = None
