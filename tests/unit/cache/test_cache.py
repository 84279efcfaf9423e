from __future__ import annotations

import gc
import threading
from collections.abc import Sequence

import pytest

from perf.cache import Cache, EntryOptions, MemoryTier
from perf.cache.turns import Turns
from perf.clock import ManualClock
from perf.errors import CacheError, TierError
from perf.model import CacheStats, Held, Said, TierUsage

MIB = 2**20


class Shelf:
    """A tier in a dict, with generations; it can be broken."""

    def __init__(self, clock: ManualClock, name: str = "shelf") -> None:
        self.name = name
        self.clock = clock
        self.held: dict[str, tuple[Held, float, tuple[str, ...], bytes]] = {}
        self.moves: dict[str, int] = {}
        self.broken = False
        self.asked = 0
        self.closed = False

    def _check(self) -> None:
        self.asked += 1
        if self.broken:
            raise TierError("broken")

    def _now(self, key: str, tags: Sequence[str]) -> bytes:
        names = [f"k:{key}", *(f"t:{tag}" for tag in tags)]
        return repr([self.moves.get(name, 0) for name in names]).encode()

    def read(self, key: str) -> Held | None:
        self._check()
        if key not in self.held:
            return None
        held, at, tags, marks = self.held[key]
        age = self.clock.monotonic() - at
        if marks != self._now(key, tags) or held.stale <= age:
            return None
        return Held(held.data, held.fresh - age, held.stale - age)

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        self._check()
        now = self._now(key, tags)
        if fence is not None and fence != now:
            return False
        if replaces:
            self.moves[f"k:{key}"] = self.moves.get(f"k:{key}", 0) + 1
            now = self._now(key, tags)
        self.held[key] = (held, self.clock.monotonic(), tuple(tags), now)
        return True

    def fence(self, names: Sequence[str]) -> bytes:
        self._check()
        return repr([self.moves.get(name, 0) for name in names]).encode()

    def invalidate(self, names: Sequence[str]) -> None:
        self._check()
        for name in names:
            self.moves[name] = self.moves.get(name, 0) + 1
            self.held.pop(name[2:], None)

    def clear(self) -> None:
        self._check()
        self.held.clear()

    def usage(self) -> TierUsage:
        return TierUsage(name=self.name, entries=len(self.held), bytes=0, bound=0)

    def close(self) -> None:
        self.closed = True


class Line:
    """A backplane between caches of one process."""

    def __init__(self) -> None:
        self.others: list[Line] = []
        self.waiting: list[Said] = []
        self.cut = False

    def announce(self, said: Said) -> None:
        for other in self.others:
            other.waiting.append(said)

    def changed(self) -> bool:
        return bool(self.waiting) or self.cut

    def heard(self) -> list[Said] | None:
        said, self.waiting = self.waiting, []
        cut, self.cut = self.cut, False
        return None if cut else said

    def close(self) -> None:
        pass


def lines() -> tuple[Line, Line]:
    one, two = Line(), Line()
    one.others, two.others = [two], [one]
    return one, two


def make(clock: ManualClock, *outer: Shelf, **more: object) -> Cache:
    return Cache(memory=MemoryTier(64 * MIB, clock), outer=outer, clock=clock, **more)  # type: ignore[arg-type]  # keywords


class Counter:
    """A factory that counts its runs."""

    def __init__(self, *results: object) -> None:
        self.runs = 0
        self.results = list(results)

    def __call__(self) -> object:
        self.runs += 1
        result = self.results.pop(0) if self.results else self.runs
        if isinstance(result, BaseException):
            raise result
        return result


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return make(clock)


def books(stats: CacheStats) -> None:
    """Every miss ended somehow."""
    assert stats.misses == stats.absent + stats.coalesced + stats.led


def test_what_was_set_is_there(cache: Cache) -> None:
    cache.set("a", 1)
    assert (cache.get("a"), cache.get("b"), cache.get("b", 7)) == (1, None, 7)
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.absent, stats.sets) == (1, 2, 2, 1)
    books(stats)


def test_a_held_none_is_not_the_default(cache: Cache) -> None:
    cache.set("a", None)
    assert cache.get("a", 7) is None
    found = cache.peek("a")
    assert found is not None
    assert found.value is None
    assert cache.peek("b") is None


def test_a_full_key_is_the_same_key(cache: Cache) -> None:
    cache.set("a", 1)
    assert cache.get("default:1:a") == 1


@pytest.mark.parametrize("key", ["", 3, None])
def test_a_key_is_a_text(cache: Cache, key: str) -> None:
    with pytest.raises(CacheError):
        cache.get(key)


def test_an_entry_lasts_its_ttl_on_the_monotonic_clock(cache: Cache, clock: ManualClock) -> None:
    cache.set("a", 1, ttl=60)
    clock.jump(+7200)
    assert cache.get("a") == 1
    clock.jump(-14_400)
    clock.move(59.9)
    assert cache.get("a") == 1
    clock.move(0.1)
    assert cache.get("a") is None


def test_a_factory_runs_once(cache: Cache) -> None:
    factory = Counter()
    assert [cache.get_or_set("a", factory) for _ in range(3)] == [1, 1, 1]
    assert cache.stats().loads == 1
    books(cache.stats())


def test_a_failure_is_raised_and_not_stored(cache: Cache) -> None:
    factory = Counter(ValueError("no"), 5)
    with pytest.raises(ValueError, match="no"):
        cache.get_or_set("a", factory)
    assert cache.get_or_set("a", factory) == 5
    assert (cache.stats().failures, cache.stats().loads) == (1, 1)


def test_an_interrupt_passes_and_leaves_nothing_behind(cache: Cache) -> None:
    with pytest.raises(KeyboardInterrupt):
        cache.get_or_set("a", Counter(KeyboardInterrupt()))
    assert cache.get_or_set("a", Counter(3)) == 3


def test_a_negative_answer_lasts_shorter(cache: Cache, clock: ManualClock) -> None:
    factory = Counter(None, None)
    for _ in range(3):
        assert cache.get_or_set("a", factory, negative_ttl=5) is None
    assert (factory.runs, cache.stats().negative_hits) == (1, 2)
    clock.move(5)
    cache.get_or_set("a", factory, negative_ttl=5)
    assert factory.runs == 2


def test_callers_get_their_own_copy(cache: Cache) -> None:
    given = [1]
    cache.set("a", given)
    given.append(2)
    cache.get("a").append(3)
    made: list[int] = cache.get_or_set("b", lambda: [1])
    made.append(2)
    assert (cache.get("a"), cache.get("b")) == ([1], [1])


def test_copies_can_be_switched_off(cache: Cache) -> None:
    cache.set("a", [1], copy=False)
    assert cache.get("a") is cache.get("a")


def test_delete_tells_whether_it_was_there(cache: Cache) -> None:
    cache.set("a", 1)
    assert (cache.delete("a"), cache.delete("a"), cache.get("a")) == (True, False, None)


def test_many(cache: Cache) -> None:
    cache.set_many({"a": 1, "b": None})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": None}
    cache.clear()
    assert cache.get_many(["a", "b"]) == {}


def test_a_pattern_forgets_what_matches(cache: Cache) -> None:
    cache.set_many({"user:1": 1, "user:2": 2, "users": 3})
    assert cache.invalidate(pattern="user:*") == 2
    assert cache.get_many(["user:1", "user:2", "users"]) == {"users": 3}
    assert cache.invalidate(pattern="users") == 1


def test_tags_are_refused_as_one_text(cache: Cache) -> None:
    with pytest.raises(CacheError, match="a list of names"):
        cache.invalidate(tags="orders")


def test_a_tag_forgets_a_hundred_thousand_keys_at_once(clock: ManualClock) -> None:
    cache = make(clock)
    for number in range(100_000):
        cache.set(f"k{number}", number, tags=("all",), copy=False)
    held = cache.stats().tiers[0].usage
    assert held is not None
    before = held.entries
    assert before > 50_000
    cache.invalidate(tags=["all"])
    after = cache.stats().tiers[0].usage
    assert after is not None
    assert after.entries == before  # Nothing was walked: it is a number that moved.
    assert cache.get_many(f"k{number}" for number in range(0, 100_000, 1_000)) == {}


def test_only_its_own_tags_forget_an_entry(cache: Cache) -> None:
    cache.set("a", 1, tags=("x", "y"))
    cache.set("b", 2, tags=("z",))
    cache.invalidate(tags=["y"])
    assert cache.get_many(["a", "b"]) == {"b": 2}
    cache.set("a", 3, tags=("x", "y"))
    assert cache.get("a") == 3


@pytest.mark.parametrize(
    "invalidate",
    [
        lambda cache: cache.delete("a:1"),
        lambda cache: cache.invalidate(tags=["t"]),
        lambda cache: cache.invalidate(pattern="a:*"),
        lambda cache: cache.clear(),
    ],
    ids=["key", "tag", "pattern", "clear"],
)
def test_what_was_invalidated_while_it_loaded_is_not_stored(clock: ManualClock, invalidate: object) -> None:
    shelf = Shelf(clock)
    cache = make(clock, shelf)

    def factory() -> str:
        invalidate(cache)  # type: ignore[operator]  # a lambda
        return "old"

    assert cache.get_or_set("a:1", factory, tags=["t"]) == "old"
    assert cache.flush(20)
    assert shelf.held == {}
    assert cache.get("a:1") is None
    assert cache.stats().fenced == 1
    assert cache.get_or_set("a:1", Counter("new"), tags=["t"]) == "new"


def test_a_value_set_while_another_loads_wins(cache: Cache) -> None:
    def factory() -> str:
        cache.set("a", "set")
        return "loaded"

    assert cache.get_or_set("a", factory) == "loaded"
    assert cache.get("a") == "set"


def test_an_outer_tier_answers_and_memory_keeps_it_for_the_time_left(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    writer = make(clock, shelf)
    writer.set("a", {"x": 1}, ttl=100)
    assert writer.flush(20)
    clock.move(70)
    reader = make(clock, shelf)
    factory = Counter()
    assert reader.get_or_set("a", factory, ttl=100) == {"x": 1}
    assert factory.runs == 0
    shelf.held.clear()
    clock.move(29)
    assert reader.get("a") == {"x": 1}
    clock.move(1)
    assert reader.get("a") is None


def test_a_slower_tier_fills_the_faster_one(clock: ManualClock) -> None:
    near, far = Shelf(clock, "near"), Shelf(clock, "far")
    writer = make(clock, far)
    writer.set("a", 1, ttl=100)
    writer.flush(20)
    clock.move(40)
    reader = make(clock, near, far)
    assert reader.get("a") == 1
    assert reader.flush(20)
    held = near.read("default:1:a")
    assert held is not None
    assert held.fresh == 60


@pytest.mark.parametrize("how", ["key", "tag", "pattern", "clear"])
def test_an_invalidation_reaches_every_tier_and_the_others(clock: ManualClock, how: str) -> None:
    shelf = Shelf(clock)
    one, two = lines()
    ours, theirs = make(clock, shelf, backplane=one), make(clock, shelf, backplane=two)
    ours.set("a:1", 1, tags=["t"])
    ours.flush(20)
    assert theirs.get("a:1") == 1
    if how == "key":
        ours.delete("a:1")
    elif how == "tag":
        ours.invalidate(tags=["t"])
    elif how == "pattern":
        ours.invalidate(pattern="a:*")
    else:
        ours.clear()
    assert ours.get("a:1") is None
    assert theirs.get("a:1") is None


def test_a_gap_on_the_backplane_empties_memory(clock: ManualClock) -> None:
    line, _ = lines()
    cache = make(clock, backplane=line)
    cache.set("a", 1)
    line.cut = True
    assert cache.get("a") is None
    assert cache.stats().gaps == 1


def test_a_replaced_value_reaches_the_others(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    one, two = lines()
    ours, theirs = make(clock, shelf, backplane=one), make(clock, shelf, backplane=two)
    ours.set("a", 1)
    ours.flush(20)
    assert theirs.get("a") == 1
    ours.set("a", 2)
    ours.flush(20)
    assert theirs.get("a") == 2


def test_a_broken_tier_is_never_seen_by_the_caller(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    shelf.broken = True
    cache = make(clock, shelf)
    cache.set("a", 1)
    assert cache.get("a") == 1
    assert cache.get_or_set("b", Counter(2)) == 2
    cache.invalidate(tags=["x"], pattern="b*")
    cache.clear()
    assert cache.flush(20)
    assert cache.stats().errors > 3


def test_what_no_codec_holds_stays_in_memory(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    cache = make(clock, shelf)
    cache.set("a", threading.Lock())
    assert cache.flush(20)
    assert cache.get("a") is not None
    assert shelf.held == {}
    assert cache.stats().unencodable == 1


def test_garbage_in_a_tier_is_a_miss(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    cache = make(clock, shelf)
    cache.set("a", 1)
    cache.flush(20)
    held, at, tags, marks = shelf.held["default:1:a"]
    shelf.held["default:1:a"] = (Held(b"garbage" + held.data, 300, 300), at, tags, marks)
    fresh = make(clock, shelf)
    assert fresh.get_or_set("a", Counter(2)) == 2
    assert sum(sum(tier.refused.values()) for tier in fresh.stats().tiers) == 1


def test_an_entry_larger_than_memory_is_returned(clock: ManualClock) -> None:
    cache = Cache(memory=MemoryTier(10_000, clock), clock=clock)
    assert cache.get_or_set("a", lambda: b"x" * 20_000) == b"x" * 20_000
    assert cache.get("a") is None
    assert cache.stats().uncacheable == 1


def test_five_thousand_keys_with_jitter_do_not_expire_together(clock: ManualClock) -> None:
    cache = make(clock, defaults=EntryOptions(ttl=100, jitter=0.5))
    keys = [f"k{number}" for number in range(5_000)]
    cache.set_many(dict.fromkeys(keys, 1))
    left = [len(cache.get_many(keys))]
    for _ in range(5):
        clock.move(20)
        left.append(len(cache.get_many(keys)))
    assert left[0] == left[1] == left[2] == 5_000
    assert 3_500 < left[3] < 4_500  # 40 to 60 of 100 seconds: a fifth of them.
    assert left[5] == 0


def test_five_thousand_keys_that_expire_together_load_once_each(clock: ManualClock) -> None:
    cache = make(clock)
    factories = {f"k{number}": Counter() for number in range(5_000)}
    for key, factory in factories.items():
        cache.get_or_set(key, factory, ttl=10)
    clock.move(10)

    def ask() -> None:
        for key, factory in factories.items():
            cache.get_or_set(key, factory, ttl=10)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {factory.runs for factory in factories.values()} == {2}
    stats = cache.stats()
    assert stats.loads == 10_000
    assert stats.answered + stats.misses == 25_000
    books(stats)


def test_expire_keeps_a_stale_copy(cache: Cache) -> None:
    cache.set("a", 1, ttl=100, stale_ttl=50)
    assert cache.expire("a")
    assert cache.get("a") is None
    assert cache.get_or_set("a", Counter(ValueError()), fail_safe=True) == 1


def test_a_value_that_uses_the_cache_as_it_dies(clock: ManualClock) -> None:
    cache = Cache(memory=MemoryTier(20_000, clock), clock=clock)
    died: list[object] = []

    class Mortal:
        def __del__(self) -> None:
            cache.set("died", len(died))
            died.append(cache.get_or_set("made", lambda: 1))

    for number in range(40):
        cache.set(f"k{number}", [Mortal(), b"x" * 500], copy=False)
    cache.clear()
    gc.collect()
    assert len(died) == 40


def test_warm_loads_what_is_missing(cache: Cache) -> None:
    cache.set("a", 1)
    failing = Counter(ValueError())
    assert cache.warm([("a", Counter()), ("b", Counter(2)), ("c", failing)], concurrency=2) == 2
    assert cache.get("b") == 2


def test_pickle_needs_a_secret_and_a_switch(clock: ManualClock) -> None:
    with pytest.raises(CacheError, match="allow_pickle"):
        make(clock).set("a", 1, codec="pickle")
    with pytest.raises(CacheError, match="needs a secret"):
        make(clock, allow_pickle=True)


@pytest.mark.parametrize("name", ["", "a:b", "a*"])
def test_a_namespace_is_a_word(clock: ManualClock, name: str) -> None:
    with pytest.raises(CacheError):
        make(clock, namespace=name)


def test_close_writes_what_waits_and_closes_the_tiers(clock: ManualClock) -> None:
    shelf = Shelf(clock)
    cache = make(clock, shelf)
    cache.set("a", 1)
    cache.close(20)
    assert shelf.closed
    assert list(shelf.held) == ["default:1:a"]
    cache.set("b", 2)
    assert cache.get("b") == 2
    assert cache.stats().dropped == 1


def test_a_broken_backplane_is_logged_once_and_every_time_counted(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Line):
        def changed(self) -> bool:
            return True

        def heard(self) -> list[Said] | None:
            raise OSError(f"gone for {clock.monotonic()} s")

    cache = make(clock, backplane=Broken())
    for _ in range(3):
        clock.move(1.0)
        assert cache.get("a", 7) == 7
    assert len([one for one in caplog.records if one.name == "perf.cache.stats"]) == 1
    assert cache.stats().errors >= 3


def test_what_a_failure_has_no_words_for_is_told_by_its_type(clock: ManualClock) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError("no text")

    shelf = Shelf(clock)
    shelf.lock = lambda key, lease: b"token"  # type: ignore[attr-defined]
    turns = Turns(shelf, None, lambda tier, call: call())
    turns.failed("a", Mute())
    assert turns.failure("a", 10.0) == "Mute: (TypeError in its text)"
    turns.failed("a", ValueError("half \ud800 a letter"))
    assert turns.failure("a", 10.0) == "ValueError: half ? a letter"
