"""The buffers of one series each: what callers append to, and what the drain takes out. No locks where callers pass."""

from __future__ import annotations

import itertools
import math
import random
import threading
from collections import deque
from collections.abc import Callable

from perf.model import Histogram, Labels, Metric
from perf.record.batches import both, scaled, sum_of, taken

MEASURE = 0
"""Mode of a series: every call is measured."""
TRACE = 1
"""Mode bit: the next call opens a trace."""
SKIP = 2
"""Mode bit: only some calls are measured, all are counted."""

_NANO = 1e9
_AMOUNTS = 1_000


class Ticks:
    """A count that any thread may raise, by calling `next`: one atomic step in C."""

    __slots__ = ("_own", "next")

    def __init__(self) -> None:
        self.next: Callable[[], int] = itertools.count().__next__
        self._own = 0

    def total(self) -> int:
        """How often others called `next`. For one thread at a time."""
        # There is no way to look at an itertools.count without raising it.
        total = self.next() - self._own
        self._own += 1
        return total


class Folded:
    """What one fold took out of a series: all calls, those with an observation, and why others have none."""

    __slots__ = ("calls", "lost", "measured", "unfit")

    def __init__(self, calls: int, measured: int, lost: int, unfit: int) -> None:
        self.calls = calls
        self.measured = measured
        self.lost = lost
        self.unfit = unfit


class Distribution:
    """Observations of one series, in the base unit of its metric."""

    __slots__ = (
        "_doubtful", "_early", "_lost", "_nanos", "_popped", "_skipped", "_ticks", "_told", "_turns", "_values", "every", "labels",
        "metric", "mode", "name", "pending", "put_ns", "skip", "slow", "tick", "total", "turn",
    )  # fmt: skip

    def __init__(self, metric: Metric, labels: Labels, *, capacity: int) -> None:
        self.metric = metric
        self.labels = labels
        self.name = dict(labels).get("function", metric.name)
        self._nanos: deque[int] = deque(maxlen=capacity)
        self._values: deque[float] = deque(maxlen=capacity)
        self._ticks, self._skipped, self._turns = Ticks(), Ticks(), Ticks()
        self._popped = self._told = self._lost = self._doubtful = 0
        self._early: Histogram | None = None
        # The parts of the hot path: timers bind them, and nothing replaces them.
        self.tick = self._ticks.next
        self.put_ns = self._nanos.append
        self.skip = self._skipped.next
        self.mode = TRACE
        self.every = 1
        self.turn = 0
        self.slow = 0
        self.pending: Histogram | None = None
        self.total: Histogram | None = None

    def record(self, value: float) -> None:
        """Add an observation in the metric's base unit (seconds). One that is negative or not finite is dropped, and counted.

        Raises: TypeError, ValueError, OverflowError for what isn't a number.
        """
        number = float(value)
        if self.mode & SKIP and self.skipped():
            return
        self.tick()
        self._values.append(number)

    def record_ns(self, nanoseconds: int) -> None:
        """Add a duration as the difference of two `perf_counter_ns`."""
        if self.mode & SKIP and self.skipped():
            return
        self.tick()
        self.put_ns(nanoseconds)

    def skipped(self) -> bool:
        """Count a call while only one in `every` is measured; whether this one goes unmeasured."""
        number = self.skip()
        if number < self.turn:
            return True
        self.turned(number)
        return False

    def turned(self, number: int) -> None:
        """The call that got *number* from `skip` is measured: choose the next."""
        self._turns.next()
        # A random gap: a fixed one would see only every other kind of call where two kinds alternate.
        self.turn = number + random.randint(1, 2 * self.every - 1)

    def sample(self, every: int) -> None:
        """From now on measure one call in *every*, on average."""
        self.every = every
        self.mode = self.mode & TRACE | (SKIP if every > 1 else MEASURE)

    def fold(self, *, last: bool = False) -> Folded:
        """Move what waits in the buffers into `pending`, scaled to the exact number of calls. One thread at a time.

        Calls that were counted since the last observation wait for the next; at the *last* fold they take the shape of all before.
        """
        histogram, popped, unfit = both(taken(self._nanos, _NANO), taken(self._values, 1.0))
        measured, total = self._totals()
        full = measured - self._popped - self._lost > (self._nanos.maxlen or 0)
        self._popped += popped
        waiting = len(self._nanos) + len(self._values)
        lost, between = self._missing(measured, waiting, full=full, last=last)
        self._told += unfit
        # The observations of these come with the next fold.
        calls = total - waiting - (0 if last else between) - self._told
        shape = histogram if self._early is None else sum_of(histogram, self._early)
        if shape is None and last:
            shape = self.total if self.pending is None else sum_of(self.total, self.pending)
        if shape is not None and calls > 0:
            self.pending, self._early = sum_of(self.pending, scaled(shape, calls)), None
            self._told += calls
        else:
            self._early = None if last else shape
        return Folded(max(0, calls), popped, lost, unfit)

    def _totals(self) -> tuple[int, int]:
        """Calls that were measured, and all calls, since the series was made."""
        measured = self._ticks.total()
        return measured, measured + self._skipped.total() - self._turns.total()

    def _missing(self, measured: int, waiting: int, *, full: bool, last: bool) -> tuple[int, int]:
        """Observations that found no room since the last fold, and those that aren't there yet. A call counts before its
        observation is there: as many threads as there are may stand between the two. Where a buffer may have been *full*, what
        still isn't there at the next fold is taken for lost.
        """
        gap = max(0, measured - self._popped - self._lost - waiting)
        lost = gap if full and (last or gap > threading.active_count()) else min(gap, self._doubtful)
        self._lost += lost
        self._doubtful = gap - lost if full else 0
        return lost, gap - lost

    def take(self) -> Histogram | None:
        """What was folded since the last take; it goes into `total`."""
        taken, self.pending = self.pending, None
        if taken is not None:
            self.total = sum_of(self.total, taken)
        return taken

    def forget(self) -> None:
        """Start over: a forked child doesn't own what its parent recorded."""
        self._nanos.clear()
        self._values.clear()
        self._popped, self._told = self._totals()
        self._lost = self._doubtful = 0
        self.pending = self.total = self._early = None
        # A child with few calls would end before the first that its busy parent would have measured.
        self.mode, self.every, self.turn = TRACE, 1, 0


class Counter:
    """A number that only goes up."""

    __slots__ = ("_amounts", "_lock", "_ones", "_sum", "labels", "metric", "reported", "when")

    def __init__(self, metric: Metric, labels: Labels) -> None:
        self.metric = metric
        self.labels = labels
        self._ones = Ticks()
        self._amounts: deque[float] = deque()
        self._sum = 0.0
        self._lock = threading.Lock()
        self.reported: float | None = None
        self.when = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Count *amount*; one that is negative or not finite is none. Raises: TypeError, ValueError, OverflowError for no number."""
        if amount == 1.0:
            self._ones.next()
        elif 0.0 < (number := float(amount)) < math.inf:
            self._amounts.append(number)
            # Not waiting: the thread that adds up may be this one, below a signal handler.
            if len(self._amounts) > _AMOUNTS and self._lock.acquire(blocking=False):
                try:
                    self._add_up()
                finally:
                    self._lock.release()

    def total(self) -> float:
        """The sum so far."""
        with self._lock:
            self._add_up()
            return self._sum + self._ones.total()

    def _add_up(self) -> None:
        self._sum += sum(self._amounts.popleft() for _ in range(len(self._amounts)))

    def forget(self) -> None:
        """Start over at zero, in a forked child."""
        self._lock = threading.Lock()
        self._amounts.clear()
        self._sum = -float(self._ones.total())
        self.reported, self.when = None, 0.0


class Gauge:
    """The present value of something."""

    __slots__ = ("labels", "metric", "reported", "value", "when")

    def __init__(self, metric: Metric, labels: Labels) -> None:
        self.metric = metric
        self.labels = labels
        self.value: float | None = None
        self.reported: float | None = None
        self.when = 0.0

    def set(self, value: float) -> None:
        """The value from now on. Raises: TypeError, ValueError, OverflowError for what isn't a number."""
        self.value = float(value)

    def forget(self) -> None:
        """Start over, in a forked child."""
        self.value = self.reported = None


class Values:
    """Single numbers with their own times, kept as they are: for what is neither a duration nor a state."""

    __slots__ = ("_seen", "_ticks", "_waiting", "labels", "metric", "newest")

    def __init__(self, metric: Metric, labels: Labels, *, capacity: int) -> None:
        self.metric = metric
        self.labels = labels
        self._waiting: deque[tuple[float, float]] = deque(maxlen=capacity)
        self._ticks = Ticks()
        self._seen = 0
        self.newest: float | None = None

    def put(self, ts: float, value: float) -> None:
        """Add *value* at *ts* (Unix seconds). Raises: TypeError, ValueError, OverflowError for what isn't a number."""
        point = float(ts), float(value)
        self._ticks.next()
        self._waiting.append(point)
        self.newest = point[1]

    def take(self) -> tuple[list[tuple[float, float]], int]:
        """What was added since the last take, and how many of them were dropped."""
        full = len(self._waiting) == self._waiting.maxlen
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        total = self._ticks.total()
        dropped = total - self._seen - len(taken) if full else 0
        self._seen += dropped + len(taken)
        return taken, dropped

    def forget(self) -> None:
        """Start over, in a forked child."""
        self._waiting.clear()
        self._seen = self._ticks.total()
        self.newest = None
