"""The recorder: gives callers the series they append to, and turns what they appended into measurements."""

from __future__ import annotations

import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from time import thread_time
from typing import TypeAlias, TypeVar

from perf.clock import SystemClock
from perf.errors import PerfError
from perf.model import Exemplar, Histogram, HistogramSample, Kind, Labels, Measurement, Metric, Sample
from perf.model.distribution import merge
from perf.ports import Clock
from perf.record.callers import Callers
from perf.record.exemplars import Exemplars
from perf.record.polls import Polls
from perf.record.sampling import every
from perf.record.series import MEASURE, TRACE, Counter, Distribution, Gauge, Ticks, Values
from perf.record.spans import Spans

CAPACITY = 16_384
"""Observations that a series of the process's own recorder holds between two drains: 0.6 MB, and enough for any percentile."""
OTHER = "__other__"
REPEAT_SECONDS = 10.0
"""How often a gauge or counter that stands still is told again: silence would read as a gap."""
MAX_LABEL = 200
LATEST = 2.0**33
"""The last time (Unix seconds, in 2242) that a number may have."""
DRAIN_SECONDS = 60e-9
"""What draining one observation costs."""
SKIPPED_COST = 0.6
"""What a call that isn't measured costs, of one that is."""
ADAPT_SECONDS = 0.5

_NO_LABELS: Mapping[str, str] = {}
_log = logging.getLogger(__name__)
_Any: TypeAlias = Distribution | Counter | Gauge | Values
_Series = TypeVar("_Series", Distribution, Counter, Gauge, Values)
_KINDS = {Distribution: Kind.HISTOGRAM, Counter: Kind.COUNTER, Gauge: Kind.GAUGE, Values: Kind.GAUGE}


class RecordError(PerfError):
    """A metric can't be recorded this way."""


class Recorder:
    """Series by metric and labels. Callers may be on any thread; `drain` and `totals` wait for each other only."""

    def __init__(self, clock: Clock, *, capacity: int = 100_000, label_cap: int = 1_000) -> None:
        self.clock = clock
        self.spans = Spans()
        self.polls = Polls()
        self._callers = Callers(self.counter)
        self.exemplars_kept = Exemplars(clock)
        self.traces = True
        self.max_share = 0.01
        self.call_seconds = 350e-9
        self.share: float | None = None
        self._capacity = max(1, capacity)
        self._label_cap = max(1, label_cap)
        self._known: dict[tuple[str, Labels], _Any] = {}
        self._sets: dict[str, int] = {}
        self._refused = Ticks()
        self._errors = Ticks()
        self._dropped = dict.fromkeys(("buffer_full", "not_finite", "time", "labels", "errors"), 0)
        # A finalizer or a signal handler may ask for a series while its own thread is adding one.
        self._adding = threading.RLock()
        self._draining = threading.Lock()
        self._last_drain: float | None = None
        self._last_turn = clock.monotonic()
        self._drained = 0.0
        self._measured = 0
        self._recent: dict[Distribution, int] = {}
        _watch_forks(self)

    def distribution(self, metric: Metric, labels: Mapping[str, str] = _NO_LABELS) -> Distribution:
        """The series of *metric*, a histogram, with *labels*; keep it where many observations come.

        Labels in the order of their names are found soonest.

        Raises: RecordError when the metric is known as another kind.
        """
        found = self._known.get((metric.name, tuple(labels.items())))
        if isinstance(found, Distribution):
            return found
        return self._typed(Distribution, metric, labels, lambda key: Distribution(metric, key, capacity=self._capacity))

    def counter(self, metric: Metric, labels: Mapping[str, str] = _NO_LABELS) -> Counter:
        """As `distribution`, of a counter."""
        found = self._known.get((metric.name, tuple(labels.items())))
        return (
            found if isinstance(found, Counter) else self._typed(Counter, metric, labels, lambda k: Counter(metric, k))
        )

    def gauge(self, metric: Metric, labels: Mapping[str, str] = _NO_LABELS) -> Gauge:
        """As `distribution`, of a gauge: its present value is told at every change, and again every ten seconds."""
        found = self._known.get((metric.name, tuple(labels.items())))
        return found if isinstance(found, Gauge) else self._typed(Gauge, metric, labels, lambda k: Gauge(metric, k))

    def values(self, metric: Metric, labels: Mapping[str, str] = _NO_LABELS) -> Values:
        """As `distribution`, of single numbers that each keep their own time and are told once."""
        return self._typed(Values, metric, labels, lambda key: Values(metric, key, capacity=self._capacity))

    def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
        """Everything since the last drain, stamped *ts*. Counters are running totals, histograms hold their interval only.

        What is told in larger steps, callers and slow calls, comes with the *last* drain at the latest.
        """
        with self._draining:
            began = thread_time()
            self._fold(last=last)
            self._tell_callers(None if last else self.clock.monotonic())
            told: list[Measurement] = []
            for series in tuple(self._known.values()):
                told += self._told(series, ts)
            self._last_drain = ts
            self.spans.turn()
            told += self.exemplars_kept.turn(last=last)
            self._adapt(thread_time() - began)
            return told

    def totals(self) -> list[tuple[Metric, Labels, Histogram | float]]:
        """Every series since the start: a distribution's histogram, a counter's sum, the newest value of the others."""
        with self._draining:
            self._fold()
            self._tell_callers(None)
            return [
                (series.metric, series.labels, value)
                for series in tuple(self._known.values())
                if (value := _total(series)) is not None
            ]

    def dropped(self) -> dict[str, int]:
        """What is missing, by reason, where anything is: observations that no buffer had room for (their calls are counted),
        or that no distribution can hold, numbers of a time that is none, label sets beyond the cap (recorded as ``__other__``), and errors of perf's own.
        """
        with self._draining:
            return self._missing()

    def exemplars(self, since: float = 0.0) -> list[Exemplar]:
        """The slowest calls that ended at *since* (Unix seconds) or later."""
        return self.exemplars_kept.since(since)

    def failed(self, what: str) -> None:
        """Count an error of perf's own; the first one is logged with the traceback that is being handled."""
        if self._errors.next() == 0:
            _log.exception("%s failed; recording goes on", what)

    def forget(self) -> None:
        """Start over: the child of a fork doesn't own what its parent recorded, nor locks that other threads held."""
        self._adding, self._draining = threading.RLock(), threading.Lock()
        for series in tuple(self._known.values()):
            series.forget()
        self.spans.forget()
        self._callers.forget()
        self.exemplars_kept.forget()
        self._dropped = dict.fromkeys(self._dropped, 0)
        self._recent.clear()
        self._last_drain, self._drained, self._measured = None, 0.0, 0

    def _typed(
        self, kind: type[_Series], metric: Metric, labels: Mapping[str, str], make: Callable[[Labels], _Series]
    ) -> _Series:
        key = tuple(sorted((name, str(value)[:MAX_LABEL]) for name, value in labels.items()))
        series = self._known.get((metric.name, key)) or self._added(metric, key, make)
        if not isinstance(series, kind) or metric.kind is not _KINDS[kind]:
            known = f"{type(series).__name__.lower()} of {series.metric.kind}s"
            raise RecordError(f"{metric.name}: known as a {known}, not a {kind.__name__.lower()} of {metric.kind}s")
        return series

    def _added(self, metric: Metric, key: Labels, make: Callable[[Labels], _Any]) -> _Any:
        if self._sets.get(metric.name, 0) >= self._label_cap:
            self._refused.next()
            key = tuple((name, OTHER) for name, _ in key)
            # Here comes every caller whose labels are too many: no lock.
            if (other := self._known.get((metric.name, key))) is not None:
                return other
        with self._adding:
            if (metric.name, key) not in self._known:
                self._known[metric.name, key] = make(key)
                self._sets[metric.name] = self._sets.get(metric.name, 0) + 1
            return self._known[metric.name, key]

    def _fold(self, *, last: bool = False) -> None:
        self.polls.turn(self.failed)
        for series in [series for series in tuple(self._known.values()) if isinstance(series, Distribution)]:
            try:
                folded = series.fold(last=last)
            except Exception:  # noqa: BLE001 - the edge where perf must not break its host: one series must not stop the others.
                self.failed(f"draining {series.metric.name}")
                continue
            self._dropped["buffer_full"] += folded.lost
            self._dropped["not_finite"] += folded.unfit
            self._recent[series] = self._recent.get(series, 0) + folded.calls
            self._measured += folded.measured

    def _tell_callers(self, now: float | None) -> None:
        try:
            self._callers.fold(self.spans.taken())
            self._callers.tell(now)
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host: traces must not stop the rest.
            self.failed("adding up traces")

    def _told(self, series: _Any, ts: float) -> list[Measurement]:
        if isinstance(series, Distribution):
            histogram = series.take()
            if series.mode == MEASURE and self.traces:
                series.mode = TRACE
            return [] if histogram is None else [HistogramSample(ts, series.metric, series.labels, histogram)]
        if isinstance(series, Values):
            taken, lost = series.take()
            self._dropped["buffer_full"] += lost
            return [s for when, value in taken for s in self._sample(series, when, value)]
        value = series.total() if isinstance(series, Counter) else series.value
        if value is None or (value == series.reported and 0 <= ts - series.when < REPEAT_SECONDS):
            return []
        # A counter that first shows up with 5 would hide its first five: it stood at zero one drain ago.
        new = isinstance(series, Counter) and series.reported is None and self._last_drain is not None
        zero = [Sample(self._last_drain or 0.0, series.metric, series.labels, 0.0)] if new and value else []
        series.reported, series.when = value, ts
        return [*zero, *self._sample(series, ts, value)]

    def _sample(self, series: _Any, ts: float, value: float) -> list[Sample]:
        if math.isfinite(value) and 0.0 <= ts <= LATEST:
            return [Sample(ts, series.metric, series.labels, float(value))]
        self._dropped["time" if math.isfinite(value) else "not_finite"] += 1
        return []

    def _missing(self) -> dict[str, int]:
        counts = {
            **self._dropped,
            "labels": self._refused.total(),
            "traces": self.spans.lost,
            "errors": self._errors.total(),
        }
        return {reason: count for reason, count in counts.items() if count}

    def _adapt(self, drained: float) -> None:
        """Work out our share of a core, and how many calls to measure until the next drain, which took *drained* seconds."""
        now = self.clock.monotonic()
        elapsed = now - self._last_turn
        if elapsed < ADAPT_SECONDS:
            self._drained += drained
            return
        calls = sum(self._recent.values())
        skipping = (calls - self._measured) * self.call_seconds * SKIPPED_COST
        self.share = (self._measured * self.call_seconds + skipping + self._drained + drained) / elapsed
        budget = self.max_share * elapsed
        allowed = max(0.1 * budget, budget - skipping) / (self.call_seconds + DRAIN_SECONDS)
        for series, rate in zip(self._recent, every(tuple(self._recent.values()), allowed), strict=True):
            series.sample(rate)
        self._last_turn, self._drained, self._measured = now, 0.0, 0
        self._recent.clear()


def current() -> Recorder:
    """The recorder of this process, made at first use."""
    global _current  # noqa: PLW0603 - the one process-wide value; tests make recorders of their own.
    if _current is None:
        with _making:
            if _current is None:
                _current = Recorder(SystemClock(), capacity=CAPACITY)
    return _current


def _total(series: _Any) -> Histogram | float | None:
    if isinstance(series, Distribution):
        return merge(h for h in (series.total, series.pending) if h) if series.total or series.pending else None
    if isinstance(series, Counter):
        return series.total()
    return series.newest if isinstance(series, Values) else series.value


_making = threading.Lock()
_current: Recorder | None = None
_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _watch_forks(recorder: Recorder) -> None:
    """Clear *recorder* in the child of a fork."""
    if not _recorders and hasattr(os, "register_at_fork") and not _hooked:
        _hooked.append(True)
        os.register_at_fork(after_in_child=_forget_all)
    _recorders.add(recorder)


_hooked: list[bool] = []


def _forget_all() -> None:
    global _making  # noqa: PLW0603 - another thread may have held it
    _making = threading.Lock()
    for recorder in tuple(_recorders):
        recorder.forget()
