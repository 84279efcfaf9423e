"""Backplanes between real processes and through a real Redis that is cut, frozen and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as client

from perf.cache.backplane.host import HostBackplane
from perf.cache.backplane.redis import THREAD, RedisBackplane
from perf.clock import ManualClock, SystemClock
from perf.model import Said
from perf.ports import Backplane
from tests import services
from tests.services import eventually, redis_server_with

PATIENT = 60.0
"""The timeout where the server is well and shall not seem slow because the machine is busy."""
AGAIN = 30.0
"""What a backplane may take until all is told: it tries five seconds after an attempt that failed, and on a busy machine more than one may."""
CHATTERER = """
import sys
from pathlib import Path
from perf.cache.backplane.host import HostBackplane
from perf.model import Said
backplane = HostBackplane(Path(sys.argv[1]), capacity=4096)
print("ready", flush=True)
number = 0
while True:
    backplane.announce(Said((f"k:{sys.argv[2]}-{number}" + "x" * (number % 70),)))
    number += 1
"""


class Memory:
    """What a cache does with its backplane, in a dict: read through it with `value`."""

    def __init__(self, backplane: Backplane, truth: dict[str, int]) -> None:
        self.backplane = backplane
        self.truth = truth
        self.kept: dict[str, int] = {}

    def listen(self) -> None:
        if not self.backplane.changed():
            return
        said = self.backplane.heard()
        if said is None:
            self.kept.clear()
            return
        for one in said:
            for name in one.names:
                if name == "*":
                    self.kept.clear()
                self.kept.pop(name[2:], None)

    def value(self, key: str) -> int:
        self.listen()
        if key not in self.kept:
            self.kept[key] = self.truth[key]
        return self.kept[key]

    def stale(self) -> list[str]:
        return [key for key in self.truth if self.value(key) != self.truth[key]]

    def change(self, key: str) -> None:
        self.truth[key] += 1
        self.kept.pop(key, None)
        self.backplane.announce(Said((f"k:{key}",)))


def memory(port: int, truth: dict[str, int], timeout: float = PATIENT) -> Memory:
    made = Memory(RedisBackplane(f"redis://127.0.0.1:{port}", clock=SystemClock(), timeout=timeout), truth)
    made.listen()
    eventually(lambda: _plane(made).connected and _plane(made).gaps and made.backplane.changed(), seconds=AGAIN)
    made.listen()  # The gap of its connection.
    return made


def _plane(of: Memory) -> RedisBackplane:
    assert isinstance(of.backplane, RedisBackplane)
    return of.backplane


@pytest.fixture
def pair() -> Iterator[tuple[services.RedisServer, Memory, Memory]]:
    with redis_server_with() as server:
        truth = {str(number): 0 for number in range(1_000)}
        one, other = memory(server.port, truth), memory(server.port, truth)
        yield server, one, other
        for each in (one, other):
            each.backplane.close()


def test_through_redis_the_others_hear_and_oneself_does_not(pair: tuple[services.RedisServer, Memory, Memory]) -> None:
    _, one, other = pair
    for each in pair[1:]:
        assert each.stale() == []
    one.backplane.announce(Said(("k:1", "t:x")))
    eventually(other.backplane.changed)
    assert other.backplane.heard() == [Said(("k:1", "t:x"))]
    one.change("5")
    eventually(lambda: other.value("5") == 1)
    other.change("5")  # The same key, right afterwards: not taken for one's own.
    eventually(lambda: one.value("5") == 2)
    # One each; those of other tests may still be ending.
    eventually(lambda: [thread.name for thread in threading.enumerate()].count(THREAD) == 2)


def test_cut_for_five_seconds_during_a_thousand_invalidations(
    pair: tuple[services.RedisServer, Memory, Memory],
) -> None:
    """One side's connection dies again and again while the other invalidates; when it is back, nothing is stale."""
    server, one, other = pair
    assert other.stale() == []
    end, number = time.perf_counter() + 5.0, 0
    with client.Redis(port=server.port) as admin:
        while number < 1_000 or time.perf_counter() < end:
            one.change(str(number % 1_000))
            other.value(str(number * 7 % 1_000))
            if number % 20 == 0:
                admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            number += 1
            if number > 1_000:
                threading.Event().wait(0.005)
    one.change("0")
    eventually(lambda: other.stale() == [], seconds=AGAIN)
    eventually(lambda: one.stale() == [], seconds=AGAIN)
    assert _plane(other).gaps > 1


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_redis_away_for_five_seconds_during_a_thousand_invalidations(how: str) -> None:
    truth = {str(number): 0 for number in range(1_000)}
    port = services.free_port()
    with redis_server_with(port=port) as server:
        one, other = (memory(port, truth, timeout=0.25) for _ in range(2))
        assert other.stale() == []
        server.process.send_signal(signal.SIGSTOP if how == "frozen" else signal.SIGKILL)
        for number in range(1_000):
            one.change(str(number))
            other.value(str(number))
            threading.Event().wait(0.005)
        assert len(other.stale()) > 900  # Nobody can know yet.
        if how == "frozen":
            server.process.send_signal(signal.SIGCONT)
            _all_agree(one, other)
            return
        server.process.wait()
        with redis_server_with(port=port):
            _all_agree(one, other)


def _all_agree(one: Memory, other: Memory) -> None:
    both = [_plane(each) for each in (one, other)]
    eventually(lambda: all(plane.connected for plane in both) and not one.stale() and not other.stale(), seconds=AGAIN)
    one.change("1")
    eventually(lambda: other.value("1") == one.truth["1"], seconds=AGAIN)
    for each in (one, other):
        each.backplane.close()


def test_a_number_that_was_left_out_is_a_gap(pair: tuple[services.RedisServer, Memory, Memory]) -> None:
    server, one, other = pair
    one.change("1")
    eventually(other.backplane.changed)
    assert other.backplane.heard() is not None
    with client.Redis(port=server.port) as admin:
        admin.incr("perf:saids")
    one.change("2")
    # What came behind a gap may be told after it.
    eventually(lambda: other.backplane.heard() is None)
    with client.Redis(port=server.port) as admin:
        admin.publish("perf:said", "no number")
    eventually(lambda: other.backplane.heard() is None)


def test_a_child_listens_on_its_own(pair: tuple[services.RedisServer, Memory, Memory]) -> None:
    _, one, other = pair
    assert not one.stale()
    read, write = os.pipe()

    def work() -> bool:
        fine = other.backplane.changed() and other.backplane.heard() is None
        eventually(lambda: _plane(other).connected)
        other.backplane.heard()
        os.write(write, b"1")
        eventually(other.backplane.changed)
        said = other.backplane.heard()
        other.backplane.announce(Said(("k:child",)))
        return fine and said == [Said(("k:2",))]

    child = services.forked(work)
    assert os.read(read, 1) == b"1"
    one.change("2")
    assert os.waitpid(child, 0)[1] == 0
    eventually(one.backplane.changed)
    assert one.backplane.heard() == [Said(("k:child",))]
    os.close(read)
    os.close(write)


def test_no_redis_costs_the_announcer_little_and_nothing_is_forgotten() -> None:
    port = services.free_port()
    clock = ManualClock()
    plane = RedisBackplane(f"redis://127.0.0.1:{port}", clock=clock, timeout=PATIENT)
    began = time.perf_counter()
    for number in range(1_000):
        plane.announce(Said((f"k:{number}",)))
    assert time.perf_counter() - began < PATIENT / 2
    assert plane.heard() is None
    with redis_server_with(port=port):
        other = memory(port, {"1": 0})
        other.value("1")
        clock.move(5.0)  # Until then it does not try again: the other one listens first.
        eventually(other.backplane.changed, seconds=AGAIN)
        said = other.backplane.heard()
        assert said is None or "k:1" in [name for one in said for name in one.names]
        other.backplane.close()
        plane.close()


def test_processes_killed_while_they_write_leave_the_ring_readable(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    listener, speaker = HostBackplane(path, capacity=4096), HostBackplane(path)
    for turn in range(10):
        chatterers = [_chatterer(path, f"{turn}-{number}") for number in range(2)]
        for each in chatterers:
            assert each.stdout is not None
            assert each.stdout.readline() == b"ready\n"
        eventually(listener.changed)
        for _ in range(200):
            listener.heard()  # A list or None; never an exception, never a name that nobody said.
        for each in chatterers:
            each.kill()
            each.communicate()
        listener.heard()
        speaker.announce(Said((f"k:after {turn}",)))
        assert listener.heard() == [Said((f"k:after {turn}",))]
    assert speaker.errors == 0


def test_names_arrive_as_they_were_said(tmp_path: Path) -> None:
    """Law: while another process writes as fast as it can, each name heard is one it said, in order, or a gap is told."""
    path = tmp_path / "ring"
    listener = HostBackplane(path, capacity=4096)
    chatterer = _chatterer(path, "a")
    try:
        last, heard, gaps = -1, 0, 0
        began = time.perf_counter()
        # On a busy machine the writer may come around between any two looks for seconds.
        while (passed := time.perf_counter() - began) < 1.5 or (heard <= 100 and passed < 60.0):
            said = listener.heard()
            if said is None:
                gaps += 1
                last = -1
                continue
            for one in said:
                number = int(one.names[0].rstrip("x").partition("-")[2])
                assert one.names[0] == f"k:a-{number}" + "x" * (number % 70)
                assert last in (-1, number - 1)
                last, heard = number, heard + 1
        assert heard > 100
    finally:
        chatterer.kill()
        chatterer.communicate()


def _chatterer(path: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHATTERER, str(path), name], env=services.environment(), stdout=subprocess.PIPE
    )
