"""The file tier with real processes and disks: several on one folder, killed while they write, a full disk, forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.cache.tiers.file import FileTier
from perf.clock import ManualClock, SystemClock
from perf.errors import TierError
from perf.model import Held
from tests.services import eventually, forked

MIB = 2**20
FOREVER = float("inf")
WRITER = """
import sys
from perf.cache.tiers.file import FileTier
from perf.clock import SystemClock
from perf.model import Held
folder, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tier = FileTier(folder, 4 * 2**20, SystemClock())
print("ready", flush=True)
number = seed
while rounds:
    rounds -= 1
    number = (number * 1103515245 + 12345) % 2**31
    key = f"key {number % 50}"
    size = 1 + number % 60_000
    tier.write(key, Held(key.encode() + bytes([number % 251]) * size, 1e9, 1e9), ["tag"], tier.fence([f"k:{key}", "t:tag"]))
    held = tier.read(key)
    if held is not None:
        body = held.data[len(key):]
        assert held.data.startswith(key.encode()) and body.count(body[:1]) == len(body), key
    if number % 40 == 0:
        tier.invalidate([f"k:{key}"])
print("done", flush=True)
"""


def put(tier: FileTier, key: str, data: bytes) -> bool:
    return tier.write(key, Held(data, FOREVER, FOREVER), [], None)


def writer(folder: Path, seed: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(seed), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def on_disk(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.glob("??/*"))


def test_processes_share_a_folder_and_its_bound(tmp_path: Path) -> None:
    programs = [writer(tmp_path, seed, 400) for seed in (1, 2, 3)]
    for program in programs:
        said, _ = program.communicate(timeout=100)
        assert said == "ready\ndone\n"
    usage = FileTier(tmp_path, 4 * MIB, SystemClock())
    usage.fence([])
    assert usage.usage().bytes == on_disk(tmp_path) <= 4 * MIB
    assert usage.usage().entries == len(list(tmp_path.glob("??/*")))


def test_killed_writers_leave_nothing_broken_behind(tmp_path: Path) -> None:
    for seed in range(1, 6):
        program = writer(tmp_path, seed, -1)
        assert program.stdout is not None
        with program, program.stdout:
            assert program.stdout.readline() == "ready\n"
            eventually(lambda: len(list(tmp_path.glob("??/*"))) > 5, every=0.001)
            program.send_signal(signal.SIGKILL)
    tier = FileTier(tmp_path, 4 * MIB, SystemClock())
    for number in range(50):
        tier.read(f"key {number}")
        assert put(tier, f"key {number}", b"new")
    assert not list((tmp_path / "drafts").iterdir())
    assert not list((tmp_path / "quarantine").iterdir())
    assert tier.usage().evictions.get("corrupt", 0) == 0


def test_a_child_and_its_parent_both_write(tmp_path: Path) -> None:
    tier = FileTier(tmp_path, MIB, SystemClock())
    fence = tier.fence(["k:key"])

    def work() -> bool:
        tier.invalidate(["k:key"])
        return put(tier, "child", b"child")

    assert os.waitpid(forked(work), 0)[1] == 0
    assert not tier.write("key", Held(b"old", FOREVER, FOREVER), [], fence)
    held = tier.read("child")
    assert held is not None
    assert held.data == b"child"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_makes_it_read_only_until_there_is_space(small_disk: Path) -> None:
    clock = ManualClock()
    tier = FileTier(small_disk / "cache", 64 * MIB, clock)
    assert put(tier, "kept", b"x" * 1000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_200_000))

    def fill() -> None:
        for number in range(100):
            put(tier, f"key {number}", bytes(200_000))

    with pytest.raises(TierError, match="No space left"):
        fill()
    assert tier.usage().state == "read-only: No space left on device"
    assert not put(tier, "another", b"x")
    tier.invalidate(["k:key 0"])
    assert tier.read("key 0") is None
    ballast.unlink()
    clock.move(5.0)
    assert put(tier, "another", b"x")
    assert tier.usage().state == ""
    assert not list((small_disk / "cache/drafts").iterdir())


def test_a_disk_without_room_for_the_table_is_an_error_not_a_crash(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(1_900_000))
    tier = FileTier(small_disk / "cache", 64 * MIB, ManualClock())
    with pytest.raises(TierError, match="No space left"):
        put(tier, "key", b"x")


def test_a_read_only_disk_still_answers_and_comes_back(small_disk: Path) -> None:
    clock = ManualClock()
    first = FileTier(small_disk / "cache", 64 * MIB, clock)
    put(first, "key", b"x")
    first.close()  # An open map would keep the system from making the disk read-only.
    remount = ["mount", "-o", "remount,{}", str(small_disk)]
    subprocess.run([part.format("ro") for part in remount], check=True)
    tier = FileTier(small_disk / "cache", 64 * MIB, clock)
    with pytest.raises(TierError, match="Read-only"):
        put(tier, "key", b"new")
    subprocess.run([part.format("rw") for part in remount], check=True)
    clock.move(5.0)
    assert put(tier, "key", b"new")
