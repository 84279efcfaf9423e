"""A cache against the simplest model of one: what was asked of both, step by step, is answered alike."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from perf.cache import Cache, MemoryTier
from perf.clock import ManualClock
from tests.unit.cache.test_cache import Line, Shelf, lines

KEYS = st.sampled_from(["a:1", "a:2", "b:1", "c"])
TAGS = st.sampled_from([(), ("x",), ("y",), ("x", "y")])
CACHES = st.sampled_from([0, 1])
PATTERNS = {"a:*": ("a:1", "a:2"), "*:1": ("a:1", "b:1"), "*": ("a:1", "a:2", "b:1", "c")}


class Known(NamedTuple):
    value: object
    until: float
    tags: tuple[str, ...]


class TwoCaches(RuleBasedStateMachine):
    """Two caches with a common tier and a backplane. Law: neither ever gives anything but the present value or nothing, and
    right after a value was set or loaded, and the tier has it, both have it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.shelf = Shelf(self.clock)
        self.lines: tuple[Line, Line] = lines()
        self.caches = [
            Cache(memory=MemoryTier(2**20, self.clock), outer=[self.shelf], clock=self.clock, backplane=line)
            for line in self.lines
        ]
        self.model: dict[str, Known] = {}
        self.number = 0

    def present(self, key: str) -> Known | None:
        known = self.model.get(key)
        return known if known is not None and known.until > self.clock.monotonic() else None

    @rule(which=CACHES, key=KEYS, ttl=st.sampled_from([5, 50]), tags=TAGS)
    def set(self, which: int, key: str, ttl: int, tags: tuple[str, ...]) -> None:
        self.number += 1
        self.caches[which].set(key, self.number, ttl=ttl, tags=tags)
        self.model[key] = Known(self.number, self.clock.monotonic() + ttl, tags)
        assert self.caches[which].get(key) == self.number
        assert self.caches[which].flush(20)

    @rule(which=CACHES, key=KEYS)
    def get(self, which: int, key: str) -> None:
        known = self.present(key)
        assert self.caches[which].get(key) == (known.value if known else None)

    @rule(which=CACHES, key=KEYS, ttl=st.sampled_from([5, 50]), tags=TAGS)
    def get_or_set(self, which: int, key: str, ttl: int, tags: tuple[str, ...]) -> None:
        known = self.present(key)
        self.number += 1
        expected = known.value if known else self.number
        assert self.caches[which].get_or_set(key, lambda: self.number, ttl=ttl, tags=tags) == expected
        if known is None:
            self.model[key] = Known(self.number, self.clock.monotonic() + ttl, tags)
        assert self.caches[which].flush(20)

    @rule(which=CACHES, key=KEYS)
    def delete(self, which: int, key: str) -> None:
        self.caches[which].delete(key)
        self.model.pop(key, None)

    @rule(which=CACHES, tag=st.sampled_from("xy"))
    def invalidate_tag(self, which: int, tag: str) -> None:
        self.caches[which].invalidate(tags=[tag])
        self.model = {key: known for key, known in self.model.items() if tag not in known.tags}

    @rule(which=CACHES, pattern=st.sampled_from(["a:*"]))
    def invalidate_pattern(self, which: int, pattern: str) -> None:
        self.caches[which].invalidate(pattern=pattern)
        for key in PATTERNS[pattern]:
            self.model.pop(key, None)

    @rule(which=CACHES)
    def clear(self, which: int) -> None:
        self.caches[which].clear()
        self.model.clear()

    @rule(seconds=st.sampled_from([1, 7, 60]))
    def move(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(seconds=st.sampled_from([-7200, 7200]))
    def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @rule(which=CACHES)
    def lose_messages(self, which: int) -> None:
        self.lines[which].waiting.clear()
        self.lines[which].cut = True

    @invariant()
    def books_balance(self) -> None:
        for cache in self.caches:
            stats = cache.stats()
            assert stats.misses == stats.absent + stats.coalesced + stats.led

    def teardown(self) -> None:
        for cache in self.caches:
            cache.close()


TestTwoCaches = TwoCaches.TestCase
TestTwoCaches.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
