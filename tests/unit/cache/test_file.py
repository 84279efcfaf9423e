"""What the file tier does about broken files, clocks, full disks and its bound."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from perf.cache.tiers.file import FileTier
from perf.clock import ManualClock
from perf.errors import TierError
from perf.model import Held

MIB = 2**20
FOREVER = float("inf")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tier(tmp_path: Path, clock: ManualClock) -> FileTier:
    return FileTier(tmp_path / "cache", MIB, clock)


def put(tier: FileTier, key: str, data: bytes = b"value", left: float = FOREVER) -> bool:
    return tier.write(key, Held(data, left, left), [], None)


def data(tier: FileTier, key: str) -> bytes | None:
    held = tier.read(key)
    return held.data if held is not None else None


def entries(root: Path) -> list[Path]:
    return sorted(root.glob("cache/??/*"))


def quarantined(root: Path) -> int:
    return len(list((root / "cache/quarantine").iterdir()))


def test_nothing_is_made_before_the_first_use(tier: FileTier, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    assert tier.read("key") is None
    assert (tmp_path / "cache").is_dir()


def test_only_the_user_may_look(tier: FileTier, tmp_path: Path) -> None:
    put(tier, "key")
    for path in (tmp_path / "cache").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("size", [5, 20_000])
def test_every_changed_byte_is_noticed(tmp_path: Path, clock: ManualClock, size: int) -> None:
    tier = FileTier(tmp_path / "cache", 64 * MIB, clock)
    put(tier, "key", b"x" * size)
    (path,) = entries(tmp_path)
    good = path.read_bytes()
    for place in [*range(120), len(good) // 2, len(good) - 1]:
        broken = bytearray(good)
        broken[place] ^= 1
        path.write_bytes(broken)
        assert tier.read("key") is None, place
        assert not path.exists()
    assert quarantined(tmp_path) == 16
    assert sum(tier.usage().evictions.values()) >= 120
    assert tier.usage().entries == 0


@pytest.mark.parametrize("size", [5, 20_000])
def test_a_file_of_another_length_is_corrupt(tier: FileTier, tmp_path: Path, size: int) -> None:
    for change in (lambda good: good[:-1], lambda good: good + b"x", lambda good: good[:60], lambda good: b""):
        put(tier, "key", b"x" * size)
        (path,) = entries(tmp_path)
        path.write_bytes(change(path.read_bytes()))
        assert tier.read("key") is None
    assert tier.usage().evictions == {"corrupt": 4}


def test_an_entry_under_another_key_is_foreign(tier: FileTier, tmp_path: Path) -> None:
    put(tier, "one")
    (path,) = entries(tmp_path)
    content = path.read_bytes()
    put(tier, "two")
    (other,) = set(entries(tmp_path)) - {path}
    other.write_bytes(content)
    assert tier.read("two") is None
    assert tier.usage().evictions == {"foreign": 1}
    assert data(tier, "one") == b"value"


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_is_no_file_is_moved_away_and_not_followed(tier: FileTier, tmp_path: Path, kind: str) -> None:
    put(tier, "key")
    (path,) = entries(tmp_path)
    outside = tmp_path / "outside"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(outside if kind == "link" else tmp_path / "missing")
    assert tier.read("key") is None
    assert tier.usage().evictions == {"corrupt" if kind == "pipe" else "foreign": 1}
    assert put(tier, "key", b"new")
    assert data(tier, "key") == b"new"
    assert outside.exists()


def test_a_folder_that_is_a_link_leads_nowhere(tier: FileTier, tmp_path: Path) -> None:
    put(tier, "key")
    (path,) = entries(tmp_path)
    outside = tmp_path / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)
    before = {one: one.read_bytes() for one in outside.iterdir()}
    tier.invalidate(["k:key"])
    put(tier, "key", b"new")
    tier.clear()
    assert {one: one.read_bytes() for one in outside.iterdir()} == before


def test_a_jump_of_the_wall_clock_changes_nothing(tier: FileTier, clock: ManualClock) -> None:
    put(tier, "key", left=100.0)
    for jump in (7200.0, -14400.0):
        clock.jump(jump)
        clock.move(10.0)
        assert data(tier, "key") == b"value"
    held = tier.read("key")
    assert held is not None
    assert held.fresh == held.stale == pytest.approx(80.0)
    clock.move(80.0)
    assert tier.read("key") is None
    assert tier.usage().evictions == {"expired": 1}


@pytest.mark.parametrize(("passed", "fresh"), [(30.0, 70.0), (-30.0, 100.0), (-3600.0, 0.0), (200.0, None)])
def test_after_a_restart_the_wall_clock_counts(tmp_path: Path, passed: float, fresh: float | None) -> None:
    before, after = ManualClock(), ManualClock(1_700_000_000.0 + passed)
    put(FileTier(tmp_path / "cache", MIB, before), "key", left=100.0)
    reader = FileTier(tmp_path / "cache", MIB, after)
    reader._boot = b"another boot id!"
    held = reader.read("key")
    assert (held.fresh if held is not None else None) == (fresh if fresh is None else pytest.approx(fresh))


def test_the_bound_holds_and_what_is_used_stays(tier: FileTier, clock: ManualClock) -> None:
    for number in range(600):
        put(tier, f"key {number}", bytes(8000))
        assert data(tier, "key 0") == bytes(8000)
        assert tier.usage().bytes <= MIB
    usage = tier.usage()
    assert usage.bytes > 0.8 * MIB
    assert usage.entries * 8192 == usage.bytes
    assert usage.evictions["size"] == 600 - usage.entries
    assert data(tier, "key 599") == bytes(8000)
    assert data(tier, "key 1") is None


def test_an_entry_larger_than_a_quarter_of_the_bound_is_refused(tier: FileTier) -> None:
    assert not put(tier, "key", bytes(MIB // 4 + 1))
    assert tier.usage().evictions == {"oversize": 1}


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_are_not(tier: FileTier, tmp_path: Path) -> None:
    import fcntl

    put(tier, "key")
    drafts = tmp_path / "cache/drafts"
    (drafts / "dead").write_bytes(b"x")
    with (drafts / "alive").open("wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        put(FileTier(tmp_path / "cache", MIB, ManualClock()), "other")
        assert [path.name for path in drafts.iterdir()] == ["alive"]


def test_a_removed_folder_comes_back(tier: FileTier, tmp_path: Path) -> None:
    put(tier, "key")
    subprocess.run(["rm", "-r", tmp_path / "cache"], check=True)
    assert tier.read("key") is None
    assert put(tier, "key", b"new")
    assert data(tier, "key") == b"new"
    assert tier.usage().entries == 1


def test_a_table_made_anew_makes_older_entries_void(tier: FileTier, tmp_path: Path) -> None:
    put(tier, "key")
    (tmp_path / "cache/generations").unlink()
    other = FileTier(tmp_path / "cache", MIB, ManualClock())
    assert other.read("key") is None
    put(other, "key", b"new")
    tier.fence([])
    assert data(tier, "key") == b"new"


def test_a_folder_that_can_not_be_made_is_tried_again_after_a_rest(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("in the way")
    tier = FileTier(tmp_path / "file/cache", MIB, clock)
    with pytest.raises(TierError, match="refuses"):
        put(tier, "key")
    assert tier.read("key") is None
    assert not put(tier, "key")
    assert tier.usage().state == "read-only: Not a directory"
    (tmp_path / "file").unlink()
    clock.move(5.0)
    assert put(tier, "key")
    assert data(tier, "key") == b"value"
    assert tier.usage().state == ""


def test_a_closed_tier_finds_nothing_and_takes_nothing(tier: FileTier) -> None:
    put(tier, "key")
    tier.close()
    assert tier.read("key") is None
    assert not put(tier, "key")
