"""The writing thread: grouping, drops, retries and the order of calls."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from perf.clock import SystemClock
from perf.errors import StoreBusy, StoreClosed, StoreError, StoreFull
from perf.model import Batch, Histogram, HistogramSample, Kind, Metric, Sample
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.store.writer import Writer

CPU = Metric("cpu_usage_percent", unit="%")


def sample(value: float, ts: float = 1_700_000_000.0) -> Sample:
    return Sample(ts, CPU, (), value)


class Failing(MemoryStore):
    """A store whose appends raise what *errors* holds, one by one, and then work."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__(StoreSettings(), SystemClock())
        self.errors = errors
        self.batches: list[int] = []
        self.made_room = 0

    def append(self, samples: Sequence[Sample], batches: Sequence[Batch] = ()) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(len(samples))
        super().append(samples, batches)

    def maintain(self, now: float) -> None:
        self.made_room += 1
        super().maintain(now)


@contextmanager
def running(writer: Writer) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,), daemon=True)
    thread.start()
    yield stop
    stop.set()
    writer.wake()
    thread.join(60)
    assert not thread.is_alive()


def test_the_numbers_of_batches_are_stored_with_their_samples_or_without_any() -> None:
    store = Failing([StoreFull("full")])
    writer = Writer(store, SystemClock())
    futures = [
        writer.submit([sample(1.0)], ("web-1", 7)),
        writer.submit([], ("web-2", 3)),
        writer.submit([sample(float("nan"))], ("web-3", 1)),
        writer.submit([sample(2.0)]),
    ]
    with running(writer):
        for future in futures:
            future.result(60)
    assert (store.batches, store.producers()) == ([2], {"web-1": 7, "web-2": 3, "web-3": 1})


def test_a_refused_batch_has_not_been_stored() -> None:
    store = Failing([StoreError("broken")])
    writer = Writer(store, SystemClock())
    refused = writer.submit([sample(1.0)], ("web-1", 7))
    with running(writer):
        with pytest.raises(StoreError, match="broken"):
            refused.result(60)
        assert store.producers() == {}


def test_what_waits_is_one_commit() -> None:
    store = Failing([])
    writer = Writer(store, SystemClock())
    futures = [writer.submit([sample(1.0), sample(2.0)]) for _ in range(3)]
    with running(writer):
        for future in futures:
            future.result(60)
    assert store.batches == [6]
    stats = writer.stats()
    assert (stats.stored, stats.commits, stats.queued, stats.dropped) == (6, 1, 0, {})


def test_what_no_store_can_hold_is_dropped_and_counted() -> None:
    store = Failing([])
    writer = Writer(store, SystemClock())
    with running(writer):
        odd = [
            sample(float("nan")),
            sample(float("inf")),
            sample(1.0, -1.0),
            sample(1.0, float("nan")),
            sample(1.0, 1e12),
            HistogramSample(1.0, Metric("wait", Kind.HISTOGRAM), (), Histogram(count=1, total=1, low=1, high=1)),
        ]
        writer.submit([*odd, sample(1.0)]).result(60)
    assert store.batches == [1]
    assert writer.stats().dropped == {"unstorable": 6}


def test_a_full_queue_refuses_and_counts() -> None:
    writer = Writer(Failing([]), SystemClock(), capacity=3)
    writer.submit([sample(1.0)] * 3)
    with pytest.raises(StoreBusy):
        writer.submit([sample(1.0), sample(2.0)])
    assert writer.stats().dropped == {"queue_full": 2}
    assert writer.stats().queued == 3


def test_a_full_disk_is_waited_for_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.store.writer.RETRY_SECONDS", 0.01)
    store = Failing([StoreFull("no space"), StoreFull("no space")])
    writer = Writer(store, SystemClock())
    with running(writer):
        writer.submit([sample(1.0)]).result(60)
    assert store.batches == [1]
    assert store.made_room == 2
    assert writer.stats().stuck is None


def test_a_batch_that_the_store_can_not_take_fails_alone() -> None:
    store = Failing([StoreError("broken row")])
    writer = Writer(store, SystemClock())
    with running(writer):
        with pytest.raises(StoreError, match="broken row"):
            writer.submit([sample(1.0)]).result(60)
        assert writer.stats().stuck == "broken row"
        writer.submit([sample(2.0)]).result(60)
    stats = writer.stats()
    assert (stats.stored, stats.dropped, stats.stuck) == (1, {"store_failed": 1}, None)


def test_calls_run_on_the_writing_thread_after_what_was_queued() -> None:
    store = Failing([])
    writer = Writer(store, SystemClock())
    writer.submit([sample(1.0)])
    seen = writer.call(lambda: (threading.current_thread().name, list(store.batches)))
    later = writer.submit([sample(2.0)])
    with running(writer):
        name, batches = seen.result(60)
        later.result(60)
    assert batches == [1]
    assert name != threading.current_thread().name


def test_a_failing_call_reaches_its_caller_and_not_the_loop() -> None:
    writer = Writer(Failing([]), SystemClock())
    with running(writer):
        with pytest.raises(ZeroDivisionError):
            writer.call(lambda: 1 / 0).result(60)
        writer.submit([sample(1.0)]).result(60)
    assert writer.beat().errors == 1


def test_after_the_end_nothing_is_taken() -> None:
    writer = Writer(Failing([]), SystemClock())
    with running(writer):
        queued = writer.submit([sample(1.0)])
    assert queued.done()
    with pytest.raises(StoreClosed):
        writer.submit([sample(1.0)])
    with pytest.raises(StoreClosed):
        writer.call(lambda: None)


def test_what_nobody_waits_for_runs_in_turn_and_is_refused_when_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.store.writer.MOST_WAITING", 2)
    writer, done = Writer(Failing([]), SystemClock()), list[str]()
    first = writer.call(lambda: done.append("call"))
    later = writer.later(lambda: done.append(threading.current_thread().name))
    with pytest.raises(StoreBusy, match="2 batches and calls wait already"):
        writer.later(lambda: done.append("too much"))
    with running(writer):
        first.result(60)
        later.result(60)
    assert done[0] == "call"
    assert done[1:] not in ([], [threading.current_thread().name])
    with pytest.raises(StoreClosed):
        writer.later(lambda: None)
