"""What happens around a recorded call that isn't ordinary: it is traced, slow, skipped, or fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perf.model import Kind, Metric
from perf.record.recorder import Recorder
from perf.record.series import SKIP, TRACE
from perf.record.spans import Span

ERRORS = Metric("function_errors_total", Kind.COUNTER, "1", "Calls that ended with an exception, by its type.")
CANCELLED = Metric("function_cancelled_total", Kind.COUNTER, "1", "Calls that were cancelled.")

# asyncio and concurrent.futures; Trio; a coroutine that is closed before its end.
_CANCELLATIONS = ("CancelledError", "Cancelled", "GeneratorExit")


class _Skipped(Span):
    """Stands for: this call is counted, not measured."""

    __slots__ = ()

    def __init__(self) -> None:
        self.token = None


SKIPPED = _Skipped()


class Watch:
    """A function or block that is recorded: its series, and what happens around calls that aren't ordinary."""

    __slots__ = ("kind", "labels", "name", "recorder", "series")

    def __init__(
        self, recorder: Recorder, metric: Metric, labels: Mapping[str, str], kind: str = "function", name: str = ""
    ) -> None:
        """*kind* and *name* are those of its spans: ``function``, ``request``, ``page``, ``job``, ``database``, ``cache`` or
        ``http``; *name* defaults to the label ``function``, else to the metric's.
        """
        self.recorder = recorder
        self.labels = dict(labels)
        self.kind = kind
        self.name = name or self.labels.get("function", metric.name)
        self.series = recorder.distribution(metric, labels)

    def enter(self) -> Span | None:
        """A span when this call is traced, `SKIPPED` when it isn't to be measured, None when it is a call like any other."""
        try:
            series, spans = self.series, self.recorder.spans
            parent = spans.within() if spans.live else None
            if parent is not None:
                return spans.begin(self.name, self.kind, parent)
            if series.mode & TRACE:
                series.mode &= ~TRACE
                if self.recorder.traces:
                    return spans.begin(self.name, self.kind, None)
            if series.mode & SKIP and series.skipped():
                return SKIPPED
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("opening a trace")
        return None

    def measured(self, took_ns: int, span: Span | None, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """After a call that is measured, traced or not."""
        self.series.tick()
        self.series.put_ns(took_ns)
        if took_ns > self.series.slow or span is not None:
            self.note(took_ns, span, args, kwargs)

    def note(self, took_ns: int, span: Span | None, args: Sequence[object], kwargs: Mapping[str, object],
             error: str = "") -> None:  # fmt: skip
        """After a call that was traced, or slower than the slowest kept."""
        try:
            if span is not None:
                self.recorder.spans.end(span, took_ns)
            if took_ns > self.series.slow:
                self.recorder.exemplars_kept.note(self.series, took_ns, span, args, kwargs, error)
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("keeping a slow call")

    def failed(self, took_ns: int, span: Span | None, error: BaseException, args: Sequence[object],
               kwargs: Mapping[str, object]) -> None:  # fmt: skip
        """After a call that ended with *error*."""
        kind = type(error).__name__
        try:
            if kind in _CANCELLATIONS:
                self.recorder.counter(CANCELLED, self.labels).add()
            else:
                self.recorder.counter(ERRORS, {**self.labels, "error_type": kind}).add()
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            self.recorder.failed("counting an error")
        if span is not SKIPPED:
            self.series.tick()
            self.series.put_ns(took_ns)
            self.note(took_ns, span, args, kwargs, kind)
