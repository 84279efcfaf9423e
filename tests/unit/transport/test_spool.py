from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.transport.spool import LEASE_SECONDS, Spool, SpoolError
from tests.services import forked


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool.db", clock, max_bytes=100)) as made:
        yield made


def bodies(spool: Spool) -> list[bytes]:
    found = []
    while batch := spool.oldest("test"):
        found.append(batch.body)
        spool.remove(batch)
    return found


def test_batches_come_out_in_the_order_they_went_in(spool: Spool) -> None:
    for number in range(5):
        spool.append("a", number, b"%d" % number)
    assert spool.waiting() == spool.waiting("a") == 5
    assert bodies(spool) == [b"0", b"1", b"2", b"3", b"4"]
    assert spool.waiting() == 0


def test_the_oldest_make_room_and_are_counted(spool: Spool) -> None:
    for number in range(4):
        assert spool.append("a", number, b"%d" % number * 25) == 0
    assert spool.append("a", 4, b"x" * 30) == 2
    assert [body[:1] for body in bodies(spool)] == [b"2", b"3", b"x"]


def test_a_batch_over_the_whole_bound_still_is_kept_alone(spool: Spool) -> None:
    spool.append("a", 1, b"y")
    assert spool.append("a", 2, b"z" * 200) == 1
    assert bodies(spool) == [b"z" * 200]


def test_what_waits_survives_its_process(tmp_path: Path, clock: ManualClock) -> None:
    first = Spool(tmp_path / "spool.db", clock)
    first.append("a", 7, b"kept")
    first.close()
    with closing(Spool(tmp_path / "spool.db", clock)) as second:
        batch = second.oldest("b")
    assert batch is not None
    assert (batch.producer, batch.seq, batch.ts, batch.body) == ("a", 7, clock.now(), b"kept")


def test_one_drains_at_a_time_until_it_falls_silent(spool: Spool, clock: ManualClock) -> None:
    spool.append("a", 1, b"1")
    assert spool.oldest("a") is not None
    assert spool.oldest("b") is None
    clock.move(LEASE_SECONDS + 0.1)
    assert spool.oldest("b") is not None
    assert spool.oldest("a") is None


def test_a_file_that_is_no_spool_is_an_error_of_ours(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(SpoolError, match=r"spool.db"):
        Spool(path, clock).append("a", 1, b"1")


def test_two_processes_share_the_file(spool: Spool, tmp_path: Path, clock: ManualClock) -> None:
    with closing(Spool(tmp_path / "spool.db", clock, max_bytes=100)) as other:
        spool.append("a", 1, b"1")
        other.append("b", 1, b"2")
    assert (spool.waiting(), spool.waiting("b")) == (2, 1)
    assert bodies(spool) == [b"1", b"2"]
    with closing(sqlite3.connect(tmp_path / "spool.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_in_the_middle_of_a_write_has_a_spool_too(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The thread that writes may be held up in the middle of it.
    monkeypatch.setattr("perf.transport.spool.FORK_SECONDS", 20.0)
    monkeypatch.setattr("perf.transport.spool.BUSY_SECONDS", 20.0)
    ended = threading.Event()
    with closing(Spool(tmp_path / "spool.db", clock)) as spool:

        def write() -> None:
            while not ended.is_set():
                spool.append("parent", 1, b"x" * 1000)
                spool.waiting()
                ended.wait(0.000_1)  # Else it takes the lock again before any other thread has seen that it is free.

        def work(number: int) -> bool:
            signal.alarm(60)
            return spool.append("child", number, b"y") == 0

        writing = threading.Thread(target=write)
        writing.start()
        for number in range(20):
            child = forked(lambda number=number: work(number))  # type: ignore[misc]
            assert os.waitpid(child, 0)[1] == 0
        ended.set()
        writing.join()
        assert spool.waiting("child") == 20
