"""Who asks after a change was acknowledged never gets what was before it, whatever overtakes the change on its way to the tiers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from perf.cache import Cache, MemoryTier
from perf.cache.recovery import Recovery
from perf.cache.tiers.file import FileTier
from perf.clock import ManualClock, SystemClock
from perf.errors import TierError
from perf.model import Held, Said
from tests.unit.cache.interruption import everywhere
from tests.unit.cache.test_cache import Line, lines

MIB = 2**20
KEY = "group:a"
Hook = Callable[[str], None]


def nothing(_: str) -> None:
    """What happens before a call of a tier, most of the time."""


class Hooked(FileTier):
    """Files; *hook* is told of each call before it is made, and of what is read afterwards, too ("found")."""

    def __init__(self, folder: Path, name: str = "file", clock: Any = None) -> None:  # Any: a manual or a system clock
        super().__init__(folder, 64 * MIB, clock or SystemClock())
        self.name = name
        self.hook: Hook = nothing

    def read(self, key: str) -> Held | None:
        self.hook("read")
        found = super().read(key)
        self.hook("found")
        return found

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        self.hook("write")
        return super().write(key, held, tags, fence, replaces=replaces)

    def fence(self, names: Sequence[str]) -> bytes:
        self.hook("fence")
        return super().fence(names)

    def invalidate(self, names: Sequence[str]) -> None:
        self.hook("invalidate")
        super().invalidate(names)


class Pair:
    """Two caches as of two processes: they share a near and a far tier, and a backplane."""

    def __init__(self, folder: Path, clock: Any = None) -> None:  # Any: as above
        self.clock = clock or SystemClock()
        self.lines = lines()
        self.tiers = [(Hooked(folder / "near", "near", clock), Hooked(folder / "far", "far", clock)) for _ in range(2)]
        self.caches = [
            Cache(memory=MemoryTier(MIB, self.clock), outer=tiers, clock=self.clock, backplane=line)
            for tiers, line in zip(self.tiers, self.lines, strict=True)
        ]

    @property
    def line(self) -> Line:
        return self.lines[0]

    def seen(self, which: int = 0) -> object:
        """What the tiers have under the key for one of the caches."""
        assert all(cache.flush(20) for cache in self.caches)
        cache = self.caches[which]
        cache.local.memory.remove(cache.names.key(KEY))
        return cache.get(KEY)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    for tiers in made.tiers:
        for tier in tiers:
            tier.hook = nothing
    for cache in made.caches:
        cache.close()


def holding(pair: Pair) -> threading.Event:
    """Keep the writer of the first cache busy until the event that is returned is set."""
    busy, go = threading.Event(), threading.Event()

    def wait(_: str) -> None:
        pair.tiers[0][0].hook = pair.tiers[0][1].hook = nothing
        busy.set()
        assert go.wait(20)

    pair.caches[0].set("other", 0)
    assert pair.caches[0].flush(20)
    pair.tiers[0][0].hook = pair.tiers[0][1].hook = lambda call: wait(call) if call == "write" else None
    pair.caches[0].set("other", 1)
    assert busy.wait(20)
    return go


STEPS = ["near fence", "far fence", "far write", "near write"]
"""Calls of tiers in a set, in their order."""
NEWS = [["k:default:1:group:a"], ["*"], ["p:default:1:group:*"], ["t:default:tag"], None]
NEWS_IDS = ["key", "everything", "pattern", "tag", "gap"]


def tell(line: Line, names: list[str] | None) -> None:
    """Let the cache at *line* hear that *names* are invalid, which no tier has heard; None: that something was missed."""
    if names is None:
        line.cut = True
    else:
        line.waiting.append(Said(tuple(names)))


@pytest.mark.parametrize("names", NEWS, ids=NEWS_IDS)
def test_news_that_overtake_a_set_bring_nothing_older_back(pair: Pair, names: list[str] | None) -> None:
    cache = pair.caches[0]
    cache.set(KEY, "old")
    assert cache.flush(20)
    go = holding(pair)
    cache.set(KEY, "new", tags=["tag"])
    tell(pair.line, names)
    assert cache.get(KEY) is None
    go.set()
    assert pair.seen() is None


def telling(pair: Pair, names: list[str] | None) -> Hook:
    """A hook of the near tier of the first cache that tells of *names* at its next call, which is the first of a set."""

    def tell_once(_: str) -> None:
        pair.tiers[0][0].hook = nothing
        tell(pair.line, names)

    return tell_once


@pytest.mark.parametrize("names", NEWS, ids=NEWS_IDS)
def test_news_heard_in_a_set_before_it_is_written_bring_nothing_older_back(pair: Pair, names: list[str] | None) -> None:
    cache, (near, _) = pair.caches[0], pair.tiers[0]
    cache.set(KEY, "old")
    assert cache.flush(20)
    go = holding(pair)
    near.hook = telling(pair, names)
    cache.set(KEY, "new", tags=["tag"])
    assert not pair.line.changed()
    assert cache.get(KEY) is None
    go.set()
    assert pair.seen() is None


@pytest.mark.parametrize("names", NEWS, ids=NEWS_IDS)
def test_news_heard_in_a_set_after_it_was_written_leave_it_in_the_last_tier(
    pair: Pair, names: list[str] | None
) -> None:
    """Who tells had that tier invalidate before: it would have refused the value, were it the older one."""
    cache, (near, far), full = pair.caches[0], pair.tiers[0], pair.caches[0].names.key(KEY)
    cache.set(KEY, "old")
    assert cache.flush(20)
    heard, waited = pair.line.heard, []

    def late() -> list[Said] | None:
        waited.append(cache.flush(20))
        return heard()

    pair.line.heard = late  # type: ignore[method-assign]  # the line is ours, the order too
    near.hook = telling(pair, names)
    cache.set(KEY, "new", tags=["tag"])
    assert waited == [True]
    assert cache.peek(KEY) is None
    assert near.read(full) is None
    assert far.read(full) is not None
    assert pair.seen() == "new"


def test_news_of_a_tag_heard_in_a_set_let_no_load_that_began_before_it_in(pair: Pair) -> None:
    cache, (near, _) = pair.caches[0], pair.tiers[0]

    def factory() -> str:
        near.hook = telling(pair, ["t:default:tag"])
        cache.set(KEY, "new", tags=["tag"])
        return "loaded"

    assert cache.get_or_set(KEY, factory) == "loaded"
    assert cache.peek(KEY) is None
    assert pair.seen() in ("new", None)


def test_a_set_with_a_tag_that_is_invalidated_takes_nothing_newer_away(pair: Pair) -> None:
    cache, (near, _) = pair.caches[0], pair.tiers[0]

    def another(_: str) -> None:
        near.hook = nothing
        cache.set(KEY, "second")
        cache.invalidate(tags=["tag"])

    near.hook = another
    cache.set(KEY, "first", tags=["tag"])
    held = cache.peek(KEY)
    assert held is not None
    assert held.value == "second"
    assert pair.seen() == "second"


def test_what_is_loaded_after_news_replaces_what_the_set_was_to_replace(pair: Pair) -> None:
    cache = pair.caches[0]
    pair.caches[1].set(KEY, "old")
    assert pair.caches[1].flush(20)
    go = holding(pair)
    cache.set(KEY, "new")
    tell(pair.line, ["*"])
    unencodable = threading.Lock()
    assert cache.get_or_set(KEY, lambda: unencodable) is unencodable
    pair.lines[1].waiting.clear()
    go.set()
    assert pair.seen() is None
    assert [name for said in pair.lines[1].waiting for name in said.names].count("k:default:1:group:a") == 1


@pytest.mark.parametrize("way", ["delete", "pattern", "clear", "another process"])
@pytest.mark.parametrize("step", range(2), ids=["far write", "near write"])
def test_an_invalidation_at_any_step_of_a_write_is_not_overtaken(pair: Pair, step: int, way: str) -> None:
    (cache, other), calls = pair.caches, []
    cache.set(KEY, "old")
    assert cache.flush(20)
    forget = {
        "delete": lambda: cache.delete(KEY),
        "pattern": lambda: cache.invalidate(pattern="group:*"),
        "clear": cache.clear,
        "another process": lambda: other.delete(KEY),
    }[way]

    def hook(call: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            calls.append(call)
            if len(calls) == step + 1:
                for tier in pair.tiers[0]:
                    tier.hook = nothing
                forget()

    for tier in pair.tiers[0]:
        tier.hook = hook
    cache.set(KEY, "new")
    assert cache.flush(20)
    assert len(calls) == step + 1
    assert pair.seen() is None
    assert pair.seen(1) is None


@pytest.mark.parametrize("step", range(4), ids=STEPS)
def test_another_process_copies_nothing_back_at_any_step_of_a_set(pair: Pair, step: int) -> None:
    """The other finds nothing near before the set, takes its fence and looks far at a step of it, and copies when it is done."""
    (cache, other), (near, _), calls = pair.caches, pair.tiers[0], []
    cache.set(KEY, "old")
    assert cache.flush(20)
    near.invalidate([f"k:{cache.names.key(KEY)}"])
    missed, go, done = threading.Event(), threading.Event(), threading.Event()

    def of_reader(call: str) -> None:
        if call == "fence":
            missed.set()
            assert go.wait(20)
        elif call == "write":
            assert done.wait(20)

    def of_setter(call: str) -> None:
        calls.append(call)
        if len(calls) == step + 1:
            go.set()
            reader.join(20)

    pair.tiers[1][0].hook = of_reader
    reader = threading.Thread(target=lambda: other.get(KEY))
    reader.start()
    assert missed.wait(20)
    for tier in pair.tiers[0]:
        tier.hook = of_setter
    cache.set(KEY, "new")
    assert cache.flush(20)
    for tier in pair.tiers[0]:
        tier.hook = nothing
    assert calls == ["fence", "fence", "write", "write"]
    reader.join(20)
    done.set()
    assert pair.seen() in ("new", None)
    assert pair.seen(1) in ("new", None)


@pytest.mark.parametrize("step", range(4), ids=STEPS)
def test_who_read_the_tiers_at_any_step_of_a_set_does_not_put_back_what_they_found(pair: Pair, step: int) -> None:
    cache, (near, far), calls = pair.caches[0], pair.tiers[0], []
    cache.set(KEY, "old")
    assert cache.flush(20)
    cache.local.memory.remove(cache.names.key(KEY))
    found, go = threading.Event(), threading.Event()

    def read() -> None:
        cache.get_or_set(KEY, lambda: "loaded")
        found.set()

    def of_reader(call: str) -> None:
        if call == "found" and threading.current_thread() is reader:
            found.set()
            assert go.wait(20)

    def of_setter(call: str) -> None:
        if threading.current_thread() is not reader:
            calls.append(call)
            if len(calls) == step + 1:
                near.hook = far.hook = of_reader
                reader.start()
                assert found.wait(20)

    reader = threading.Thread(target=read)
    near.hook = far.hook = of_setter
    cache.set(KEY, "new")
    assert cache.flush(20)
    near.hook = far.hook = nothing
    go.set()
    assert len(calls) == step + 1
    reader.join(20)
    assert cache.get(KEY) == "new"
    assert pair.seen() in ("new", None)


def test_what_was_set_counts_while_another_set_begins(pair: Pair) -> None:
    cache, (near, far) = pair.caches[0], pair.tiers[0]
    cache.set(KEY, "old")
    assert cache.flush(20)
    go = holding(pair)
    cache.set(KEY, "first")
    seen = []

    def begin(_: str) -> None:
        near.hook = far.hook = nothing
        go.set()
        seen.append(pair.seen())

    near.hook = begin
    cache.set(KEY, "second")
    assert seen == ["first"]
    assert cache.get(KEY) == "second"
    assert pair.seen() in ("second", None)


def test_sets_of_one_key_at_the_same_time_leave_one_of_them(pair: Pair) -> None:
    cache, (near, _) = pair.caches[0], pair.tiers[0]

    def another(_: str) -> None:
        near.hook = nothing
        cache.set(KEY, "second")

    near.hook = another
    cache.set(KEY, "first")
    assert cache.get(KEY) == "second"
    assert pair.seen() == "second"


def test_what_cannot_be_kept_leaves_nothing_older_in_memory() -> None:
    class Shy:
        """It can be neither copied nor measured."""

        def __getattribute__(self, name: str) -> object:
            raise RuntimeError("leave me alone")

    cache = Cache(memory=MemoryTier(MIB, SystemClock()))
    cache.set(KEY, "old")
    cache.set(KEY, Shy())
    assert cache.get(KEY) is None


def test_a_refresh_that_cannot_be_stored_leaves_nothing_older(pair: Pair) -> None:
    cache = pair.caches[0]
    cache.set(KEY, "old")
    assert cache.flush(20)
    unencodable = threading.Lock()
    assert cache.loader.renew(cache.request(KEY, {}), lambda: unencodable) is unencodable
    assert pair.seen() is None


@pytest.mark.parametrize("names", [["*"], None], ids=["everything", "gap"])
def test_a_refresh_overtaken_by_news_leaves_nothing_older(pair: Pair, names: list[str] | None) -> None:
    cache = pair.caches[0]
    cache.set(KEY, "old")
    assert cache.flush(20)

    def factory() -> str:
        tell(pair.line, names)
        cache.get("other")  # Any question lets the cache hear.
        return "new"

    assert cache.loader.renew(cache.request(KEY, {}), factory) == "new"
    assert pair.seen() is None


def test_a_folder_that_could_not_be_opened_hears_what_it_missed(tmp_path: Path) -> None:
    clock = ManualClock()
    writer = FileTier(tmp_path / "cache", MIB, clock)
    assert writer.write("key", Held(b"old", 1e6, 1e6), (), None)
    writer.close()
    (tmp_path / "cache").rename(tmp_path / "away")
    (tmp_path / "cache").touch()
    tier = FileTier(tmp_path / "cache", MIB, clock)
    with pytest.raises(TierError):
        tier.invalidate(["k:key"])
    with pytest.raises(TierError):
        tier.invalidate(["k:key"])  # It isn't even tried.
    (tmp_path / "cache").unlink()
    (tmp_path / "away").rename(tmp_path / "cache")
    clock.move(60)
    assert tier.read("key") is None
    assert tier.write("key", Held(b"new", 1e6, 1e6), (), None)
    tier.close()


def test_a_folder_that_opens_late_keeps_what_it_has(tmp_path: Path) -> None:
    writer, reader = (FileTier(tmp_path, MIB, SystemClock()) for _ in range(2))
    assert writer.write("key", Held(b"held", 60.0, 60.0), (), None)
    reader.invalidate(["k:other"])
    held = reader.read("key")
    assert held is not None
    assert held.data == b"held"


@pytest.mark.parametrize("ask", [lambda owed: owed.covers("a"), lambda owed: len(owed) > 0], ids=["covers", "len"])
def test_a_name_is_owed_at_every_step_of_a_delivery_that_fails(ask: Callable[[Recovery], bool]) -> None:
    """Between any two instructions of one who asks, another thread may try to deliver what waits, fail and add it again."""

    def begin() -> tuple[Callable[[], object], Callable[[], object], Callable[[], bool]]:
        owed = Recovery()
        owed.add(["k:a"])
        taken = owed.take()

        def fail() -> None:
            owed.add(taken)
            owed.done()

        return lambda: ask(owed), fail, lambda: not owed._lock.locked()

    for at, answer in everywhere("recovery.py", begin):
        assert answer, f"before instruction {at}"
