"""The backplane of one host: a ring in a mapped file."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from perf.cache.backplane.host import HEAD, MAGIC, RESERVED, START, HostBackplane
from perf.model import Said
from tests.services import forked
from tests.unit.cache.interruption import everywhere


def names(said: list[Said] | None) -> list[str] | None:
    return None if said is None else [name for one in said for name in one.names]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "backplane"


def test_the_others_hear_what_one_says(path: Path) -> None:
    one, other, third = (HostBackplane(path) for _ in range(3))
    assert not other.changed()
    assert other.heard() == []
    one.announce(Said(("k:a", "t:b")))
    one.announce(Said(("*",)))
    assert other.changed()
    assert names(other.heard()) == ["k:a", "t:b", "*"]
    assert not other.changed()
    assert other.heard() == []
    assert names(third.heard()) == ["k:a", "t:b", "*"]
    assert one.heard() == []


def test_the_same_key_said_by_two_is_heard_by_both(path: Path) -> None:
    one, other = HostBackplane(path), HostBackplane(path)
    one.announce(Said(("k:a",)))
    other.announce(Said(("k:a",)))
    assert names(one.heard()) == ["k:a"]
    assert names(other.heard()) == ["k:a"]


def test_who_comes_later_hears_nothing_old(path: Path) -> None:
    one = HostBackplane(path)
    one.announce(Said(("k:a",)))
    late = HostBackplane(path)
    assert not late.changed()
    assert late.heard() == []


def test_every_announcement_is_heard_across_the_end_of_the_ring(path: Path) -> None:
    one, other = HostBackplane(path, capacity=1_000), HostBackplane(path)
    said = [f"k:{number}-{'x' * (number % 90)}" for number in range(500)]
    for name in said:
        one.announce(Said((name,)))
        assert names(other.heard()) == [name]


def test_a_reader_that_was_lapped_knows_it(path: Path) -> None:
    one, other = HostBackplane(path, capacity=1_000), HostBackplane(path)
    for number in range(100):
        one.announce(Said((f"k:{number}",)))
    assert other.heard() is None
    one.announce(Said(("k:new",)))
    assert names(other.heard()) == ["k:new"]


def test_an_announcement_too_long_for_the_ring_means_everything(path: Path) -> None:
    one, other = HostBackplane(path, capacity=1_000), HostBackplane(path)
    one.announce(Said(tuple(f"k:{number}" for number in range(1_000))))
    assert names(other.heard()) == ["*"]


def test_a_writer_that_died_half_way_leaves_it_readable(path: Path) -> None:
    one, other, slow = (HostBackplane(path, capacity=1_000) for _ in range(3))
    one.announce(Said(("k:a",)))
    assert names(other.heard()) == ["k:a"]
    # What a writer does before it publishes: it says how far it will write, and writes.
    words, ring = one._words, one._map
    words[RESERVED] = words[HEAD] + 900
    for place in range(words[HEAD], words[HEAD] + 5):
        ring[START + place % 1_000] = ord("x")
    assert other.heard() == []
    one.announce(Said(("k:b",)))
    assert names(other.heard()) == ["k:b"]
    assert names(slow.heard()) == ["k:a", "k:b"]


def test_damaged_records_mean_that_something_was_missed(path: Path) -> None:
    one, other = HostBackplane(path), HostBackplane(path)
    begin = one._words[HEAD]
    one.announce(Said(("k:a",)))
    one._map[START + (begin + 20) % one._capacity] ^= 0xFF
    assert other.heard() is None
    one.announce(Said(("k:b",)))
    assert names(other.heard()) == ["k:b"]


@pytest.mark.parametrize("content", [b"", b"not a ring", MAGIC + (10**9).to_bytes(8, "little")])
def test_a_file_of_another_kind_is_made_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    one, other = HostBackplane(path), HostBackplane(path)
    one.announce(Said(("k:a",)))
    assert names(other.heard()) == ["k:a"]
    assert path.stat().st_mode & 0o777 in (0o600, 0o644)


@pytest.mark.parametrize("announced", [False, True], ids=["never announced", "announced before"])
@pytest.mark.parametrize("gone", [Path.unlink, lambda path: shutil.rmtree(path.parent)], ids=["file", "folder"])
def test_a_deleted_file_is_noticed_by_who_announces(path: Path, gone: Callable[[Path], None], announced: bool) -> None:
    one = HostBackplane(path)
    if announced:
        one.announce(Said(("k:before",)))
    gone(path)
    one.announce(Said(("k:a",)))
    assert one.changed()
    assert one.heard() is None
    other = HostBackplane(path)
    one.announce(Said(("k:b",)))
    assert names(other.heard()) == ["k:b"]


def test_what_a_frozen_writer_holds_up_is_said_later(path: Path) -> None:
    one, other = HostBackplane(path), HostBackplane(path)
    frozen = os.open(path, os.O_RDWR)
    fcntl.flock(frozen, fcntl.LOCK_EX)
    one.announce(Said(("k:a",)))
    assert not other.changed()
    assert one.changed()
    os.close(frozen)
    assert one.heard() == []
    assert names(other.heard()) == ["*"]
    assert not one.changed()
    assert one.errors == 1


def test_a_child_hears_its_parent_and_is_heard(path: Path) -> None:
    one = HostBackplane(path)

    def work() -> bool:
        one.announce(Said(("k:child",)))
        return True

    assert os.waitpid(forked(work), 0)[1] == 0
    assert names(one.heard()) == ["k:child"]


def test_a_child_keeps_no_lock_of_a_parent_that_dies(path: Path) -> None:
    one, other = HostBackplane(path), HostBackplane(path)
    one.announce(Said(("k:a",)))
    fcntl.flock(one._locks[0], fcntl.LOCK_EX)  # As if it were in the middle of a write.
    read, write = os.pipe()
    born, tell = os.pipe()
    child = forked(lambda: os.write(tell, b"x") == 1 and os.read(read, 1) == b"x")
    assert os.read(born, 1) == b"x"  # Until it runs it has what its parent had.
    one.close()
    other.announce(Said(("k:b",)))
    assert other.errors == 0
    os.write(write, b"x")
    assert os.waitpid(child, 0)[1] == 0
    for end in (read, write, born, tell):
        os.close(end)


def test_what_a_finalizer_says_at_any_moment_of_an_announcement_is_heard(path: Path) -> None:
    one, other = HostBackplane(path), HostBackplane(path)
    said: set[str] = set()

    def say(name: str) -> None:
        said.add(name)
        one.announce(Said((name,)))

    def begin() -> tuple[Callable[[], object], Callable[[], object], Callable[[], bool]]:
        said.clear()
        return lambda: say("k:outer"), lambda: say("k:inner"), lambda: True

    for at, _ in everywhere("backplane/host.py", begin):
        assert one.heard() == []
        heard = names(other.heard())
        assert heard is not None
        assert "*" in heard or said == set(heard), f"before instruction {at}: {heard}"


def test_after_closing_it_still_answers(path: Path) -> None:
    one = HostBackplane(path)
    one.close()
    assert not one.changed()
    assert one.heard() == []
