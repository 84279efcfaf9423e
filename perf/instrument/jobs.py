"""Background jobs and cron scripts: how long they run, how they end, and whether one is missing.

@job("nightly", every="1d", grace="10m")         # a function or coroutine function
with job("nightly", every="1d"): ...              # a block

Health tells of a job whose last success is older than it should be, or that never came.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from perf.model import Kind, Metric
from perf.record import Recorder, current
from perf.record.spans import Span
from perf.record.watch import SKIPPED, Watch
from perf.settingtree import quantity

DURATION = Metric("job_duration_seconds", Kind.HISTOGRAM, "s", "How long runs of a job took, by how they ended.")
SUCCESS = Metric("job_last_success_timestamp_seconds", unit="s", help="When a job last ended well, in Unix seconds.")
RUNNING = Metric("job_running", unit="1", help="Runs of a job that are under way.")
EVERY = Metric("job_expected_interval_seconds", unit="s", help="How often a job should succeed; 0: no longer expected.")
GRACE = Metric("job_grace_seconds", unit="s", help="How much later than expected a job may be.")

GRACE_SHARE = 0.1
"""Grace of a job that names none, as a share of its interval; at least a minute."""
CANCELLATIONS = ("CancelledError", "KeyboardInterrupt")
"""By name: a script of half a second needn't import asyncio."""

_Function = TypeVar("_Function", bound=Callable[..., Any])  # any signature
_running = threading.Lock()


class job:  # noqa: N801 - reads like the decorator and the context manager that it is
    """A job by *name* that should succeed once in *every* (``1d``, or seconds), give or take *grace*; without *every* none is
    missed. As a context manager one at a time: make one for each block.
    """

    def __init__(
        self,
        name: str,
        *,
        every: str | float | None = None,
        grace: str | float | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Raises: ValueError for what isn't a time."""
        self.name = name
        self.every = None if every is None else _seconds(every)
        self.grace = max(60.0, (self.every or 0.0) * GRACE_SHARE) if grace is None else _seconds(grace)
        self._recorder = recorder or current()
        self._run: _Run | None = None
        self._announce()

    def __call__(self, function: _Function) -> _Function:
        """*function*, each call of which is a run."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def waited(*args: Any, **kwargs: Any) -> Any:  # any signature
                with self._begin():
                    return await function(*args, **kwargs)

            return cast(_Function, waited)

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:  # any signature
            with self._begin():
                return function(*args, **kwargs)

        return cast(_Function, called)

    def __enter__(self) -> Self:
        self._run = self._begin()
        self._run.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.__exit__(kind, error, trace)

    def _begin(self) -> _Run:
        # Again with each run: a forked child knows nothing of what its parent told.
        self._announce()
        return _Run(self._recorder, self.name)

    def _announce(self) -> None:
        if self.every is not None:
            self._recorder.gauge(EVERY, {"job": self.name}).set(self.every)
            self._recorder.gauge(GRACE, {"job": self.name}).set(self.grace)


def retire(name: str, *, recorder: Recorder | None = None) -> None:
    """Expect the job *name* no longer: it is gone, or runs elsewhere under another name."""
    (recorder or current()).gauge(EVERY, {"job": name}).set(0.0)


class _Run:
    """One run of a job."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name
        self._watch = self._outcome("success")
        self._span: Span | None = None
        self._began = 0

    def __enter__(self) -> None:
        watch = self._watch
        self._count(1.0)
        self._span = watch.enter() if watch.series.mode or watch.recorder.spans.live else None
        self._began = perf_counter_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = perf_counter_ns() - self._began
        self._count(-1.0)
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self._recorder.gauge(SUCCESS, {"job": self._name}).set(self._recorder.clock.now())
            if self._span is not SKIPPED:
                self._watch.series.tick()
                self._watch.series.put_ns(took)
                self._watch.note(took, self._span, (), {})
            return
        outcome = "cancelled" if type(error).__name__ in CANCELLATIONS else "failure"
        self._outcome(outcome).failed(took, self._span, error, (), {})

    def _outcome(self, outcome: str) -> Watch:
        return Watch(self._recorder, DURATION, {"job": self._name, "outcome": outcome}, kind="job", name=self._name)

    def _count(self, step: float) -> None:
        gauge = self._recorder.gauge(RUNNING, {"job": self._name})
        with _running:
            gauge.set((gauge.value or 0.0) + step)


def _seconds(span: str | float) -> float:
    seconds = quantity(span, "seconds") if isinstance(span, str) else float(span)
    if not 0.0 <= seconds < float("inf"):
        raise ValueError(f"not a time: {span!r}")
    return seconds


def _in_child() -> None:
    global _running  # noqa: PLW0603 - another thread may have held it
    _running = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
