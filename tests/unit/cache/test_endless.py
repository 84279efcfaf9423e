"""Factories that never end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from perf.cache import Cache, MemoryTier
from perf.clock import SystemClock
from perf.errors import LoadTimeout
from tests.services import eventually

HARD_SECONDS = 0.5
"""Of who loads anew, at once: longer than a thread needs to begin."""


@pytest.fixture
def cache() -> Iterator[Cache]:
    made = Cache(memory=MemoryTier(2**20, SystemClock()))
    yield made
    made.close()


@pytest.fixture
def end() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_after_some_hard_timeouts_it_is_loaded_anew_and_the_old_result_is_not_kept(
    cache: Cache, end: threading.Event
) -> None:
    over = threading.Event()

    def never() -> str:
        end.wait(20)
        over.set()
        return "late"

    timeouts = 0
    with pytest.raises(LoadTimeout):
        cache.get_or_set("a", never, factory_hard_timeout=0.1)
    while True:
        try:
            assert cache.get_or_set("a", lambda: "new", factory_hard_timeout=HARD_SECONDS) == "new"
            break
        except LoadTimeout:
            timeouts += 1
            assert timeouts < 5
    end.set()
    assert over.wait(20)
    assert eventually(lambda: cache.counts.stats("", [], queued=0).fenced == 1)
    assert cache.get("a") == "new"


def test_coroutines_too(cache: Cache) -> None:
    async def main() -> tuple[str, int]:
        async def never() -> str:
            await asyncio.sleep(60)
            return "late"

        async def new() -> str:
            return "new"

        with pytest.raises(LoadTimeout):
            await cache.aget_or_set("a", never, factory_hard_timeout=0.1)
        for timeouts in range(5):
            try:
                return await cache.aget_or_set("a", new, factory_hard_timeout=HARD_SECONDS), timeouts
            except LoadTimeout:
                continue
        return "", 5

    value, timeouts = asyncio.run(main())
    assert value == "new"
    assert timeouts < 5


def test_an_invalidation_lets_go_of_it_without_any_timeout(cache: Cache, end: threading.Event) -> None:
    started = threading.Event()

    def never() -> str:
        started.set()
        end.wait(20)
        return "late"

    first: list[str] = []
    thread = threading.Thread(target=lambda: first.append(cache.get_or_set("a", never, tags=["t"])))
    thread.start()
    assert started.wait(10)
    cache.invalidate(tags=["t"])
    assert cache.get_or_set("a", lambda: "new", tags=["t"]) == "new"
    end.set()
    thread.join()
    assert first == ["late"]
    assert cache.get("a") == "new"


def test_hung_early_refreshes_do_not_end_all_others(cache: Cache, end: threading.Event) -> None:
    options = {"ttl": 1_000.0, "eager_refresh": 0.000001, "factory_hard_timeout": 0.02, "fail_safe_throttle": 0.0}
    for key in ("a", "b", "c"):
        cache.get_or_set(key, lambda: "old", **options)
    for key in ("a", "b"):
        assert eventually(
            lambda key=key: (
                cache.get_or_set(key, lambda: end.wait(20), **options) == "old"  # type: ignore[misc]
                and cache.loader.flights.under_way(cache.names.key(key)) is not None
            )
        )

    def refreshed() -> bool:
        for key in ("a", "b"):
            cache.get_or_set(key, lambda: "new", **options)
        return cache.get_or_set("c", lambda: "new", **options) == "new"

    assert eventually(refreshed)
