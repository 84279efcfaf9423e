"""One turn of the drain: what the recorder holds, and what recording costs, to whoever stores it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.model import Kind, Measurement, Metric, Sample
from perf.ports import Clock
from perf.record.recorder import Recorder
from perf.record.timers import call_seconds
from perf.release import deployed
from perf.settings import RecordSettings

CALL = Metric("perf_record_call_seconds", Kind.GAUGE, "s", "What recording adds to one call on this machine.")
SHARE = Metric("perf_record_cpu_ratio", Kind.GAUGE, "1", "Recording's share of a core, calls and drains together.")
DROPPED = Metric("perf_record_dropped_total", Kind.COUNTER, "1", "What recording dropped since the start, by reason.")

OWN_SECONDS = 10.0


class Drain:
    """What *recorder*, set up as *settings* say, has to tell about others and itself."""

    def __init__(self, recorder: Recorder, settings: RecordSettings, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._next: float | None = None
        recorder.max_share = settings.max_cpu
        recorder.traces = settings.traces
        recorder.exemplars_kept.per_minute = settings.slowest
        recorder.exemplars_kept.values_allowed = settings.arguments
        recorder.exemplars_kept.release = self.release = deployed(settings.release)

    def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
        """Everything since the call before, stamped *ts*; every ten seconds also what recording costs, and what it dropped."""
        if self._next is None and not last:
            self._recorder.call_seconds = call_seconds()
        told = self._recorder.drain(ts, last=last)
        moment = self._clock.monotonic()
        if last:
            return [*told, *self._dropped(ts)]
        if self._next is None or moment >= self._next:
            self._next = moment + OWN_SECONDS
            told += self._own(ts)
        return told

    def _own(self, ts: float) -> list[Measurement]:
        recorder = self._recorder
        own: list[Measurement] = [Sample(ts, CALL, (), recorder.call_seconds)]
        if recorder.share is not None:
            own.append(Sample(ts, SHARE, (), recorder.share))
        return [*own, *self._dropped(ts)]

    def _dropped(self, ts: float) -> list[Sample]:
        dropped = self._recorder.dropped()
        return [Sample(ts, DROPPED, (("reason", reason),), float(count)) for reason, count in dropped.items()]


class Drainer:
    """Hands what *drain* tells to *submit*, and nothing when it is silent."""

    def __init__(self, drain: Drain, submit: Callable[[Sequence[Measurement]], None], clock: Clock) -> None:
        self._drain = drain
        self._submit = submit
        self._clock = clock

    def turn(self, *, last: bool = False) -> None:
        """One drain."""
        told = self._drain.drain(self._clock.now(), last=last)
        if told:
            self._submit(told)

    def finish(self) -> None:
        """The last drain: what was recorded since the turn before."""
        self.turn(last=True)
