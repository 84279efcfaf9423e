"""Looking at threads: those that work are seen where they work, those that wait only when asked for; the cost is bounded."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perf.clock import SystemClock
from perf.errors import PerfError
from perf.profile import Profile, Profiler
from perf.profile.external import profiled
from perf.profile.profiler import ProfilerBusy, ProfileRequest
from perf.profile.sampler import BOUND, sampled
from perf.profile.stacks import collapsed
from tests.services import environment, eventually, program

CLOCK = SystemClock()


@contextmanager
def threads(*works: Callable[[threading.Event], object]) -> Iterator[None]:
    over = threading.Event()
    running = [threading.Thread(target=work, args=(over,), name=work.__name__) for work in works]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in running:
            thread.join()


worked: list[float] = []
"""Seconds of a processor that `busy` has had so far."""


def busy(over: threading.Event) -> None:
    while not over.is_set():
        deep(3)
        worked[:] = [time.thread_time()]


def deep(levels: int) -> int:
    return sum(range(2_000)) if levels == 0 else deep(levels - 1)


def waiting(over: threading.Event) -> None:
    over.wait()


def waiting_in_c(over: threading.Event) -> None:
    told: queue.SimpleQueue[None] = queue.SimpleQueue()
    while not over.is_set():
        with pytest.raises(queue.Empty):
            told.get(timeout=0.2)


def until(done: Callable[[], bool]) -> Callable[[float], bool]:
    """Waits, and ends a profile once *done* says so: how soon depends on what else this machine has to do."""
    never = threading.Event()
    return lambda seconds: never.wait(seconds) or done()


def of(profile: Profile, thread: str) -> int:
    return sum(one.count for one in profile.stacks if one.frames[0] == thread)


def test_a_busy_thread_is_seen_where_it_works_and_waiting_ones_are_not() -> None:
    worked[:], enough = [0.0], 0.8
    with threads(busy, waiting, waiting_in_c):
        found = sampled(60.0, 100.0, CLOCK, pid=os.getpid(), wait=until(lambda: worked[0] >= enough))
    # Beside other programs it works only part of the time; some looks take longer than others.
    assert of(found, "busy") > found.samples * enough / found.seconds / 4
    assert of(found, "waiting") == 0
    if sys.platform == "linux":
        assert of(found, "waiting_in_c") <= found.samples / 10
    assert "busy (profile/test_sampler.py:" in collapsed(found)
    deepest = max((one for one in found.stacks if one.frames[0] == "busy"), key=lambda one: len(one.frames))
    assert sum(frame.startswith("deep (") for frame in deepest.frames) == 4


def test_waiting_threads_are_shown_when_asked_for() -> None:
    with threads(waiting):
        found = sampled(0.3, 50.0, CLOCK, pid=os.getpid(), idle=True)
    assert of(found, "waiting") == found.samples


def test_looking_stays_below_its_bound() -> None:
    def sleeper(over: threading.Event) -> None:
        recursion = 120

        def down(levels: int) -> None:
            if levels:
                down(levels - 1)
            else:
                over.wait()

        down(recursion)

    left = iter(range(20))
    with threads(*[sleeper] * 40):
        found = sampled(60.0, 500.0, CLOCK, pid=os.getpid(), idle=True, wait=until(lambda: next(left, None) is None))
    assert found.cost <= BOUND * 1.5
    assert found.samples >= 5


def test_one_at_a_time() -> None:
    profiler = Profiler(CLOCK, longest=60.0)
    assert profiler.start(ProfileRequest(seconds=60.0), by="ada").running
    with pytest.raises(ProfilerBusy, match="ada is taking a profile already; one at a time"):
        profiler.start(ProfileRequest(seconds=1.0), by="bob")
    profiler.stop()
    eventually(lambda: not profiler.state().running)
    newest = profiler.newest()
    assert newest is not None
    assert newest.seconds < 60
    profiler.start(ProfileRequest(seconds=0.1), by="bob")
    eventually(lambda: profiler.newest() is not newest)


def test_a_profile_that_finds_no_thread_does_not_stand_in_the_way_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    profiler = Profiler(CLOCK, longest=60.0)

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(PerfError, match="the profile can't begin: can't start new thread"):
            profiler.start(ProfileRequest(seconds=0.1), by="ada")
    assert not profiler.state().running
    profiler.start(ProfileRequest(seconds=0.1), by="ada")
    eventually(lambda: not profiler.state().running)
    assert profiler.newest() is not None


def test_a_profile_that_takes_too_long_is_refused() -> None:
    with pytest.raises(PerfError, match=r"seconds: at most 60 \(production.profile_for\), not 61"):
        Profiler(CLOCK, longest=60.0).start(ProfileRequest(seconds=61.0), by="ada")


SPIN = "def spinning():\n    print('on', flush=True)\n    while True: sum(range(1000))\nspinning()\n"


@pytest.fixture
def spinning(tmp_path: Path) -> Iterator[int]:
    """The process id of another program, which works in a function of this name."""
    log = tmp_path / "spinning.log"
    with program([sys.executable, "-c", SPIN], env=environment(), log=log) as process:
        eventually(lambda: log.read_text(encoding="utf-8") == "on\n", seconds=60.0)
        yield process.pid


def test_another_process_is_seen_where_it_works(spinning: int) -> None:
    found = _profiled(spinning)
    assert found.pid == spinning
    assert found.stacks
    assert all(any("spinning" in frame for frame in one.frames) for one in found.stacks)


def _profiled(pid: int) -> Profile:
    found: list[Profile] = []

    def seen() -> bool:
        found.append(profiled(pid, ProfileRequest(seconds=1.0, rate=50.0), CLOCK))
        return any("spinning" in frame for one in found[-1].stacks for frame in one.frames)

    try:
        eventually(seen, seconds=30)
    except PerfError as error:
        if "not allowed" in str(error):
            pytest.skip("this machine lets nobody look into processes")
        raise
    return found[-1]


def test_a_process_that_is_gone_or_not_python_is_said() -> None:
    with pytest.raises(PerfError, match="no process 99999999"):
        profiled(99_999_999, ProfileRequest(), CLOCK)
    with program(["sleep", "60"], env=environment()) as process:
        try:
            profiled(process.pid, ProfileRequest(seconds=1.0), CLOCK)
        except PerfError as error:
            assert str(error) == f"process {process.pid} is no Python program that py-spy knows"


def test_it_says_how_long_it_really_looked_and_ends_one_that_hangs(
    spinning: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = profiled(spinning, ProfileRequest(seconds=0.4, rate=20.4), CLOCK)
    assert (found.seconds, found.rate, found.samples) == (1.0, 20.0, 20)
    monkeypatch.setattr("perf.profile.external._EXTRA", -59.9)
    with pytest.raises(PerfError, match=r"py-spy did not end within 0\.1 s, and was stopped"):
        profiled(spinning, ProfileRequest(seconds=60.0), CLOCK)


LOOK = """
import sys
from perf.clock import SystemClock
from perf.errors import PerfError
from perf.profile.external import profiled
from perf.profile.profiler import ProfileRequest
try:
    profiled(int(sys.argv[1]), ProfileRequest(seconds=1.0), SystemClock())
except PerfError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="rights are Linux's here")
def test_missing_rights_are_said_with_what_would_help(spinning: int) -> None:
    # Root without the right to trace may not look into a root that has it, and nobody else into process 1.
    without = ["setpriv", "--bounding-set=-sys_ptrace"] if os.geteuid() == 0 else []
    pid = spinning if without else 1
    command = [*without, sys.executable, "-c", LOOK, str(pid)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert f"not allowed to look into process {pid}" in done.stdout, done.stderr
    assert "CAP_SYS_PTRACE" in done.stdout
