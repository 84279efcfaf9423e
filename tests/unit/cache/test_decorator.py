from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from perf.cache import Cache, MemoryTier, cached
from perf.clock import ManualClock
from perf.errors import CacheError


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return Cache(memory=MemoryTier(2**24, clock), clock=clock)


def test_a_result_is_kept_by_its_arguments(cache: Cache) -> None:
    calls: list[object] = []

    @cached(cache=cache)
    def double(number: float, times: int = 2) -> float:
        """Doc."""
        calls.append(number)
        return number * times

    assert [double(2), double(2, 2), double(number=2), double(2, times=3)] == [4, 4, 4, 6]
    assert calls == [2, 2]
    assert (double.__name__, double.__doc__) == ("double", "Doc.")
    assert list(inspect.signature(double).parameters) == ["number", "times"]


def test_equal_arguments_of_different_types_differ(cache: Cache) -> None:
    @cached(cache=cache)
    def kind(value: object) -> str:
        return type(value).__name__

    for _ in range(2):
        assert [kind(1), kind(1.0), kind(True), kind("1"), kind((1,)), kind((True,))] == [
            "int",
            "float",
            "bool",
            "str",
            "tuple",
            "tuple",
        ]
    assert kind.stats().loads == 6


def test_hits_are_counted_exactly_and_save_time(cache: Cache) -> None:
    @cached(cache=cache)
    def echo(text: str) -> str:
        return text

    for _ in range(11):
        echo("a")
    counts = echo.stats()
    assert (counts.hits, counts.misses, counts.loads) == (10, 1, 1)
    assert counts.saved_seconds == pytest.approx(10 * counts.load_seconds)
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio) == (10, 1, 10 / 11)


def test_a_coroutine_function(cache: Cache) -> None:
    calls: list[str] = []

    @cached(cache=cache)
    async def echo(text: str) -> list[str]:
        calls.append(text)
        return [text]

    async def main() -> list[list[str]]:
        first = await echo("a")
        first.append("changed")
        return [await echo("a"), await echo.refresh("a"), await echo.bypass("a")]

    assert inspect.iscoroutinefunction(echo)
    assert asyncio.run(main()) == [["a"]] * 3
    assert calls == ["a"] * 3


def test_the_wrapper_has_methods(cache: Cache) -> None:
    calls: list[int] = []

    @cached(cache=cache)
    def count(start: int) -> int:
        calls.append(start)
        return start + len(calls)

    assert count.peek(10) is None
    assert count(10) == 11
    held = count.peek(10)
    assert held is not None
    assert held.value == 11
    assert cache.get(count.key_for(10)) == 11
    assert count.refresh(10) == 12
    assert count(10) == 12
    assert count.bypass(10) == 13
    assert count(10) == 12
    assert count.invalidate(10) is True
    assert count(10) == 14


def test_a_failed_refresh_leaves_what_was_held(cache: Cache) -> None:
    fail = False

    @cached(cache=cache)
    def value() -> int:
        if fail:
            raise ValueError("no")
        return 1

    assert value() == 1
    fail = True
    with pytest.raises(ValueError, match="no"):
        value.refresh()
    assert value() == 1


@pytest.mark.parametrize("own_key", [False, True])
def test_all_results_of_a_function_can_be_forgotten(cache: Cache, own_key: bool) -> None:
    key = (lambda number: f"number:{number}") if own_key else None

    @cached(cache=cache, key=key)
    def one(number: int) -> int:
        return number

    @cached(cache=cache)
    def other(number: int) -> int:
        return number

    for _ in range(2):
        one(1), one(2), other(1)
        cache.invalidate(function=one)
    assert (one.stats().loads, other.stats().loads) == (4, 1)


def test_a_key_of_ones_own(cache: Cache) -> None:
    class Session:
        pass

    @cached(cache=cache, key=lambda session, user: f"user:{user}")
    def name(session: Session, user: int) -> str:
        return f"u{user}"

    assert name(Session(), 3) == name(Session(), 3) == "u3"
    assert name.stats().loads == 1
    assert cache.get("user:3") == "u3"
    cache.invalidate(pattern="user:*")
    name(Session(), 3)
    assert name.stats().loads == 2


def test_an_argument_known_by_its_identity_is_refused(cache: Cache) -> None:
    @cached(cache=cache)
    def name(session: object) -> str:
        return "u"

    with pytest.raises(CacheError, match="key="):
        name(object())


def test_tags_forget_results(cache: Cache) -> None:
    @cached(cache=cache, tags=["orders"])
    def total(month: str) -> int:
        return 1

    for _ in range(3):
        total("2026-01")
        total("2026-01")
        cache.invalidate(tags=["orders"])
    assert (total.stats().loads, total.stats().hits) == (3, 3)


def test_a_result_expires(cache: Cache, clock: ManualClock) -> None:
    @cached(cache=cache, ttl=10)
    def now() -> float:
        return clock.monotonic()

    assert (now(), now()) == (0, 0)
    clock.move(10)
    assert now() == 10


def test_a_class_method_and_a_static_one(cache: Cache) -> None:
    class Shop:
        @cached(cache=cache)
        @staticmethod
        def price(item: str) -> int:
            return len(item)

    assert (Shop.price("tea"), Shop.price("tea")) == (3, 3)


def test_a_generator_is_refused(cache: Cache) -> None:
    with pytest.raises(CacheError, match="generator"):

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            yield 1


@pytest.mark.parametrize(
    "wrong", [{"tll": 3}, {"ttl": -1}, {"tags": "orders"}, {"scope": "planet"}, {"scope": "session", "cache": 1}]
)
def test_wrong_options_are_refused_where_they_are_written(wrong: dict[str, object]) -> None:
    with pytest.raises(CacheError):
        cached(**wrong)  # type: ignore[call-overload]  # wrong on purpose


def test_a_wrong_call_raises_what_the_function_raises(cache: Cache) -> None:
    @cached(cache=cache)
    def echo(text: str) -> str:
        return text

    with pytest.raises(TypeError, match="missing 1 required"):
        echo()  # type: ignore[call-arg]  # wrong on purpose
