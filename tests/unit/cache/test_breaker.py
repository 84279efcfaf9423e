"""The breaker: it opens on failures, and lets one caller try."""

from __future__ import annotations

import threading

from perf.cache.breaker import WINDOW, Breaker, BreakerState
from perf.clock import ManualClock


def opened(clock: ManualClock, rest: float = 5.0) -> Breaker:
    breaker = Breaker(clock, failures=1, rest=rest)
    breaker.failed()
    return breaker


def test_opens_at_the_bound_not_before() -> None:
    breaker = Breaker(ManualClock(), failures=3)
    for _ in range(2):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    assert (breaker.state, breaker.opened) == (BreakerState.OPEN, 1)


def test_a_timeout_opens_at_once() -> None:
    breaker = Breaker(ManualClock(), failures=100)
    breaker.failed(at_once=True)
    assert not breaker.allows()


def test_failures_among_many_successes_leave_it_closed() -> None:
    breaker = Breaker(ManualClock(), failures=3)
    breaker.failed()
    for _ in range(10):
        breaker.worked()
    for _ in range(5):
        breaker.failed()
    assert breaker.state is BreakerState.CLOSED
    for _ in range(4):
        breaker.failed()
    assert breaker.state is BreakerState.OPEN


def test_failures_far_apart_leave_it_closed() -> None:
    clock = ManualClock()
    breaker = Breaker(clock, failures=2)
    for _ in range(10):
        breaker.failed()
        clock.move(WINDOW + 1)
    assert breaker.allows()


def test_one_call_a_rest_goes_through() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.move(4.9)
    assert not breaker.allows()
    clock.move(0.1)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN
    clock.move(5.0)  # The one who tried never came back.
    assert [breaker.allows() for _ in range(2)] == [True, False]


def test_exactly_one_of_many_threads_tries() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.move(5.0)
    start = threading.Barrier(16)
    through: list[int] = []

    def ask() -> None:
        start.wait()
        through.append(sum(breaker.allows() for _ in range(100)))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(through) == 1


def test_closes_when_the_try_works_and_rests_again_when_it_fails() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.move(5.0)
    assert breaker.allows()
    breaker.failed()
    clock.move(4.9)
    assert not breaker.allows()
    clock.move(0.1)
    assert breaker.allows()
    breaker.worked()
    assert breaker.state is BreakerState.CLOSED
    assert all(breaker.allows() for _ in range(3))


def test_a_call_from_before_it_opened_does_not_close_it() -> None:
    breaker = opened(ManualClock())
    breaker.worked()
    assert not breaker.allows()


def test_the_wall_clock_is_not_asked() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.jump(-86_400)
    clock.move(5.0)
    assert breaker.allows()
