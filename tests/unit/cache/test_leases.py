"""Turns of processes that share a folder, by a byte a key and, as on macOS, by a file for several."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from perf.cache.tiers.leases import Leases
from perf.clock import ManualClock

Make = Callable[[], Leases]


@pytest.fixture(params=[False, True], ids=["bytes", "files"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Make:
    return lambda: Leases(tmp_path / "leases", clock, striped=request.param)


def test_one_at_a_time_and_keys_apart(make: Make) -> None:
    one, two = make(), make()
    token = one.lock("a", 10.0)
    assert token
    assert two.lock("a", 10.0) is None
    assert one.lock("a", 10.0) is None
    assert two.lock("b", 10.0)
    one.unlock(token)
    one.unlock(token)
    assert two.lock("a", 10.0)


def test_a_holder_who_does_not_move_has_it_until_its_lease_is_over(make: Make, clock: ManualClock) -> None:
    one, two = make(), make()
    assert one.lock("a", 10.0)
    assert two.lock("a", 10.0) is None
    clock.move(11.0)
    assert two.lock("a", 10.0) is None
    clock.move(1.0)
    assert two.lock("a", 10.0) == b""


def test_a_forked_child_does_not_keep_the_turn(make: Make) -> None:
    leases = make()
    token = leases.lock("a", 10.0)
    assert token
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.read(read, 1)
        os._exit(0)
    leases.unlock(token)
    assert make().lock("a", 10.0)
    os.write(write, b"x")
    os.waitpid(child, 0)


def test_the_files_stay_small(make: Make, tmp_path: Path) -> None:
    leases = make()
    for number in range(200):
        token = leases.lock(f"key:{number}", 10.0)
        assert token
        leases.unlock(token)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4096 * 8


def test_a_key_that_shares_its_file_with_one_of_the_same_holder_does_not_wait(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With one file for all, any two keys share it.
    monkeypatch.setattr("perf.cache.tiers.leases._SLOTS", 1)
    one, two = (Leases(tmp_path / "leases", clock, striped=True) for _ in range(2))
    token = one.lock("a", 10.0)
    assert token
    assert one.lock("b", 10.0) == b""
    assert two.lock("b", 10.0) is None
    one.unlock(token)
    assert two.lock("b", 10.0)
