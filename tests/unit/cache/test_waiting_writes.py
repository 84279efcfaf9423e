"""What was set counts at once, whatever the outer tiers still have to hear of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from perf.cache import Cache, MemoryTier
from perf.cache.breaker import Breaker
from perf.cache.guarded import Guarded
from perf.cache.options import EntryOptions
from perf.cache.tiers.file import FileTier
from perf.clock import ManualClock, SystemClock
from perf.errors import TierError
from perf.model import Held

MIB = 2**20


class Gated(FileTier):
    """Files whose writes and reads wait at a gate, or fail."""

    def __init__(self, folder: Path, clock: Any, name: str = "file") -> None:  # Any: a manual or a system clock
        super().__init__(folder, 64 * MIB, clock)
        self.name = name
        self.writing, self.reading = threading.Event(), threading.Event()
        self.writing.set()
        self.reading.set()
        self.at_gate = threading.Event()
        self.fails = False

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        if not self.writing.is_set():
            self.at_gate.set()
        assert self.writing.wait(20)
        return super().write(key, held, tags, fence, replaces=replaces)

    def read(self, key: str) -> Held | None:
        found = super().read(key)
        if not self.reading.is_set():
            self.at_gate.set()
        assert self.reading.wait(20)
        return found

    def invalidate(self, names: Sequence[str]) -> None:
        if self.fails:
            raise TierError("away")
        super().invalidate(names)


@pytest.fixture
def files(tmp_path: Path) -> Gated:
    return Gated(tmp_path / "files", SystemClock())


@pytest.fixture
def cache(files: Gated) -> Iterator[Cache]:
    made = Cache(memory=MemoryTier(MIB, SystemClock()), outer=[files])
    yield made
    files.writing.set()
    files.reading.set()
    made.close()


def evicted(cache: Cache, key: str = "a") -> None:
    cache.local.memory.remove(cache.names.key(key))


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_a_value_that_waits_to_be_written_is_read_when_memory_let_go_of_it(cache: Cache, files: Gated) -> None:
    cache.set("a", 1)
    assert cache.flush(20)
    files.writing.clear()
    cache.set("a", 2)
    for ask in (lambda: cache.get("a"), lambda: cache.get_or_set("a", lambda: 3)):
        evicted(cache)
        assert ask() == 2
    evicted(cache)
    cache.delete("a")
    assert cache.get("a") is None


def test_a_loaded_value_is_not_loaded_again_while_it_waits(cache: Cache, files: Gated) -> None:
    files.writing.clear()
    assert cache.get_or_set("a", lambda: 1, tags=["t"]) == 1
    evicted(cache)
    assert cache.get_or_set("a", lambda: 2, tags=["t"]) == 1
    cache.invalidate(tags=["t"])
    assert cache.get_or_set("a", lambda: 3, tags=["t"]) == 3


def test_a_value_that_expired_while_it_waited_still_replaces(tmp_path: Path) -> None:
    clock = ManualClock()
    files = Gated(tmp_path, clock)
    cache = Cache(memory=MemoryTier(MIB, clock), outer=[files], clock=clock)
    cache.set("a", "old", ttl=1_000)
    assert cache.flush(20)
    files.writing.clear()
    cache.set("b", "holds up")
    assert files.at_gate.wait(20)
    cache.set("a", "new", ttl=5)
    clock.move(6)
    files.writing.set()
    assert cache.flush(20)
    assert cache.get("a") is None
    cache.close()


def test_what_is_undone_at_the_end_leaves_nothing_older(tmp_path: Path, cache: Cache, files: Gated) -> None:
    cache.set("a", "old")
    assert cache.flush(20)
    files.writing.clear()
    cache.set("b", "holds up")
    assert files.at_gate.wait(20)
    cache.set("a", "new")
    cache.close(grace=0.01)
    other = Cache(memory=MemoryTier(MIB, SystemClock()), outer=[FileTier(tmp_path / "files", MIB, SystemClock())])
    assert other.get("a") is None
    other.close()


def test_values_that_wait_are_bounded_in_bytes(cache: Cache, files: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("a", "old")
    assert cache.flush(20)
    monkeypatch.setattr(cache.outer.background, "_room", 3_000)
    files.writing.clear()
    cache.set("first", bytes(2_000))
    assert files.at_gate.wait(20)
    cache.set("second", bytes(2_000))
    cache.set("a", bytes(2_000))
    assert cache.stats().dropped == 1
    evicted(cache)
    assert cache.get("a") is None


def test_a_copy_between_tiers_does_not_overtake_what_was_set_meanwhile(tmp_path: Path) -> None:
    clock = SystemClock()
    near, far = Gated(tmp_path / "near", clock, "near"), Gated(tmp_path / "far", clock, "far")
    cache = Cache(memory=MemoryTier(MIB, clock), outer=[near, far])
    cache.set("a", "old")
    assert cache.flush(20)
    evicted(cache)
    near.invalidate([f"k:{cache.names.key('a')}"])
    far.reading.clear()
    reader = in_thread(lambda: cache.get("a"))
    assert far.at_gate.wait(20)
    cache.set("a", "new")
    assert cache.flush(20)
    far.reading.set()
    reader.join()
    assert cache.flush(20)
    evicted(cache)
    assert cache.get("a") == "new"
    cache.close()


def test_another_process_does_not_copy_back_what_was_replaced(tmp_path: Path) -> None:
    clock = SystemClock()

    def made() -> tuple[Cache, Gated, Gated]:
        near, far = Gated(tmp_path / "near", clock, "near"), Gated(tmp_path / "far", clock, "far")
        return Cache(memory=MemoryTier(MIB, clock), outer=[near, far]), near, far

    (cache, near, _), (other, _, far) = made(), made()
    cache.set("a", "old")
    assert cache.flush(20)
    near.invalidate([f"k:{cache.names.key('a')}"])
    far.reading.clear()
    reader = in_thread(lambda: other.get("a"))
    assert far.at_gate.wait(20)
    cache.set("a", "new")
    assert cache.flush(20)
    far.reading.set()
    reader.join()
    assert other.flush(20)
    evicted(cache)
    assert cache.get("a") == "new"
    cache.close()
    other.close()


def test_what_another_process_began_to_load_does_not_overtake_a_set(tmp_path: Path) -> None:
    clock = SystemClock()
    cache, other = (Cache(memory=MemoryTier(MIB, clock), outer=[FileTier(tmp_path, MIB, clock)]) for _ in range(2))
    begun, end = threading.Event(), threading.Event()

    def old() -> str:
        begun.set()
        assert end.wait(20)
        return "old"

    loader = in_thread(lambda: other.get_or_set("a", old))
    assert begun.wait(20)
    cache.set("a", "new")
    assert cache.flush(20)
    end.set()
    loader.join()
    assert other.flush(20)
    evicted(cache)
    assert cache.get("a") == "new"
    cache.close()
    other.close()


def test_others_cannot_bring_back_what_a_tier_has_not_heard_is_invalid(tmp_path: Path) -> None:
    """The near tier is shared; another process still finds the old value in the far one, and copies it."""
    clock = SystemClock()

    def made() -> tuple[Cache, Gated]:
        far = Gated(tmp_path / "far", clock, "far")
        guarded = Guarded(far, Breaker(clock, rest=0.01), clock, EntryOptions())
        near = FileTier(tmp_path / "near", MIB, clock)
        return Cache(memory=MemoryTier(MIB, clock), outer=[near, guarded]), far

    (cache, far), (other, _) = made(), made()
    cache.set("a", "old")
    assert cache.flush(20)
    far.fails = True
    cache.delete("a")
    assert other.get("a") == "old"
    assert other.flush(20)
    assert cache.get("a") is None
    far.fails = False
    guarded = cache.outer.tiers[1]
    assert isinstance(guarded, Guarded)
    deadline = threading.Event()
    while not guarded.recover():
        deadline.wait(0.01)
    assert cache.get("a") is None
    cache.close()
    other.close()
