"""Turns of processes that share a folder."""

from __future__ import annotations

import os
from pathlib import Path

from perf.cache.tiers.leases import Leases
from perf.clock import ManualClock


def test_one_at_a_time_and_keys_apart(tmp_path: Path) -> None:
    clock = ManualClock()
    one, two = Leases(tmp_path / "leases", clock), Leases(tmp_path / "leases", clock)
    token = one.lock("a", 10.0)
    assert token
    assert two.lock("a", 10.0) is None
    assert one.lock("a", 10.0) is None
    assert two.lock("b", 10.0)
    one.unlock(token)
    one.unlock(token)
    assert two.lock("a", 10.0)


def test_a_holder_who_does_not_move_has_it_until_its_lease_is_over(tmp_path: Path) -> None:
    clock = ManualClock()
    one, two = Leases(tmp_path / "leases", clock), Leases(tmp_path / "leases", clock)
    assert one.lock("a", 10.0)
    assert two.lock("a", 10.0) is None
    clock.move(11.0)
    assert two.lock("a", 10.0) is None
    clock.move(1.0)
    assert two.lock("a", 10.0) == b""


def test_a_forked_child_does_not_keep_the_turn(tmp_path: Path) -> None:
    clock = ManualClock()
    leases = Leases(tmp_path / "leases", clock)
    token = leases.lock("a", 10.0)
    assert token
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.read(read, 1)
        os._exit(0)
    leases.unlock(token)
    assert Leases(tmp_path / "leases", clock).lock("a", 10.0)
    os.write(write, b"x")
    os.waitpid(child, 0)


def test_the_file_stays_small(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases", ManualClock())
    for number in range(200):
        token = leases.lock(f"key:{number}", 10.0)
        assert token
        leases.unlock(token)
    assert (tmp_path / "leases").stat().st_size <= 4096 * 8
