import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from perf.clock import ManualClock, SystemClock
from perf.model import Sample
from perf.settings import ProcessSettings
from perf.sources.process import ProcessSource, cpu_percent

NAME = f"quiet{secrets.token_hex(4)}"
"""Of no other process on this machine, and short enough for Linux to keep it whole."""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a name of its own that waits until its input is closed."""
    program = tmp_path / NAME
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        yield process


def named(samples: list[Sample], metric: str) -> dict[str, float]:
    """Label values joined by a blank -> value."""
    return {" ".join(value for _, value in one.labels): one.value for one in samples if one.metric.name == metric}


def settled(process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until the child runs its program."""
    deadline = time.perf_counter() + 10
    while psutil.Process(process.pid).name() != name:
        assert time.perf_counter() < deadline


def test_cpu_is_of_one_core() -> None:
    assert cpu_percent((10.0, 1.0), (12.0, 4.0)) == 150.0


def test_cpu_needs_a_span() -> None:
    assert cpu_percent((10.0, 1.0), (10.0, 1.0)) is None


def test_own_process_has_cpu_from_the_second_reading() -> None:
    clock = ManualClock()
    source = ProcessSource(ProcessSettings(), clock)
    first = list(source.collect(10.0))
    clock.move(10.0)
    second = list(source.collect(20.0))
    assert (named(first, "process_cpu_percent"), [*named(second, "process_cpu_percent")]) == ({}, ["perf"])
    assert {sample.ts for sample in second} == {20.0}


def test_own_process_agrees_with_the_system() -> None:
    own = psutil.Process()
    before = own.memory_info().rss
    samples = list(ProcessSource(ProcessSettings(), SystemClock()).collect(1.0))
    low, high = sorted((before, own.memory_info().rss))
    assert low * 0.95 <= named(samples, "process_memory_bytes")["perf"] <= high * 1.05
    assert named(samples, "process_threads")["perf"] >= 1
    assert named(samples, "process_open_files")["perf"] >= 3


def test_busy_process_shows_the_cpu_time_it_used() -> None:
    source = ProcessSource(ProcessSettings(), SystemClock())
    outer = time.perf_counter(), time.process_time()
    list(source.collect(1.0))
    inner = time.perf_counter(), time.process_time()
    while time.process_time() - inner[1] < 0.3:
        pass
    shortest, least = time.perf_counter() - inner[0], time.process_time() - inner[1]
    measured = named(list(source.collect(2.0)), "process_cpu_percent")["perf"]
    longest, most = time.perf_counter() - outer[0], time.process_time() - outer[1]
    ticks = 0.04  # the system counts in steps of 10 ms, user and system time apart
    assert 100.0 * (least - ticks) / longest <= measured <= 100.0 * (most + ticks) / shortest


def test_process_is_found_by_name_and_disappears_when_it_ends(child: subprocess.Popen[bytes]) -> None:
    settled(child, NAME)
    source = ProcessSource(ProcessSettings(names=(NAME,)), ManualClock())
    running = named(list(source.collect(1.0)), "process_memory_bytes")
    child.communicate()
    ended = named(list(source.collect(2.0)), "process_memory_bytes")
    assert (sorted(running), sorted(ended)) == (["perf", NAME], ["perf"])


def test_process_that_starts_later_is_found(tmp_path: Path) -> None:
    program = tmp_path / NAME
    program.symlink_to("/bin/cat")
    source = ProcessSource(ProcessSettings(names=(NAME,)), ManualClock())
    list(source.collect(1.0))
    with subprocess.Popen([program], stdin=subprocess.PIPE) as child:
        settled(child, NAME)
        assert NAME in named(list(source.collect(2.0)), "process_threads")


def test_name_a_process_takes_later_is_seen_within_a_minute(child: subprocess.Popen[bytes]) -> None:
    settled(child, NAME)
    clock = ManualClock()
    source = ProcessSource(ProcessSettings(names=(NAME,)), clock)
    source._names = {child.pid: "shell"}
    assert NAME not in named(list(source.collect(1.0)), "process_threads")
    clock.move(60.0)
    assert NAME in named(list(source.collect(61.0)), "process_threads")


def test_namesakes_are_told_apart_by_pid(tmp_path: Path) -> None:
    program = tmp_path / NAME
    program.symlink_to("/bin/cat")
    with (
        subprocess.Popen([program], stdin=subprocess.PIPE) as one,
        subprocess.Popen([program], stdin=subprocess.PIPE) as two,
    ):
        settled(one, NAME)
        settled(two, NAME)
        source = ProcessSource(ProcessSettings(names=(NAME,)), ManualClock())
        found = named(list(source.collect(1.0)), "process_threads")
    assert found.keys() == {"perf", f"{one.pid} {NAME}", f"{two.pid} {NAME}"}


def test_process_is_chosen_by_pid_and_shown_under_its_name(child: subprocess.Popen[bytes]) -> None:
    settled(child, NAME)
    source = ProcessSource(ProcessSettings(pids=(child.pid, os.getpid())), ManualClock())
    assert sorted(named(list(source.collect(1.0)), "process_threads")) == ["perf", NAME]


def test_reused_pid_is_another_process(child: subprocess.Popen[bytes]) -> None:
    settled(child, NAME)
    source = ProcessSource(ProcessSettings(pids=(child.pid,)), ManualClock())
    list(source.collect(1.0))
    former = source._watched[child.pid].process
    vars(former)["_ident"] = (child.pid, -1.0)
    assert sorted(named(list(source.collect(2.0)), "process_threads")) == ["perf"]
    assert sorted(named(list(source.collect(3.0)), "process_threads")) == ["perf"]


def test_pid_that_does_not_exist_is_nothing() -> None:
    source = ProcessSource(ProcessSettings(pids=(2**22 + 1,)), ManualClock())
    assert sorted(named(list(source.collect(1.0)), "process_threads")) == ["perf"]
