"""Stampedes and races with everything real: threads, forks, processes, files, Redis."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from perf.cache import Cache, MemoryTier
from perf.cache.tiers.file import FileTier
from perf.cache.tiers.redis import RedisTier
from perf.clock import SystemClock
from perf.errors import LoadFailed
from perf.ports import Tier
from tests.services import eventually, forked, redis

MIB = 2**20


def with_files(folder: Path) -> Cache:
    clock = SystemClock()
    return Cache(memory=MemoryTier(64 * MIB, clock), outer=[FileTier(folder, 64 * MIB, clock)])


def test_what_one_process_loaded_another_finds_in_its_files(tmp_path: Path) -> None:
    cache = with_files(tmp_path)
    assert cache.get_or_set("a", lambda: {"n": 1}, tags=["t"]) == {"n": 1}
    assert cache.flush(60.0)
    child = forked(lambda: with_files(tmp_path).get("a") == {"n": 1})
    assert os.waitpid(child, 0)[1] == 0
    cache.invalidate(tags=["t"])
    assert with_files(tmp_path).get("a") is None
    cache.close()


def test_a_forked_child_keeps_memory_and_loads_by_itself(tmp_path: Path) -> None:
    cache = with_files(tmp_path)
    cache.set("held", 1)
    started, ended = threading.Event(), threading.Event()

    def slow() -> int:
        started.set()
        ended.wait(60)
        return 2

    loading = threading.Thread(target=cache.get_or_set, args=("loading", slow))
    loading.start()
    assert started.wait(30)

    def work() -> bool:
        found = cache.get("held"), cache.get_or_set("loading", lambda: 3, distributed_lock=False)
        cache.set("mine", 4)
        return found == (1, 3) and cache.flush(30)

    child = forked(work)
    assert os.waitpid(child, 0)[1] == 0
    ended.set()
    loading.join()
    cache.close()


def test_nothing_stale_after_an_invalidation_however_it_races(tmp_path: Path) -> None:
    """Law: a call that begins after ``invalidate`` returned never sees what was true before."""
    cache = with_files(tmp_path)
    truth = acknowledged = 0
    wrong: list[tuple[int, int]] = []
    stop = threading.Event()

    def ask() -> int:
        return cache.get_or_set("a", lambda: truth, tags=["t"])

    def read() -> None:
        while not stop.is_set():
            before = acknowledged
            seen = ask()
            if seen < before:
                wrong.append((before, seen))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    until = perf_counter() + 2
    while perf_counter() < until:
        truth += 1
        cache.invalidate(tags=["t"]) if truth % 2 else cache.delete("a")
        acknowledged = truth
        assert ask() == truth
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    cache.close()


def _ask(
    make: Callable[[], Tier], folder: Path, options: dict[str, Any], start: Any, results: Any
) -> None:  # Any: of multiprocessing
    clock, tier = SystemClock(), make()
    lock = tier.lock  # type: ignore[attr-defined]  # both have it

    def noted(key: str, lease: float) -> bytes | None:
        token: bytes | None = lock(key, lease)
        if token is None:
            (folder / f"{os.getpid()}.waits").touch()
        return token

    tier.lock = noted  # type: ignore[attr-defined]  # to tell who waits
    cache = Cache(memory=MemoryTier(MIB, clock), outer=[tier])

    def factory() -> int:
        (folder / f"{os.getpid()}.{perf_counter()}.ran").touch()
        eventually(lambda: len(list(folder.glob("*.waits"))) == 3, seconds=30.0)
        if options.get("fails"):
            raise ValueError("no such order")
        return 7

    own = {name: value for name, value in options.items() if name != "fails"}
    results.put("ready")
    start.wait(60)
    try:
        results.put(cache.get_or_set("a", factory, **own))
    except (ValueError, LoadFailed) as error:
        results.put(f"{type(error).__name__}: {error}")
    cache.close()


def four_processes(make: Callable[[], Tier], folder: Path, **options: object) -> tuple[list[Any], int]:
    """What four processes got of which three asked for one key while one loaded it, and how often it was loaded."""
    folder.mkdir()
    context = multiprocessing.get_context("spawn")
    start, results = context.Event(), context.Queue()
    processes = [context.Process(target=_ask, args=(make, folder, options, start, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == ["ready"] * 4
    start.set()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    return answers, len(list(folder.glob("*.ran")))


def test_four_processes_one_execution_through_redis(tmp_path: Path) -> None:
    with redis() as port:
        make = partial(RedisTier, f"redis://127.0.0.1:{port}/0", timeout=60.0)
        assert four_processes(make, tmp_path / "ran", distributed_lock=True) == ([7] * 4, 1)


def test_four_processes_one_execution_through_files(tmp_path: Path) -> None:
    make = partial(FileTier, tmp_path / "files", MIB, SystemClock())
    assert four_processes(make, tmp_path / "ran") == ([7] * 4, 1)


def test_four_processes_share_a_failure(tmp_path: Path) -> None:
    make = partial(FileTier, tmp_path / "files", MIB, SystemClock())
    answers, runs = four_processes(make, tmp_path / "ran", fails=True)
    assert runs == 1
    told = "LoadFailed: default:1:a failed in another process: ValueError: no such order"
    assert sorted(answers) == [told, told, told, "ValueError: no such order"]
    # Who asks afterwards tries anew.
    assert with_files(tmp_path / "files").get_or_set("a", lambda: 8) == 8


def test_a_killed_leader_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    read, write = os.pipe()

    def never() -> None:
        os.write(write, b"x")
        threading.Event().wait(60)

    def work() -> bool:
        with_files(tmp_path).get_or_set("a", never)
        return True

    child = forked(work)
    assert os.read(read, 1) == b"x"
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(with_files(tmp_path).get_or_set("a", lambda: 8)))
    waiting.start()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    waiting.join(9)  # Its lease would have gone on for ten seconds.
    assert got == [8]
