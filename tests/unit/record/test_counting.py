"""The counts of a series against a plain count: whatever calls, folds, sampling and forks do, each call is told once."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from perf.model import Kind, Metric
from perf.record.series import SKIP, Distribution

SPEED = Metric("job_duration_seconds", Kind.HISTOGRAM, "s")
CAPACITY = 80


class Counting(RuleBasedStateMachine):
    """The law: what was told, and what no distribution can hold, are the calls; what was taken out or lost, the measured ones."""

    def __init__(self) -> None:
        super().__init__()
        self.series = Distribution(SPEED, (), capacity=CAPACITY)
        self.started = self.ticked = False
        self.begin_anew()

    def begin_anew(self) -> None:
        self.calls = self.told = self.unfit = self.measured = self.out = self.lost = self.halves = 0

    @rule(number=st.integers(1, 3 * CAPACITY), value=st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf]))
    def call(self, number: int, value: float) -> None:
        before = len(self.series._values) + len(self.series._nanos)
        for _ in range(number):
            skipped = self.series._skipped.total() - self.series._turns.total()
            self.series.record(value)
            self.measured += self.series._skipped.total() - self.series._turns.total() == skipped
        self.calls += number
        assert before <= len(self.series._values) + len(self.series._nanos)

    @precondition(lambda self: not self.started)
    @rule()
    def start(self) -> None:
        """A timed call begins: whether it is measured is decided now."""
        if self.series.mode & SKIP and self.series.skipped():
            self.calls += 1
        else:
            self.started = True

    @precondition(lambda self: self.started and not self.ticked)
    @rule()
    def count(self) -> None:
        """It ends: it is counted, and its thread stops before its observation is there."""
        self.series.tick()
        self.ticked = True
        self.calls += 1
        self.measured += 1

    @precondition(lambda self: self.ticked)
    @rule()
    def end(self) -> None:
        self.series.put_ns(10**9)
        self.started = self.ticked = False
        self.halves += 1

    @rule(every=st.sampled_from([1, 1, 2, 10, 1_000]))
    def sample(self, every: int) -> None:
        self.series.sample(every)

    @rule(last=st.booleans(), take=st.booleans())
    def fold(self, last: bool, take: bool) -> None:
        folded = self.series.fold(last=last)
        self.out += folded.measured
        self.lost += folded.lost
        self.unfit += folded.unfit
        assert min(folded.calls, folded.measured, folded.lost, folded.unfit) >= 0
        taken = self.series.take() if take else None
        self.told += 0 if taken is None else taken.count
        assert self.told + self.unfit <= self.calls

    @precondition(lambda self: not self.ticked)
    @rule()
    def fork(self) -> None:
        self.series.forget()
        self.begin_anew()

    def teardown(self) -> None:
        if self.started and not self.ticked:
            self.count()
        if self.ticked:
            self.end()
        self.sample(1)
        self.call(1, 1.0)
        self.fold(last=True, take=True)
        assert self.told + self.unfit == self.calls
        assert self.measured <= self.out + self.lost <= self.measured + self.halves
        assert self.series.total is not None
        assert self.series.total.count == self.told


Counting.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestCounting = Counting.TestCase
