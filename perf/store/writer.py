"""The one thread that writes to the store: it groups what producers hand over into commits, and counts what it drops."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import msgspec

from perf.errors import StoreAway, StoreBusy, StoreClosed, StoreError, StoreFull
from perf.model import Batch, Beat, Measurement, WriterStats
from perf.model.measurement import storable
from perf.ports import Clock, Distant, MetricStore

GROUP_SAMPLES = 5_000
RETRY_SECONDS = 1.0
IDLE_SECONDS = 1.0
LATEST = 253_402_300_799.0
"""The end of the year 9999 in Unix seconds."""
MOST_WAITING = 10_000
"""Batches and calls that wait, above which what nobody waits for is refused."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class _Given(msgspec.Struct, frozen=True):
    samples: Sequence[Measurement]
    batch: Batch | None
    done: Future[None]


class _Call(msgspec.Struct, frozen=True):
    run: Callable[[], object]
    done: Future[object]


class Writer:
    """A bounded queue before a store. `submit` and `call` may be used from any thread; `run` is the writing thread's loop."""

    def __init__(self, store: MetricStore, clock: Clock, *, capacity: int = 200_000) -> None:
        self._store = store
        self._clock = clock
        self._capacity = capacity
        self._queue: deque[_Given | _Call] = deque()
        self._queued = 0
        self._wake = threading.Condition()
        self._closed = False
        self._stored = self._commits = self._errors = 0
        self._dropped: dict[str, int] = {}
        self._seconds = 0.0
        self._last_commit: float | None = None
        self._last_turn = clock.monotonic()
        self._stuck: str | None = None
        self._direct = isinstance(store, Distant)

    def submit(self, samples: Sequence[Measurement], batch: Batch | None = None) -> Future[None]:
        """Queue *samples*, which came as *batch* of another process; the future is done when both would survive a crash.
        What no store can hold is dropped, and counted: values that aren't finite, distributions that don't add up, and times
        before 1970 or after 9999.

        Raises: StoreBusy when the queue is full (these are dropped and counted), StoreClosed after the end.
        """
        kept = [sample for sample in samples if 0.0 <= sample.ts < LATEST and storable(sample)]
        done: Future[None] = Future()
        with self._wake:
            if self._closed:
                raise StoreClosed("the writer has stopped")
            if len(kept) < len(samples):
                self._count("unstorable", len(samples) - len(kept))
            if self._queued + len(kept) > self._capacity:
                self._count("queue_full", len(kept))
                raise StoreBusy(f"{self._queued} samples wait already; dropped {len(kept)}")
            self._queue.append(_Given(kept, batch, done))
            self._queued += len(kept)
            self._wake.notify()
        return done

    def call(self, function: Callable[[], _T]) -> Future[_T]:
        """Run *function* on the writing thread, after what is queued now; here and now where the owner of the store is elsewhere and
        has such a thread: what waits for it while it is away must not hold up a person.

        Raises: StoreClosed after the end.
        """
        done: Future[_T] = Future()
        with self._wake:
            if self._closed:
                raise StoreClosed("the writer has stopped")
            if not self._direct:
                self._queue.append(_Call(function, done))  # type: ignore[arg-type]  # Future is invariant
                self._wake.notify()
        if self._direct:
            self._perform(_Call(function, done))  # type: ignore[arg-type]  # as above
        return done

    def later(self, function: Callable[[], object]) -> Future[object]:
        """Run *function* on the writing thread, after what is queued now, wherever the owner is: for what nobody waits for.

        Raises: StoreBusy when much waits already, StoreClosed after the end.
        """
        done: Future[object] = Future()
        with self._wake:
            if self._closed:
                raise StoreClosed("the writer has stopped")
            if len(self._queue) >= MOST_WAITING:
                raise StoreBusy(f"{len(self._queue)} batches and calls wait already")
            self._queue.append(_Call(function, done))
            self._wake.notify()
        return done

    def stats(self) -> WriterStats:
        """What happened so far."""
        with self._wake:
            return WriterStats(
                stored=self._stored,
                dropped=dict(self._dropped),
                commits=self._commits,
                commit_seconds=self._seconds,
                queued=self._queued,
                last_commit=self._last_commit,
                stuck=self._stuck,
            )

    def beat(self) -> Beat:
        """The loop's last turn."""
        return Beat(name="writer", interval=IDLE_SECONDS, last=self._last_turn, errors=self._errors)

    def run(self, stop: threading.Event) -> None:
        """Write until *stop* is set and the queue is empty; a store that stays full gets one last try."""
        while not self._closed:
            self._last_turn = self._clock.monotonic()
            item = self._take(stop)
            if isinstance(item, _Call):
                self._perform(item)
            elif item:
                self._commit(item, stop)

    def wake(self) -> None:
        """Let the loop look at its stop event now."""
        with self._wake:
            self._wake.notify_all()

    def _take(self, stop: threading.Event) -> list[_Given] | _Call | None:
        """The next call, or as many batches as make one commit; closes the queue when it is empty and *stop* is set."""
        with self._wake:
            if not self._queue and not stop.is_set():
                self._wake.wait(IDLE_SECONDS)
            if not self._queue:
                self._closed = stop.is_set()
                return None
            if isinstance(self._queue[0], _Call):
                call = self._queue.popleft()
                return call if isinstance(call, _Call) else None
            group: list[_Given] = []
            size = 0
            while self._queue and size < GROUP_SAMPLES and isinstance(given := self._queue[0], _Given):
                self._queue.popleft()
                group.append(given)
                size += len(given.samples)
            return group

    def _perform(self, call: _Call) -> None:
        try:
            call.done.set_result(call.run())
        except Exception as error:  # noqa: BLE001 - a thread's loop: the caller gets the error, the loop lives.
            self._errors += 1
            _log.exception("a call on the writing thread failed")
            call.done.set_exception(error)

    def _commit(self, group: list[_Given], stop: threading.Event) -> None:
        samples = group[0].samples if len(group) == 1 else [s for given in group for s in given.samples]
        batches = [given.batch for given in group if given.batch is not None]
        started = self._clock.monotonic()
        error = self._append(samples, batches, stop)
        now = self._clock.monotonic()
        with self._wake:
            self._queued -= len(samples)
            if error is None:
                self._stored += len(samples)
                self._commits += 1
                self._seconds = now - started
                self._last_commit = now
            else:
                self._count("store_failed", len(samples))
        for given in group:
            given.done.set_exception(error) if error else given.done.set_result(None)

    def _append(
        self, samples: Sequence[Measurement], batches: Sequence[Batch], stop: threading.Event
    ) -> Exception | None:
        """Try until it works; None when stored, otherwise why it was given up."""
        while True:
            try:
                self._store.append(samples, batches)
            except (StoreFull, StoreAway, StoreBusy) as error:
                self._note(error)
                if stop.wait(RETRY_SECONDS):
                    return error
                self._last_turn = self._clock.monotonic()
                if isinstance(error, StoreFull):
                    self._make_room()
                continue
            except Exception as error:  # noqa: BLE001 - a thread's loop: a batch the store can't take must not end all writing.
                self._errors += 1
                self._note(error)
                return error if isinstance(error, StoreError) else StoreError(f"append failed: {error}")
            if self._stuck is not None:
                _log.warning("the store takes samples again")
                self._stuck = None
            return None

    def _make_room(self) -> None:
        """Let the store drop its oldest rows: nothing else can run while this thread retries."""
        try:
            self._store.maintain(self._clock.now())
        except StoreError as error:
            _log.debug("making room failed too: %s", error)

    def _note(self, error: Exception) -> None:
        """Log a failure once, until it changes."""
        if self._stuck != str(error):
            self._stuck = str(error)
            _log.error(
                "the store does not take samples: %s", error, exc_info=not isinstance(error, (StoreFull, StoreAway))
            )

    def _count(self, reason: str, samples: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + samples
