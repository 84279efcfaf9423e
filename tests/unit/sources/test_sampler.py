import logging
import threading
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.errors import StoreBusy, StoreClosed
from perf.model import Metric, Sample
from perf.sources.sampler import Sampler, Scheduled, next_tick, tick_before

START = 1_700_000_000.3
VALUE = Metric("value", unit="1")


class FakeSource:
    """Yields one sample per reading after doing *action*."""

    def __init__(self, action: Callable[[], None] = lambda: None) -> None:
        self.action = action
        self.stamps: list[float] = []

    def collect(self, ts: float) -> Iterable[Sample]:
        self.stamps.append(ts)
        self.action()
        yield Sample(ts, VALUE, (), 1.0)


class Passing(threading.Event):
    """An event whose waits let the clock pass instead; set at *end* (Unix seconds), or by *hook* before a wait."""

    def __init__(self, clock: ManualClock, end: float, hook: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.clock = clock
        self.end = end
        self.hook = hook
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.hook()
        self.waits.append(timeout)
        self.clock.move(timeout)
        if self.clock.now() > self.end or len(self.waits) > 1000:
            self.set()
        return self.is_set()


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "perf.sources.sampler"]


def swallow(samples: Sequence[Sample]) -> None:
    pass


def run(
    *sources: Scheduled,
    clock: ManualClock,
    seconds: float,
    submit: Callable[[Sequence[Sample]], None] = swallow,
    hook: Callable[[], None] = lambda: None,
) -> Sampler:
    sampler = Sampler(sources, submit, clock)
    sampler.run(Passing(clock, clock.now() + seconds, hook))
    return sampler


def test_two_readings_at_once_then_on_ticks() -> None:
    source, clock = FakeSource(), ManualClock(START)
    run(Scheduled("host", source, 1.0), clock=clock, seconds=4)
    base = 1_700_000_000.0
    assert source.stamps == [base + 0.3, base + 0.55, base + 2, base + 3, base + 4]


def test_tick_just_behind_the_second_reading_is_left_out_only_when_the_span_is_short() -> None:
    source, clock = FakeSource(), ManualClock(1_700_000_000.0)
    run(Scheduled("host", source, 1.0), clock=clock, seconds=2.1)
    base = 1_700_000_000.0
    assert source.stamps == [base, base + 0.25, base + 1, base + 2]


def test_slow_source_reads_on_multiples_of_its_own_interval() -> None:
    source, clock = FakeSource(), ManualClock(START)
    run(Scheduled("host", FakeSource(), 1.0), Scheduled("disks", source, 10.0), clock=clock, seconds=25)
    base = 1_700_000_000.0
    assert source.stamps == [base + 0.3, base + 0.55, base + 10, base + 20]


def test_one_batch_per_round() -> None:
    batches: list[int] = []
    clock = ManualClock(START)
    sources = [Scheduled(name, FakeSource(), 1.0) for name in ("a", "b")]
    run(*sources, clock=clock, seconds=3, submit=lambda samples: batches.append(len(samples)))
    own_first, own_second, *ticks = batches
    assert ticks == [2, 2]
    assert (own_first, own_second) == (2 + 4, 2 + 4)


def test_ticks_missed_in_sleep_are_not_caught_up_with() -> None:
    clock = ManualClock(1_700_000_000.0)
    sleeps = iter([3600.0])

    def sleep() -> None:
        if clock.now() >= 1_700_000_002.0:
            clock.move(next(sleeps, 0.0))

    source = FakeSource()
    run(Scheduled("host", source, 1.0), clock=clock, seconds=3604, hook=sleep)
    base = 1_700_000_000.0
    assert source.stamps[2:5] == [base + 1, base + 2, base + 3603]
    assert len(source.stamps) == len(set(source.stamps)) == 6


def test_clock_set_back_goes_on_at_the_new_time() -> None:
    clock = ManualClock(1_700_000_000.0)
    jumps = iter([-1800.0])

    def set_back() -> None:
        if clock.monotonic() >= 2.0:
            clock.jump(next(jumps, 0.0))

    source = FakeSource()
    stop = Passing(clock, 1_700_000_100.0, lambda: set_back() if len(source.stamps) < 6 else stop.set())
    Sampler([Scheduled("host", source, 1.0)], swallow, clock).run(stop)
    assert [stamp - 1_700_000_000.0 for stamp in source.stamps[2:]] == [1.0, 2.0, -1797.0, -1796.0]


def test_source_that_takes_long_skips_ticks() -> None:
    clock = ManualClock(1_700_000_000.0)
    source = FakeSource(lambda: clock.move(2.5))
    run(Scheduled("slow", source, 1.0), clock=clock, seconds=9)
    assert [stamp - 1_700_000_000.0 for stamp in source.stamps] == [0.0, 2.75, 5.0, 7.0]


def test_source_that_raises_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OSError("no such device")

    good, bad, clock = FakeSource(), FakeSource(fail), ManualClock(1_700_000_000.0)
    with caplog.at_level(logging.ERROR, "perf"):
        sampler = run(Scheduled("bad", bad, 1.0), Scheduled("good", good, 1.0), clock=clock, seconds=5)
    assert len(good.stamps) == len(bad.stamps) == 7
    assert sampler.beat().errors == 7
    assert sampler.problems() == ["source 'bad' fails since 2023-11-14 22:13:20 UTC: OSError: no such device"]
    (told,) = logged(caplog)
    assert (told.message, told.exc_info is not None) == ("bad fails: OSError: no such device", True)


def test_a_reading_that_the_end_did_not_wait_for_is_no_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise StoreClosed("x.duckdb: the store is closed")

    with caplog.at_level(logging.INFO, "perf"):
        run(Scheduled("own", FakeSource(fail), 1.0), clock=ManualClock(1_700_000_000.0), seconds=1)
    assert logged(caplog) == []


def test_error_is_logged_again_when_it_changes_but_not_when_only_its_numbers_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    messages = iter(["timeout after 1.01 s", "timeout after 1.02 s", "gone", "gone", "gone", "gone", "gone"])

    def fail() -> None:
        raise OSError(next(messages))

    with caplog.at_level(logging.ERROR, "perf"):
        run(Scheduled("bad", FakeSource(fail), 1.0), clock=ManualClock(1_700_000_000.0), seconds=3)
    assert [record.message for record in logged(caplog)] == [
        "bad fails: OSError: timeout after 1.01 s",
        "bad fails: OSError: gone",
    ]


def test_source_that_recovers_is_no_problem_any_more() -> None:
    failures = iter([OSError("once")])

    def fail_once() -> None:
        for error in failures:
            raise error

    sampler = run(Scheduled("host", FakeSource(fail_once), 1.0), clock=ManualClock(START), seconds=3)
    assert (sampler.problems(), sampler.beat().errors) == ([], 1)


def test_what_was_read_before_an_error_is_kept() -> None:
    class Half:
        def collect(self, ts: float) -> Iterable[Sample]:
            yield Sample(ts, VALUE, (), 5.0)
            raise OSError("the rest is gone")

    found: list[Sample] = []
    run(Scheduled("half", Half(), 1.0), clock=ManualClock(START), seconds=0.1, submit=found.extend)
    assert [one.value for one in found if one.metric is VALUE] == [5.0]


def test_samples_nobody_takes_are_a_problem_and_reading_goes_on() -> None:
    def refuse(samples: Sequence[Sample]) -> None:
        raise StoreBusy("queue is full")

    source = FakeSource()
    sampler = run(Scheduled("host", source, 1.0), clock=ManualClock(1_700_000_000.0), seconds=3, submit=refuse)
    assert len(source.stamps) == 5
    assert sampler.problems() == ["handing samples over fails since 2023-11-14 22:13:20 UTC: StoreBusy: queue is full"]


def test_source_that_hangs_is_a_problem_and_stops_the_beat() -> None:
    clock = ManualClock(1_700_000_000.0)
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(60)

    sampler = Sampler([Scheduled("stuck", FakeSource(hang), 1.0)], swallow, clock)
    stop = threading.Event()
    thread = threading.Thread(target=sampler.run, args=(stop,))
    thread.start()
    assert entered.wait(10)
    clock.move(12.0)
    problems, beat = sampler.problems(), sampler.beat()
    stop.set()
    release.set()
    thread.join(10)
    assert problems == ["source 'stuck' has not answered for 12 s"]
    assert (beat.last, beat.interval) == (0.0, 1.0)


def test_own_samples_every_ten_seconds() -> None:
    found: list[Sample] = []
    clock = ManualClock(1_700_000_000.0)
    sources = [Scheduled("host", FakeSource(), 1.0), Scheduled("disks", FakeSource(), 5.0)]
    run(*sources, clock=clock, seconds=21, submit=found.extend)
    errors = [
        one for one in found if one.metric.name == "perf_source_errors_total" and one.labels == (("source", "host"),)
    ]
    assert [one.ts - 1_700_000_000.0 for one in errors] == [0.0, 0.25, 10.0, 20.0]
    assert {one.value for one in errors} == {0.0}
    seconds = {one.labels for one in found if one.metric.name == "perf_source_collect_seconds"}
    assert seconds == {(("source", "host"),), (("source", "disks"),)}


def test_stop_ends_a_real_loop_at_once() -> None:
    clock, stop = ManualClock(), threading.Event()
    source = FakeSource(stop.set)
    Sampler([Scheduled("host", source, 3600.0)], swallow, clock).run(stop)
    assert len(source.stamps) == 1


def test_beat_tells_the_end_of_the_last_round() -> None:
    clock = ManualClock(1_700_000_000.0)
    sampler = run(Scheduled("host", FakeSource(lambda: clock.move(0.1)), 2.0), clock=clock, seconds=4)
    assert sampler.beat().last == pytest.approx(4.1)


@given(st.floats(1e9, 3e9), st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0, 60.0]))
def test_next_tick_follows_the_last_and_is_a_multiple(now: float, interval: float) -> None:
    last = tick_before(now, interval)
    following = next_tick(now, last, interval)
    assert last <= now + 1e-6
    assert now - last < interval + 1e-6
    assert following == pytest.approx(last + interval, abs=1e-6)
    assert following / interval == pytest.approx(round(following / interval), abs=1e-5)


@given(st.floats(1e9, 3e9), st.floats(1e9, 3e9), st.sampled_from([1.0, 10.0]))
def test_next_tick_is_never_further_than_two_intervals(now: float, last: float, interval: float) -> None:
    assert next_tick(now, tick_before(last, interval), interval) <= now + 2 * interval
