"""One turn of the drain: what the recorder holds, and what recording costs, to whoever stores it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.model import Kind, Measurement, Metric, Sample
from perf.ports import Clock
from perf.record.recorder import Recorder
from perf.record.timers import call_seconds
from perf.settings import RecordSettings

CALL = Metric("perf_record_call_seconds", Kind.GAUGE, "s", "What recording adds to one call on this machine.")
SHARE = Metric("perf_record_cpu_ratio", Kind.GAUGE, "1", "Recording's share of a core, calls and drains together.")
DROPPED = Metric("perf_record_dropped_total", Kind.COUNTER, "1", "What recording dropped since the start, by reason.")

OWN_SECONDS = 10.0


class Drainer:
    """Hands everything since the last turn to *submit*."""

    def __init__(
        self,
        recorder: Recorder,
        settings: RecordSettings,
        submit: Callable[[Sequence[Measurement]], None],
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._settings = settings
        self._submit = submit
        self._clock = clock
        self._next: float | None = None

    def turn(self) -> None:
        """One drain; every ten seconds also what it costs."""
        if self._next is None:
            self._begin()
        ts = self._clock.now()
        told = self._recorder.drain(ts)
        moment = self._clock.monotonic()
        if self._next is None or moment >= self._next:
            self._next = moment + OWN_SECONDS
            told += self._own(ts)
        if told:
            self._submit(told)

    def finish(self) -> None:
        """The last drain: what was recorded since the turn before."""
        told = self._recorder.drain(self._clock.now())
        if told:
            self._submit(told)

    def _begin(self) -> None:
        settings, recorder = self._settings, self._recorder
        recorder.call_seconds = call_seconds()
        recorder.max_share = settings.max_cpu
        recorder.traces = settings.traces
        recorder.exemplars_kept.per_minute = settings.slowest
        recorder.exemplars_kept.values_allowed = settings.arguments
        recorder.exemplars_kept.release = settings.release

    def _own(self, ts: float) -> list[Measurement]:
        recorder = self._recorder
        dropped = recorder.dropped()
        own: list[Measurement] = [Sample(ts, CALL, (), recorder.call_seconds)]
        if recorder.share is not None:
            own.append(Sample(ts, SHARE, (), recorder.share))
        own += [Sample(ts, DROPPED, (("reason", reason),), float(count)) for reason, count in dropped.items()]
        return own
