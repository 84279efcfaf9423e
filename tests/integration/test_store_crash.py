"""The DuckDB store against kill -9, full disks, broken and foreign files, second openers and forks: with the real things."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pytest

from perf.clock import ManualClock, SystemClock
from perf.errors import QueryError, StoreError, StoreFull, StoreLocked
from perf.model import (
    Aggregate,
    Change,
    Exemplar,
    Histogram,
    HistogramSample,
    Kind,
    Metric,
    RangeQuery,
    RowsQuery,
    Sample,
    Selector,
    Window,
)
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.transport.client import Endpoint
from perf.transport.encode import requests
from tests.nursery import nursery
from tests.services import answers, environment, eventually, free_port, program

T0 = 1_700_006_400.0
M = Metric("m")
WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
CHILD = Path(__file__).parent / "store_child.py"
BATCH = 100


def opened(path: Path, clock: ManualClock | None = None, **settings: object) -> DuckDBStore:
    chosen = msgspec.structs.replace(StoreSettings(path=str(path)), **settings)
    return DuckDBStore(chosen, clock or ManualClock(T0))


def sample(ts: float, value: float = 1.0, n: int = 0) -> Sample:
    return Sample(T0 + ts, M, (("n", str(n)),), value)


def batch(number: int, size: int = 200) -> list[Sample]:
    noise = random.Random(number)
    return [sample(number, noise.random(), n) for n in range(size)]


def count(store: DuckDBStore) -> int:
    return store.usage().levels[0].rows


def rolled(store: DuckDBStore, step: float) -> float:
    """Samples counted by the level that *step* chooses."""
    query = RangeQuery(selector=Selector("m"), window=Window(T0, T0 + 86_400), step=step, aggregate=Aggregate.COUNT)
    return sum(float(series.values.sum()) for series in store.read(query))


@pytest.mark.timeout(300)
def test_kill_9_loses_no_acknowledged_batch_and_doubles_none(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    chance = random.Random(7)
    number, acknowledged = 0, []
    with nursery("tests.integration.store_child") as programs:
        for _ in range(20):
            with programs.child(str(path), str(number)) as child:
                assert child.stdout.readline() == "ready\n"
                acknowledged += [int(child.stdout.readline()) for _ in range(chance.randint(0, 12))]
                child.kill()
                acknowledged += [int(line) for line in child.stdout.read().splitlines()]
                assert child.wait() == -signal.SIGKILL
            # The one after the last may be there, unacknowledged; so may the first of a child that acknowledged none.
            number = max(number - 1, *acknowledged) + 2
    store = opened(path)
    try:
        found = {
            row[0]: row[1] for row in store.sql("SELECT value::INTEGER, count(*) FROM perf.metrics GROUP BY ALL").rows
        }
        assert set(found.values()) == {BATCH}
        assert set(acknowledged) <= set(found)
        assert len(set(found) - set(acknowledged)) <= 20
        wide = store.sql("SELECT low::INTEGER, n FROM (FROM hist UNION ALL FROM hot_hist)").rows
        slow = store.sql("SELECT seconds::INTEGER FROM perf.exemplars").rows
        assert sorted(wide) == [(told, BATCH) for told in sorted(found)]
        assert sorted(slow) == [(told,) for told in sorted(found)]
        assert store.producers() == {"child": max(found)}
        assert store.usage().problems == ()
    finally:
        store.close()


def test_a_batch_whose_answer_died_with_the_owner_is_stored_once(tmp_path: Path) -> None:
    """SIGKILL between commit and answer: the sender can't know, sends again, and must not count twice."""
    path, port = tmp_path / "perf.duckdb", free_port()
    endpoint = Endpoint(f"http://127.0.0.1:{port}")
    endpoint.timeout = 30.0
    now = SystemClock().now()
    (request,) = requests(
        [
            Sample(now, Metric("jobs_total", Kind.COUNTER, "1"), (), 5.0),
            HistogramSample(now, WAIT, (), Histogram.of([1.0, 2.0])),
            Exemplar(ts=now, metric=WAIT, labels=(), seconds=2.0),
        ],
        {},
        now - 1.0,
    )
    body = gzip.compress(request.SerializeToString())
    for fate, taken in (("dies", False), ("dies", True), ("lives", True)):
        command = [sys.executable, "-m", "tests.integration.dying_owner", str(path), str(port), fate]
        with program(command, env=environment(), log=tmp_path / "owner.log"):
            eventually(lambda: answers(f"http://127.0.0.1:{port}/health/live"), seconds=60.0)
            answer = endpoint.post(body, "web-1", 7)
            endpoint.close()
            assert (answer.retry, answer.reason == "") == (not taken, taken), answer
    store = opened(path, ManualClock(now))
    try:
        window = Window(now - 60, now + 60)
        (waits,) = store.distributions(RangeQuery(selector=Selector(WAIT.name), window=window, step=120))
        jobs = store.rows(RowsQuery(window=window, selectors=(Selector("jobs_total"),)))
        assert (int(waits.count.sum()), jobs.values.max()) == (2, 5.0)
        assert len(store.exemplars(Selector(WAIT.name), window, 10)) == 1
        assert store.producers() == {"web-1": 7}
    finally:
        store.close()


def _with_path(root: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}


def test_restart_keeps_history_series_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    store = opened(path)
    store.append([sample(0, 1), sample(1, 2)])
    store.override(Change(ts=T0, path="a.b", value="1"))
    infos = store.series()
    store.close()
    store = opened(path)
    try:
        assert store.series() == infos
        assert store.overrides() == {"a.b": "1"}
        store.append([sample(2, 3)])
        assert store.rows(RowsQuery(window=Window(T0, T0 + 10))).values.tolist() == [3.0, 2.0, 1.0]
        assert len(store.series()) == 1
    finally:
        store.close()


def test_close_leaves_no_log(tmp_path: Path) -> None:
    store = opened(tmp_path / "perf.duckdb")
    store.append([sample(0)])
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["perf.duckdb"]


def test_second_opener_in_this_process_is_told_the_owner(tmp_path: Path) -> None:
    store = opened(tmp_path / "perf.duckdb")
    (tmp_path / "link").symlink_to(tmp_path)
    try:
        for path in (tmp_path / "perf.duckdb", tmp_path / "link" / "perf.duckdb"):
            with pytest.raises(StoreLocked, match="this process") as refused:
                opened(path)
            assert refused.value.pid == os.getpid()
    finally:
        store.close()
    opened(tmp_path / "perf.duckdb").close()


def test_second_opener_in_another_process_is_told_the_owner(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "perf.duckdb"
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(path), "0"], stdout=subprocess.PIPE, text=True, cwd=root, env=_with_path(root)
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(StoreLocked, match=str(child.pid)) as refused:
            opened(path)
        assert refused.value.pid == child.pid
        child.kill()


def test_sql_may_not_read_the_database_file_which_would_drop_its_lock(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "perf.duckdb"
    store = opened(path)
    try:
        for name in ("read_blob", "read_text", "read_csv", "read_duckdb", "parquet_scan"):
            with pytest.raises(QueryError, match="not available"):
                store.sql(f"SELECT * FROM {name}('{path}')")
        program = f"import duckdb; duckdb.connect({str(path)!r})"
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "Could not set lock" in other.stderr
    finally:
        store.close()


def test_forked_child_is_refused_and_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    program = f"""
import os, sys
from perf.clock import SystemClock
from perf.errors import StoreError
from perf.model import Metric, Sample
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
store = DuckDBStore(StoreSettings(path={str(path)!r}), SystemClock())
store.append([Sample({T0}, Metric("m"), (), 1.0)])
if os.fork() == 0:
    try:
        store.append([Sample({T0}, Metric("m"), (), 2.0)])
    except StoreError as error:
        print("refused:", error, flush=True)
    sys.exit(0)
os.wait()
store.append([Sample({T0} + 1, Metric("m"), (), 3.0)])
store.close()
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root, env=_with_path(root)
    )
    assert "refused:" in done.stdout
    store = opened(path)
    try:
        assert store.rows(RowsQuery(window=Window(T0, T0 + 9))).values.tolist() == [3.0, 1.0]
    finally:
        store.close()


def test_empty_file_is_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    path.touch()
    store = opened(path)
    store.append([sample(0)])
    store.close()


def test_folders_are_made(tmp_path: Path) -> None:
    opened(tmp_path / "a" / "b" / "perf.duckdb").close()
    assert (tmp_path / "a" / "b" / "perf.duckdb").is_file()


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "perf.duckdb").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        opened(tmp_path / "perf.duckdb")


def test_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 1000)
    before = path.stat()
    with pytest.raises(StoreError, match="not a DuckDB file"):
        opened(path)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_other_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE mine (a INTEGER)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        opened(path)
    assert path.read_bytes() == before


def test_store_of_a_newer_perf_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    opened(path).close()
    with duckdb.connect(str(path)) as other:
        other.execute("UPDATE schema_version SET version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer perf"):
        opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "truncated", "short"])
def test_corrupt_file_is_set_aside_and_a_fresh_store_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "perf.duckdb"
    store = opened(path)
    for number in range(20):
        store.append(batch(number))
    store.close()
    good = path.read_bytes()
    flipped = bytes(byte ^ 255 for byte in good[4096:4160])
    bad = {"header": good[:4096] + flipped + good[4160:], "truncated": good[: len(good) // 2], "short": good[:100]}
    path.write_bytes(bad[damage])
    store = opened(path)
    try:
        aside = tmp_path / "perf.duckdb.corrupt-20231115T000000"
        assert aside.read_bytes() == bad[damage]
        (problem,) = store.usage().problems
        assert str(aside) in problem
        store.append([sample(0)])
        assert (count(store), store.usage().set_aside) == (1, 1)
        aside.rename(tmp_path / "looked-after.duckdb")
        assert store.usage().set_aside == 0
    finally:
        store.close()


def test_corrupt_log_is_set_aside_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "perf.duckdb"
    opened(path).close()
    file = path.read_bytes()
    store = opened(path)
    for number in range(20):
        store.append(batch(number))
    log = path.with_name("perf.duckdb.wal").read_bytes()
    store.close()
    path.write_bytes(file)
    path.with_name("perf.duckdb.wal").write_bytes(log[:-40] + bytes([log[-40] ^ 255]) + log[-39:])
    store = opened(path)
    try:
        names = {entry.name for entry in tmp_path.iterdir()}
        assert {"perf.duckdb.corrupt-20231115T000000", "perf.duckdb.corrupt-20231115T000000.wal"} <= names
        assert (count(store), len(store.usage().problems), store.usage().set_aside) == (0, 1, 1)
    finally:
        store.close()


# --- a full volume ----------------------------------------------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 24 MB, or as small as the test wants it."""
    yield from _mounted(tmp_path / "volume", f"size={getattr(request, 'param', '24m')}")


def _mounted(folder: Path, options: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    for folder in _mounted(tmp_path / "volume", "ro,size=1m"):
        with pytest.raises(StoreError, match="can't write there"):
            opened(folder / "perf.duckdb")
        with pytest.raises(StoreError, match="can't be made"):
            opened(folder / "below" / "perf.duckdb")


def _fill(store: DuckDBStore) -> tuple[int, list[Sample]]:
    """Append whole batches until the volume is full; how many went in, and the one that didn't."""
    for number in range(4000):
        samples = batch(number, 1000)
        try:
            store.append(samples)
        except StoreFull:
            return number, samples
    raise AssertionError("the volume never filled")


@pytest.mark.parametrize("wal_limit", [2**30, 1_000])  # the log fills up; checkpoints inside a commit fail
def test_full_volume_refuses_whole_batches_and_takes_them_later(volume: Path, wal_limit: int) -> None:
    ballast = volume / "ballast"
    ballast.write_bytes(bytes(18_000_000))
    store = opened(volume / "perf.duckdb", wal_limit=wal_limit, free_space_floor=0)
    try:
        stored, refused = _fill(store)
        assert stored > 50
        try:
            store.append(refused)
        except StoreFull:  # Usually: unless refusing it the first time has made room.
            ballast.unlink()
            store.append(refused)
        assert count(store) == (stored + 1) * 1000
    finally:
        store.close()
    store = opened(volume / "perf.duckdb", free_space_floor=0)
    try:
        assert (count(store), rolled(store, 3600)) == ((stored + 1) * 1000, (stored + 1) * 1000)
    finally:
        store.close()


def test_new_series_of_a_refused_batch_are_not_remembered(volume: Path) -> None:
    ballast = volume / "ballast"
    store = opened(volume / "perf.duckdb", wal_limit=2**30, free_space_floor=0)
    try:
        store.append([sample(0)])
        ballast.write_bytes(bytes(os.statvfs(volume).f_bavail * os.statvfs(volume).f_frsize))
        added = [Sample(T0, Metric("new"), (("n", str(n)),), 1.0) for n in range(20_000)]
        with pytest.raises(StoreFull):
            store.append(added)
        assert len(store.series()) == 1
        ballast.unlink()
        store.append(added)
        assert (len(store.series()), count(store)) == (20_001, 20_001)
    finally:
        store.close()


def test_failed_checkpoint_reopens_the_store_and_loses_nothing(volume: Path) -> None:
    clock = ManualClock(T0)
    ballast = volume / "ballast"
    store = opened(volume / "perf.duckdb", clock, wal_limit=1_000, free_space_floor=0)
    try:
        for number in range(200):
            store.append(batch(number, 1000))
        free = os.statvfs(volume).f_bavail * os.statvfs(volume).f_frsize
        ballast.write_bytes(bytes(free - 100_000))
        clock.move(1)
        with contextlib.suppress(StoreFull):
            store.maintain(clock.now())
        ballast.unlink()
        store.maintain(clock.now())
        store.append(batch(200, 1000))
        assert count(store) == rolled(store, 60) == 201_000
        assert "reopened" in " ".join(store.usage().problems)
    finally:
        store.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("volume", ["12m"], indirect=True)
def test_below_the_floor_the_oldest_samples_make_room(volume: Path) -> None:
    clock = ManualClock(T0)
    store = opened(volume / "perf.duckdb", clock, wal_limit=1_000_000, free_space_floor=5_000_000, seal_every=600.0)
    try:
        told = False
        for start in range(0, 12_000, 20):
            noise = random.Random(start)
            store.append([sample(start + tick, noise.random(), n) for tick in range(20) for n in range(75)])
            clock.move(20)
            if start % 60 == 0:
                store.maintain(clock.now())
                told |= "oldest samples are deleted" in " ".join(store.usage().problems)
        usage = store.usage()
        assert told
        assert usage.levels[0].first is not None
        assert T0 < usage.levels[0].first < clock.now() - 60
        assert usage.levels[0].last == T0 + 11_999
        assert 0 < count(store) < 600 * 1500
        assert rolled(store, 3600) == 600 * 1500  # the hours still count every one
    finally:
        store.close()


def test_system_clock_store_opens(tmp_path: Path) -> None:
    DuckDBStore(StoreSettings(path=str(tmp_path / "perf.duckdb")), SystemClock()).close()
