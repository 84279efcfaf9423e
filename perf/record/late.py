"""Calls whose series and name are known only when they have ended: a request has its route and its status by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from perf.record.recorder import Recorder
from perf.record.series import Distribution
from perf.record.spans import Span

TRACED = 10
"""Calls between two drains that open a trace: any of them may turn out to be of a series that has had none for long."""


class Call(NamedTuple):
    """What a call turned out to be."""

    series: Distribution
    name: str
    error: str = ""


def _none(call: Call) -> tuple[str, ...]:  # noqa: ARG001 - the form of such a function
    return ()


class Late:
    """What opens and ends the spans of such calls, all of one *kind*."""

    def __init__(self, recorder: Recorder, kind: str, *, opens: bool = True) -> None:
        """Unless it *opens* traces, its calls are only seen in those of others."""
        self.recorder = recorder
        self._kind = kind
        self._most = TRACED if opens else 0
        self._left = self._most
        self._turn = 0

    def enter(self) -> Span | None:
        """The span of a call that begins now, if it is to be traced."""
        spans = self.recorder.spans
        try:
            if spans.live:
                parent = spans.within()
                if parent is not None:
                    return spans.begin(self._kind, self._kind, parent)
            if self._turn != spans.turns:
                self._turn, self._left = spans.turns, self._most
            if self._left > 0 and self.recorder.traces:
                self._left -= 1
                return spans.begin(self._kind, self._kind, None)
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("opening a trace")
        return None

    def ended(
        self,
        span: Span | None,
        took_ns: int,
        find: Callable[[], Call],
        arguments: Callable[[Call], tuple[str, ...]] = _none,
    ) -> None:
        """The call ended after *took_ns*; *find* tells what it was, *arguments* what to show of it when it was slow."""
        try:
            call = find()
            series = call.series
            series.record_ns(took_ns)
            if span is not None:
                span.name = call.name
                self.recorder.spans.end(span, took_ns)
            if took_ns > series.slow:
                self.recorder.exemplars_kept.keep(series, took_ns, span, arguments(call), call.error)
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("recording a call")
            if span is not None and span.took_ns < 0:
                self.recorder.spans.end(span, took_ns)
