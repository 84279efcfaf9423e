"""A guarded tier: never raises, rests while it is broken, and hears every invalidation before it answers again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from perf.cache import guarded as module
from perf.cache.breaker import Breaker, BreakerState
from perf.cache.guarded import NO_FENCE, NO_LOCK, Guarded
from perf.cache.options import EntryOptions
from perf.clock import ManualClock
from perf.errors import TierError
from perf.model import Held, TierUsage
from tests.services import eventually, forked

VALUE = Held(b"v", 10.0, 20.0)
PATIENT = EntryOptions(tier_hard_timeout=None)
"""No call is slow, however long a test is held up in it."""


@pytest.fixture(autouse=True)
def _only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread catches up in the middle of a test that is held up."""
    monkeypatch.setattr(module, "CATCH_UP_SECONDS", 3600.0)


class DictTier:
    """A tier in a dict, which can be broken; *log* says what reached it while it worked."""

    name = "dict"

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.log: list[tuple[str, ...]] = []
        self.broken = ""
        self.calls = 0
        self.gate: threading.Event | None = None

    def _enter(self, *what: str) -> None:
        self.calls += 1
        if self.gate is not None:
            self.gate.wait(20.0)
        if self.broken:
            raise TierError("broken", kind=self.broken)
        self.log.append(what)

    def read(self, key: str) -> Held | None:
        self._enter("read", key)
        return self.held.get(key)

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        self._enter("write", key)
        self.held[key] = held
        return True

    def fence(self, names: Sequence[str]) -> bytes:
        self._enter("fence", *names)
        return b"fence"

    def invalidate(self, names: Sequence[str]) -> None:
        self._enter("invalidate", *names)
        for name in names:
            self.held.pop(name[2:], None)

    def clear(self) -> None:
        self._enter("clear")
        self.held.clear()

    def usage(self) -> TierUsage:
        self._enter("usage")
        return TierUsage(name=self.name, entries=len(self.held), bytes=0, bound=0)

    def close(self) -> None:
        self.log.append(("close",))


@contextmanager
def guarding(tier: DictTier, clock: ManualClock, failures: int = 5) -> Iterator[Guarded]:
    guarded = Guarded(tier, Breaker(clock, failures=failures), clock, PATIENT)
    try:
        yield guarded
    finally:
        tier.broken = ""
        guarded.close()


def test_passes_everything_on_while_it_works() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        assert guarded.write("a", VALUE, (), None)
        assert guarded.read("a") == VALUE
        assert guarded.fence(["k:a"]) == b"fence"
        guarded.invalidate(["k:a"])
        assert guarded.read("a") is None
        guarded.clear()
        assert guarded.usage().state == ""
    assert tier.log[-1] == ("close",)


def test_a_broken_tier_costs_no_exception() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        tier.broken = "refused"
        assert guarded.read("a") is None
        assert guarded.write("a", VALUE, (), b"fence") is False
        assert guarded.fence(["k:a"]) == NO_FENCE
        assert guarded.usage().entries == 0
        assert guarded.counts().errors == {"refused": 4}


def test_open_it_is_left_alone() -> None:
    tier, clock = DictTier(), ManualClock()
    with guarding(tier, clock, failures=1) as guarded:
        tier.broken = "refused"
        guarded.read("a")
        before = tier.calls
        for _ in range(100):
            guarded.read("a")
        assert tier.calls == before
        assert guarded.usage().state == "open"
        assert guarded.counts().skipped == 101
        tier.broken = ""
        clock.move(5.0)
        guarded.read("a")
        assert guarded.counts().state is BreakerState.CLOSED


def test_one_timeout_opens_it() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        tier.broken = "timeout"
        guarded.read("a")
        guarded.read("a")
        assert tier.calls == 1
        assert guarded.counts().timeouts == 1


@pytest.mark.parametrize("replaces", [False, True])
def test_a_fence_that_could_not_be_taken_refuses_the_write(replaces: bool) -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        tier.broken = "refused"
        fence = guarded.fence(["k:a"])
        tier.broken = ""
        assert not guarded.write("a", VALUE, (), fence, replaces=replaces)
        assert tier.held == {}


def test_a_missed_invalidation_comes_before_any_answer() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        guarded.write("a", VALUE, (), None)
        tier.broken = "refused"
        guarded.invalidate(["k:a", "t:x"])
        assert guarded.counts().waiting == 2
        tier.broken = ""
        assert guarded.read("a") is None
        assert tier.log.index(("invalidate", "k:a", "t:x")) < tier.log.index(("read", "a"))
        assert guarded.counts().waiting == 0


def test_a_plain_write_that_failed_takes_the_old_value_away() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        guarded.write("a", VALUE, (), None)
        tier.broken = "refused"
        assert not guarded.write("a", Held(b"new", 1.0, 1.0), (), None)
        tier.broken = ""
        assert guarded.read("a") is None


def test_a_missed_clear_is_made_up_for() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        guarded.write("a", VALUE, (), None)
        tier.broken = "refused"
        guarded.invalidate(["k:b"])
        guarded.clear()
        tier.broken = ""
        assert guarded.read("a") is None
        assert ("clear",) in tier.log


def test_too_many_missed_become_one_clear() -> None:
    tier, clock = DictTier(), ManualClock()
    with guarding(tier, clock, failures=1) as guarded:
        tier.broken = "refused"
        for number in range(10_001):
            guarded.invalidate([f"k:{number}"])
        assert (guarded.counts().waiting, guarded.counts().overflows) == (1, 1)
        assert (guarded.usage().waiting, guarded.usage().state) == (1, "open")
        tier.broken = ""
        clock.move(5.0)
        assert guarded.recover()
        assert tier.log == [("clear",)]


def test_nobody_is_answered_while_another_catches_up() -> None:
    tier = DictTier()
    with guarding(tier, ManualClock()) as guarded:
        tier.held["a"] = VALUE
        tier.broken = "refused"
        guarded.invalidate(["k:a"])
        tier.broken, tier.gate = "", threading.Event()
        before = tier.calls
        one = threading.Thread(target=guarded.recover)
        one.start()
        eventually(lambda: tier.calls > before)
        assert guarded.read("a") is None
        tier.gate.set()
        one.join()
        assert guarded.read("a") is None
        assert ("invalidate", "k:a") in tier.log


def test_it_catches_up_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CATCH_UP_SECONDS", 0.05)
    tier, clock = DictTier(), ManualClock()
    with guarding(tier, clock, failures=1) as guarded:
        tier.broken = "refused"
        guarded.invalidate(["k:a"])
        tier.broken = ""
        clock.move(5.0)
        eventually(lambda: ("invalidate", "k:a") in tier.log)


def test_a_child_born_while_another_thread_catches_up_still_answers() -> None:
    tier, clock = DictTier(), ManualClock()
    with guarding(tier, clock) as guarded:
        tier.broken = "refused"
        guarded.invalidate(["k:a"])
        tier.broken, tier.gate = "", threading.Event()
        before = tier.calls
        one = threading.Thread(target=guarded.recover)
        one.start()
        eventually(lambda: tier.calls > before)

        def work() -> bool:
            tier.gate = None
            tier.held["b"] = VALUE
            return guarded.read("b") == VALUE and ("invalidate", "k:a") in tier.log

        child = forked(work)
        tier.gate.set()
        one.join()
        assert os.waitpid(child, 0)[1] == 0


def test_a_tier_without_locks_has_none_to_give() -> None:
    with guarding(DictTier(), ManualClock()) as guarded:
        assert guarded.lock("a", 1.0) == NO_LOCK
        guarded.unlock("a", NO_LOCK)


@pytest.mark.parametrize("kind", ["refused", "timeout"])
def test_closing_tries_once_more(kind: str) -> None:
    tier, clock = DictTier(), ManualClock()
    guarded = Guarded(tier, Breaker(clock), clock, PATIENT)
    tier.broken = kind
    guarded.invalidate(["k:a"])
    clock.move(5.0)
    tier.broken = ""
    guarded.close()
    assert tier.log == [("invalidate", "k:a"), ("close",)]
