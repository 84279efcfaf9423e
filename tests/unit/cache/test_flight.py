from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from perf.cache import Cache, MemoryTier
from perf.cache.flight import twin
from perf.clock import ManualClock, SystemClock
from perf.errors import CacheError, LoadTimeout
from tests.services import eventually
from tests.unit.cache.interruption import everywhere

CALLERS = 40


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return Cache(memory=MemoryTier(2**24, clock), clock=clock)


class Gate:
    """A factory that waits until it is opened, and counts its runs."""

    def __init__(self, result: object) -> None:
        self.result = result
        self.runs = 0
        self.open = threading.Event()

    def __call__(self) -> object:
        self.runs += 1
        assert self.open.wait(30)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def loading(cache: Cache, key: str = "default:1:a") -> bool:
    return cache.loader.flights.under_way(key) is not None


def waiters(cache: Cache, key: str = "default:1:a") -> int:
    """How many threads wait for what is being loaded."""
    flight = cache.loader.flights.under_way(key)
    return 0 if flight is None else len(flight.future._condition._waiters)  # type: ignore[attr-defined]  # of a Condition


def coalescing(cache: Cache, factory: Gate, call: Callable[[], object]) -> list[object]:
    """What forty threads get that ask while the factory runs: values and errors."""

    def one() -> object:
        try:
            return call()
        except ValueError as error:
            return error

    with ThreadPoolExecutor(CALLERS) as pool:
        futures = [pool.submit(one) for _ in range(CALLERS)]
        eventually(lambda: waiters(cache) == CALLERS - 1)  # The other one runs it.
        factory.open.set()
        return [future.result(10) for future in futures]


def test_forty_threads_one_execution(cache: Cache) -> None:
    factory = Gate(7)
    assert coalescing(cache, factory, lambda: cache.get_or_set("a", factory)) == [7] * CALLERS
    assert factory.runs == 1
    stats = cache.stats()
    assert stats.hits + stats.misses == CALLERS
    assert stats.misses == stats.coalesced + stats.led


def test_forty_threads_one_failure(cache: Cache) -> None:
    factory = Gate(ValueError("no"))
    errors = coalescing(cache, factory, lambda: cache.get_or_set("a", factory))
    assert factory.runs == 1
    assert {str(error) for error in errors} == {"no"}
    assert len({id(error) for error in errors}) == CALLERS  # Each has a traceback of its own.
    assert not loading(cache)


def test_forty_coroutines_one_execution(cache: Cache) -> None:
    runs = 0

    async def factory() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.02)
        return 7

    async def main() -> list[int]:
        return await asyncio.gather(*(cache.aget_or_set("a", factory) for _ in range(CALLERS)))

    assert asyncio.run(main()) == [7] * CALLERS
    assert runs == 1


def test_forty_coroutines_one_failure(cache: Cache) -> None:
    runs = 0

    async def factory() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.02)
        raise ValueError("no")

    async def main() -> list[Any]:
        return await asyncio.gather(*(cache.aget_or_set("a", factory) for _ in range(CALLERS)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(main())] == ["no"] * CALLERS
    assert runs == 1


def test_several_loops_and_threads_share_one_execution(cache: Cache) -> None:
    factory = Gate(7)

    async def coroutine() -> object:
        await asyncio.to_thread(factory)
        return 7

    async def main() -> list[object]:
        return list(await asyncio.gather(*(cache.aget_or_set("a", coroutine) for _ in range(5))))

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(asyncio.run, main())
        eventually(lambda: factory.runs)
        loops = [pool.submit(asyncio.run, main()) for _ in range(3)]
        threads = [pool.submit(cache.get_or_set, "a", factory) for _ in range(3)]
        factory.open.set()
        assert [value for done in (first, *loops) for value in done.result(10)] == [7] * 20
        assert [done.result(10) for done in threads] == [7] * 3
    assert factory.runs == 1


def test_a_cancelled_caller_cancels_only_its_wait(cache: Cache) -> None:
    runs = 0

    async def factory() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.05)
        return 7

    async def main() -> int:
        leader = asyncio.create_task(cache.aget_or_set("a", factory))
        await asyncio.sleep(0.01)
        follower = asyncio.create_task(cache.aget_or_set("a", factory))
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await follower

    assert asyncio.run(main()) == 7
    assert runs == 1
    assert cache.get("a") == 7


def test_a_loop_that_ends_hands_its_flight_on(cache: Cache) -> None:
    started, end = threading.Event(), threading.Event()

    async def never() -> int:
        started.set()
        await asyncio.sleep(3600)
        return 1

    async def main() -> None:
        leader = asyncio.create_task(cache.aget_or_set("a", never))
        await asyncio.to_thread(end.wait, 20)
        assert not leader.done()

    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(asyncio.run, main())
        assert started.wait(10)
        follower = pool.submit(cache.get_or_set, "a", lambda: 2)
        eventually(lambda: waiters(cache) == 1)
        end.set()
        ended.result(10)
        assert follower.result(10) == 2


def test_a_plain_factory_of_an_async_caller_does_not_block_the_loop(cache: Cache) -> None:
    factory = Gate(7)

    async def main() -> object:
        task = asyncio.create_task(cache.aget_or_set("a", factory))
        while not factory.runs:
            await asyncio.sleep(0.001)
        factory.open.set()
        return await task

    assert asyncio.run(main()) == 7


def test_asking_for_its_own_key_raises(cache: Cache) -> None:
    def factory() -> object:
        return cache.get_or_set("a", factory)

    with pytest.raises(CacheError, match="never ends"):
        cache.get_or_set("a", factory)
    assert cache.get_or_set("a", lambda: 1) == 1


def test_asking_for_its_own_key_raises_in_a_loop(cache: Cache) -> None:
    async def factory() -> object:
        return await cache.aget_or_set("a", factory)

    with pytest.raises(CacheError, match="never ends"):
        asyncio.run(cache.aget_or_set("a", factory))


def test_factories_that_wait_for_each_other_raise(cache: Cache) -> None:
    meet = threading.Barrier(2)

    def factory(other: str) -> Callable[[], object]:
        def load() -> object:
            meet.wait(10)
            return cache.get_or_set(other, lambda: other)

        return load

    def outcome(key: str, other: str) -> object:
        try:
            return cache.get_or_set(key, factory(other))
        except CacheError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(outcome, "a", "b"), pool.submit(outcome, "b", "a")
        results = [first.result(10), second.result(10)]
    assert any(isinstance(result, CacheError) for result in results)


def waits(cache: Cache, key: str) -> bool:
    """Whether what loads *key* waits for another load."""
    flight = cache.loader.flights.under_way(cache.names.key(key))
    return flight is not None and bool(flight.waits)


def attempt(cache: Cache, key: str, factory: Callable[[], object]) -> None:
    with contextlib.suppress(CacheError):
        cache.get_or_set(key, factory)


def test_factories_that_begin_to_wait_for_each_other_at_any_moment_end(clock: ManualClock) -> None:
    def begin() -> tuple[Callable[[], object], Callable[[], object], Callable[[], bool]]:
        cache = Cache(memory=MemoryTier(2**20, clock), clock=clock)
        began, go, ended = threading.Event(), threading.Event(), threading.Event()

        def of_b() -> object:
            began.set()
            eventually(lambda: go.is_set() or waits(cache, "a"), every=0.001)
            return cache.get_or_set("a", lambda: "a")

        def other() -> None:
            attempt(cache, "b", of_b)
            ended.set()

        def then() -> None:
            go.set()
            eventually(lambda: waits(cache, "b") or ended.is_set(), every=0.001)

        def call() -> bool:
            attempt(cache, "a", lambda: cache.get_or_set("b", lambda: "b"))
            return ended.wait(20)

        threading.Thread(target=other, daemon=True).start()
        assert began.wait(20)
        return call, then, lambda: not cache.local.fences.lock._is_owned()  # type: ignore[attr-defined]  # of an RLock

    for at, ended in everywhere("cache/flight.py", begin):
        assert ended, f"before instruction {at}"


def test_a_sync_call_in_the_loop_that_loads_does_not_hang(cache: Cache) -> None:
    async def factory() -> int:
        await asyncio.sleep(0.02)
        return 1

    async def main() -> tuple[int, int]:
        task = asyncio.create_task(cache.aget_or_set("a", factory))
        await asyncio.sleep(0.005)
        return cache.get_or_set("a", lambda: 2), await task

    assert asyncio.run(main()) == (2, 1)


def test_an_invalidation_makes_later_callers_load_anew(cache: Cache) -> None:
    old = Gate("old")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get_or_set, "a", old)
        eventually(lambda: old.runs)
        cache.delete("a")
        assert cache.get_or_set("a", lambda: "new") == "new"
        old.open.set()
        assert first.result(10) == "old"
    assert cache.get("a") == "new"


def test_an_early_refresh_is_one_in_the_background(cache: Cache, clock: ManualClock) -> None:
    cache.get_or_set("a", lambda: 1, ttl=100, eager_refresh=0.8)
    clock.move(79)
    assert cache.get_or_set("a", lambda: 2, ttl=100, eager_refresh=0.8) == 1
    clock.move(1)
    factory = Gate(3)
    assert [cache.get_or_set("a", factory, ttl=100, eager_refresh=0.8) for _ in range(5)] == [1] * 5
    factory.open.set()
    assert eventually(lambda: cache.get("a") == 3)
    assert factory.runs == 1
    assert cache.stats().eager_refreshes == 1


def test_at_most_two_early_refreshes_run(cache: Cache, clock: ManualClock) -> None:
    factories = {name: Gate(2) for name in "abcd"}
    for name in factories:
        cache.get_or_set(name, lambda: 1, ttl=100, eager_refresh=0.5)
    clock.move(60)
    for name, factory in factories.items():
        cache.get_or_set(name, factory, ttl=100, eager_refresh=0.5)
    assert cache.stats().eager_refreshes == 2
    for factory in factories.values():
        factory.open.set()


def test_a_failed_early_refresh_is_not_repeated_at_once(cache: Cache, clock: ManualClock) -> None:
    cache.get_or_set("a", lambda: 1, ttl=100, eager_refresh=0.5)
    clock.move(60)
    failing = Gate(ValueError("no"))
    failing.open.set()
    for _ in range(3):
        assert cache.get_or_set("a", failing, ttl=100, eager_refresh=0.5) == 1
        eventually(lambda: not loading(cache))
    assert failing.runs == 1
    clock.move(30)
    cache.get_or_set("a", failing, ttl=100, eager_refresh=0.5)
    assert eventually(lambda: failing.runs == 2)


def test_an_early_refresh_that_asks_for_its_own_key_gets_what_is_held(cache: Cache, clock: ManualClock) -> None:
    options = {"ttl": 100, "eager_refresh": 0.5}
    cache.get_or_set("a", lambda: 1, **options)

    def next_one() -> int:
        return 1 + cache.get_or_set("a", lambda: 0, **options)

    for number in range(1, 5):
        clock.move(60)
        assert cache.get_or_set("a", next_one, **options) == number
        assert eventually(lambda number=number: cache.get("a") == number + 1)  # type: ignore[misc]


STALE, NONE, FRESH = "stale", "none", "fresh"
SOFT, HARD, ERROR = "soft", "hard", "error"
SERVED, RAISED, WAITED = "served", "raised", "waited"
MATRIX = [
    # what happens, what is held, fail-safe, what the caller gets
    *((how, FRESH, safe, SERVED) for how in (ERROR, HARD, SOFT) for safe in (True, False)),
    *((how, NONE, safe, RAISED) for how in (ERROR, HARD) for safe in (True, False)),
    *((SOFT, NONE, safe, WAITED) for safe in (True, False)),
    (ERROR, STALE, True, SERVED),
    (ERROR, STALE, False, RAISED),
    (HARD, STALE, True, SERVED),
    (HARD, STALE, False, RAISED),
    (SOFT, STALE, True, SERVED),
    (SOFT, STALE, False, SERVED),
]


def prepared(cache: Cache, clock: ManualClock, how: str, held: str, expected: str) -> Gate:
    """A factory that does *how*, with a value *held* from before."""
    if held != NONE:
        cache.set("a", "old", ttl=10, stale_ttl=100)
    if held == STALE:
        clock.move(11)
    factory = Gate(ValueError("no") if how == ERROR else "new")
    if how == ERROR:
        factory.open.set()
    if expected == WAITED:
        threading.Timer(0.1, factory.open.set).start()
    return factory


def asked(cache: Cache, factory: Gate, *, is_async: bool, options: dict[str, Any]) -> tuple[str, object]:
    """What a caller gets."""
    try:
        if is_async:
            return SERVED, asyncio.run(cache.aget_or_set("a", factory, **options))
        return SERVED, cache.get_or_set("a", factory, **options)
    except (ValueError, LoadTimeout) as error:
        return RAISED, type(error)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("how", "held", "fail_safe", "expected"), MATRIX)
def test_fail_safe_matrix(
    cache: Cache, clock: ManualClock, how: str, held: str, fail_safe: bool, expected: str, is_async: bool
) -> None:
    factory = prepared(cache, clock, how, held, expected)
    options = {"ttl": 10, "stale_ttl": 100, "fail_safe": fail_safe}
    if how != ERROR:
        options[f"factory_{how}_timeout"] = 0.02
    answers = {
        SERVED: (SERVED, "old"),
        WAITED: (SERVED, "new"),
        RAISED: (RAISED, ValueError if how == ERROR else LoadTimeout),
    }
    assert asked(cache, factory, is_async=is_async, options=options) == answers[expected]
    factory.open.set()
    assert cache.stats().stale_hits == int(held == STALE and expected == SERVED)
    if how != ERROR and held != FRESH:  # The factory goes on, and what it made is kept.
        assert eventually(lambda: cache.get("a") == "new")


def test_after_a_failure_the_factory_is_left_alone_for_a_while(cache: Cache, clock: ManualClock) -> None:
    cache.set("a", "old", ttl=10, stale_ttl=100)
    clock.move(11)
    failing = Gate(ValueError("no"))
    failing.open.set()
    ask = lambda: cache.get_or_set("a", failing, ttl=10, stale_ttl=100, fail_safe=True, fail_safe_throttle=30)
    assert [ask() for _ in range(3)] == ["old"] * 3
    assert (failing.runs, cache.stats().stale_hits, cache.stats().fail_safe) == (1, 3, 1)
    clock.move(30)
    ask()
    assert failing.runs == 2
    clock.move(100)
    with pytest.raises(ValueError, match="no"):
        ask()


def test_the_system_clock_works_as_well() -> None:
    cache = Cache(memory=MemoryTier(2**20, SystemClock()))
    assert cache.get_or_set("a", lambda: 1) == cache.get("a") == 1


def test_an_error_that_can_not_be_compared_with_its_copy_is_raised_itself() -> None:
    class Sided:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous, as for arrays")

        __hash__ = None  # type: ignore[assignment]

    class Refused(Exception):
        def __init__(self, _: object = None) -> None:
            super().__init__(Sided())

    error = Refused()
    assert twin(error) is error
