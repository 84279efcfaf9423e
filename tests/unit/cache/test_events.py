from __future__ import annotations

import logging

import pytest

from perf.cache import Cache, MemoryTier
from perf.cache.events import CacheEvent
from perf.clock import ManualClock
from perf.errors import CacheError


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return Cache(memory=MemoryTier(2**24, clock), clock=clock)


def logged(caplog: pytest.LogCaptureFixture) -> int:
    """How often a cache logged something."""
    return len([one for one in caplog.records if one.name == "perf.cache.stats"])


def test_a_listener_hears_what_happens(cache: Cache, clock: ManualClock) -> None:
    heard: list[CacheEvent] = []
    cache.events.on("*", heard.append)
    options = {"ttl": 10, "stale_ttl": 10, "fail_safe": True}
    cache.get_or_set("a", lambda: 1, **options)
    clock.move(11)
    cache.get_or_set("a", lambda: 1 / 0, **options)
    cache.get_or_set("a", lambda: 1 / 0, **options)
    cache.invalidate(tags=["x"])
    cache.get_or_set("b", lambda: cache.delete("b"))
    assert [(event.name, event.key.removeprefix("default:1:"), event.detail) for event in heard] == [
        ("loaded", "a", ""),
        ("failed", "a", "ZeroDivisionError"),
        ("stale", "a", "error"),
        ("stale", "a", "quiet"),
        ("invalidated", "t:default:x", ""),
        ("invalidated", "k:default:1:b", ""),
        ("loaded", "b", ""),
        ("fenced", "b", ""),
    ]


def test_who_left_hears_no_more(cache: Cache) -> None:
    heard: list[CacheEvent] = []
    off = cache.events.on("loaded", heard.append)
    cache.get_or_set("a", lambda: 1)
    off()
    cache.get_or_set("b", lambda: 1)
    assert len(heard) == 1


def test_a_listener_that_raises_is_logged_once(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: CacheEvent) -> None:
        raise ValueError("broken")

    cache.events.on("loaded", broken)
    with caplog.at_level(logging.ERROR):
        assert [cache.get_or_set(key, lambda: 1) for key in "abc"] == [1, 1, 1]
    assert logged(caplog) == 1


def test_of_a_listener_that_never_raises_the_same_only_counts_are_kept(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError("no text")

    def broken(event: CacheEvent) -> None:
        raise Mute if event.key.endswith("d") else KeyError(event.key)

    cache.events.on("loaded", broken)
    with caplog.at_level(logging.ERROR):
        assert [cache.get_or_set(key, lambda: 1) for key in "abcd"] == [1, 1, 1, 1]
    assert logged(caplog) == 2
    assert cache.stats().errors == 4


def test_an_unknown_event_is_refused(cache: Cache) -> None:
    with pytest.raises(CacheError, match="known: loaded"):
        cache.events.on("hit", print)
