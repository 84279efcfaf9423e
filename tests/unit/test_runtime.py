"""The composition root: what starts, what stops in which order, and when it is ready or dead."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest
from msgspec import structs

from perf import ownerfile
from perf.clock import ManualClock, SystemClock
from perf.errors import StoreClosed, StoreLocked
from perf.model import Metric, RowsQuery, Sample, Selector, Status, Threshold, Window
from perf.ownerfile import Owner
from perf.runtime import Runtime, open_store, scheduled_sources
from perf.settings import HostSettings, ProcessSettings, RecordSettings, Settings, SourceSettings, StoreSettings
from tests.services import eventually

DEPTH = Metric("queue_depth", unit="1")
NOW = 1_700_000_000.0


def quiet(path: Path, backend: str = "duckdb") -> Settings:
    return Settings(
        store=StoreSettings(path=str(path), backend=backend, free_space_floor=0),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
    )


def depths(runtime: Runtime) -> list[float]:
    # Caches that other tests made report a depth of their own.
    own = (Selector(DEPTH.name),)
    found = runtime.store.rows(RowsQuery(window=Window(NOW - 10, NOW + 10), descending=False, selectors=own))
    return [float(value) for value in found.values]


@pytest.fixture
def runtime(tmp_path: Path, clock: ManualClock) -> Iterator[Runtime]:
    made = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    yield made
    made.stop()


def test_making_one_starts_nothing(tmp_path: Path, clock: ManualClock) -> None:
    before = set(threading.enumerate())  # an owner that other tests share may run
    made = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("perf-")]
    assert made.started is None
    made.stop()


def test_starting_runs_every_loop_and_leaves_the_note(runtime: Runtime) -> None:
    runtime.start("http://127.0.0.1:1")
    names = {thread.name for thread in threading.enumerate()}
    assert {"perf-writer", "perf-sampler", "perf-housekeeper", "perf-health"} <= names
    assert [beat.name for beat in runtime.beats()] == [
        "writer",
        "sampler",
        "housekeeper",
        "health",
        "alerts",
        "delivery",
        "drain",
    ]
    note = ownerfile.read(runtime.settings.store.path)
    assert note is not None
    assert (note.url, note.token, note.started) == ("http://127.0.0.1:1", runtime.token, NOW)


def test_the_own_release_is_noted_as_a_deploy(tmp_path: Path, clock: ManualClock) -> None:
    for release in ("1.0", "1.0", "1.1"):
        runtime = Runtime(
            structs.replace(quiet(tmp_path / "perf.duckdb"), record=RecordSettings(release=release)), clock
        )
        runtime.start()
        eventually(lambda opened=runtime: opened.store.annotations(Window(NOW - 10, NOW + 1e6)), seconds=60.0)
        clock.move(600.0)
        runtime.stop()
    with closing(open_store(quiet(tmp_path / "perf.duckdb").store, clock)) as store:
        noted = store.annotations(Window(NOW - 10, NOW + 1e6))
    assert [(each.kind, each.title, each.service) for each in noted] == [("deploy", "1.0", ""), ("deploy", "1.1", "")]


def test_stopping_writes_what_is_queued_and_closes(tmp_path: Path, clock: ManualClock) -> None:
    before = threading.enumerate()
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    runtime.start("http://127.0.0.1:1")
    written = [runtime.writer.submit([Sample(NOW, DEPTH, (("n", str(n)),), float(n))]) for n in range(50)]
    runtime.stop()
    assert all(future.done() and future.exception() is None for future in written)
    # Whoever produces samples is waited for two seconds, and may need longer.
    eventually(
        lambda: not [one for one in threading.enumerate() if one.name.startswith("perf-") and one not in before],
        seconds=60.0,
    )
    assert ownerfile.read(runtime.settings.store.path) is None
    with pytest.raises(StoreClosed):
        runtime.store.series()
    again = Runtime(runtime.settings, clock)
    assert sorted(depths(again)) == [float(n) for n in range(50)]
    again.stop()


def test_stopping_twice_or_before_the_start_is_no_error(tmp_path: Path, clock: ManualClock) -> None:
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    runtime.stop()
    runtime.stop()
    assert runtime.health.get_readiness_check()["reasons"] == ["shutting down"]


def test_what_produces_samples_ends_before_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.runtime.owner.PRODUCER_SECONDS", 60.0)
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), SystemClock())
    late: list[bool] = []

    def produce(stop: threading.Event) -> None:
        stop.wait()
        late.append(runtime.writer.submit([Sample(NOW, DEPTH, (), 1.0)]).exception(60.0) is None)

    runtime.start()
    runtime._thread("producer", produce, runtime._stop)
    runtime.stop(grace=60.0)
    assert late == [True]


def test_a_source_that_hangs_does_not_take_the_writer_s_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.runtime.owner.PRODUCER_SECONDS", 0.1)
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), SystemClock())
    runtime.start()
    released = threading.Event()

    def hang(_: threading.Event) -> None:
        released.wait(90)

    runtime._thread("hanging", hang, runtime._stop)
    queued = runtime.writer.submit([Sample(NOW, DEPTH, (), 1.0)])
    begun = perf_counter()
    runtime.stop(grace=30.0)
    assert perf_counter() - begun < 30.0
    assert queued.done()
    with pytest.raises(StoreClosed):
        runtime.store.series()
    released.set()


def test_a_store_is_not_closed_under_a_writer_that_is_busy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), SystemClock())
    runtime.start()
    released = threading.Event()
    runtime.writer.call(lambda: released.wait(30))
    late = runtime.writer.submit([Sample(NOW, DEPTH, (), 1.0)])
    with caplog.at_level(logging.ERROR):
        runtime.stop(grace=0.2)
    assert "the writer did not finish within 0.2 s" in caplog.text
    released.set()
    late.result(60.0)
    assert depths(runtime) == [1.0]
    runtime.stop(grace=60.0)


def test_it_is_ready_once_something_is_stored_and_not_while_it_ends(tmp_path: Path, clock: ManualClock) -> None:
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    assert runtime.health.get_readiness_check()["reasons"] == ["nothing has been stored yet"]
    runtime.start()
    eventually(lambda: runtime.health.get_readiness_check()["ready"], seconds=60.0)
    runtime.stop()
    assert runtime.health.get_readiness_check()["reasons"] == ["shutting down"]
    assert runtime.health.get_liveness_check()["alive"]


def test_a_thread_that_has_ended_makes_it_dead(runtime: Runtime) -> None:
    runtime.start()
    runtime._thread("short", lambda _: None, runtime._stop)
    eventually(lambda: runtime.health.get_liveness_check()["reasons"], seconds=60.0)
    found = runtime.health.get_liveness_check()
    assert (found["alive"], found["reasons"]) == (False, ["the thread perf-short has ended"])


def test_a_note_that_could_not_be_left_is_left_later(tmp_path: Path, clock: ManualClock) -> None:
    runtime = Runtime(quiet(tmp_path / "perf.duckdb"), clock)
    in_the_way = ownerfile.path_for(runtime.settings.store.path)
    in_the_way.mkdir()
    runtime.start("http://127.0.0.1:1")
    assert ownerfile.read(runtime.settings.store.path) is None
    assert [path.name for path in tmp_path.iterdir() if ".owner." in path.name] == []
    in_the_way.rmdir()
    runtime._maintain()
    note = ownerfile.read(runtime.settings.store.path)
    runtime.stop()
    assert note is not None
    assert note.url == "http://127.0.0.1:1"


def test_a_locked_store_names_the_address_of_its_owner(runtime: Runtime) -> None:
    with pytest.raises(StoreLocked) as without:
        open_store(runtime.settings.store, runtime.clock)
    assert "it answers at" not in str(without.value)
    ownerfile.write(
        runtime.settings.store.path, Owner(pid=without.value.pid, url="http://127.0.0.1:7", token="t", started=NOW)
    )
    with pytest.raises(StoreLocked, match=r"it answers at http://127\.0\.0\.1:7") as caught:
        open_store(runtime.settings.store, runtime.clock)
    assert caught.value.pid == without.value.pid


def test_upkeep_that_fails_is_the_housekeeper_s_error_and_is_tried_again(clock: ManualClock) -> None:
    runtime = Runtime(quiet(Path("unused"), backend="memory"), clock)
    runtime.start()
    runtime.store.close()
    runtime._maintain()
    failed = runtime._maintenance
    assert failed is not None
    assert isinstance(failed.exception(60.0), StoreClosed)
    with pytest.raises(Exception, match="upkeep failed: memory: the store is closed"):
        runtime._maintain()
    runtime._maintain()
    assert runtime._maintenance is not failed
    runtime.stop()


def test_thresholds_changed_at_run_time_win(runtime: Runtime) -> None:
    runtime.start()
    from perf.views import thresholds

    limit = Threshold(12.0, 34.0)
    thresholds.change(runtime.store, runtime.writer, runtime.clock, "cpu_usage_percent", limit, author="me")
    assert runtime.thresholds()["cpu_usage_percent"] == limit
    assert runtime.thresholds()["cpu_usage_percent"].status(13.0) is Status.DEGRADED


def test_only_sources_that_are_switched_on_are_made(clock: ManualClock) -> None:
    host_only = Settings(sources=SourceSettings(process=ProcessSettings(enabled=False)))
    assert [source.name for source in scheduled_sources(host_only, clock)] == ["host", "disks", "pressure"]
    assert [source.name for source in scheduled_sources(quiet(Path("x")), clock)] == []
