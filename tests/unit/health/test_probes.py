"""Each probe: healthy, and every way in which it fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest

from perf.clock import ManualClock
from perf.errors import StoreClosed, StoreError
from perf.health.growth import Growth
from perf.health.probes.application import ApplicationProbe
from perf.health.probes.disk import DiskProbe
from perf.health.probes.loops import LoopsProbe, dead
from perf.health.probes.resources import ResourcesProbe
from perf.health.probes.store import StoreProbe
from perf.model import (
    Aggregate,
    Beat,
    Labels,
    Level,
    Metric,
    RangeQuery,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    Status,
    StoreUsage,
    Threshold,
    WriterStats,
)
from tests.services import eventually

MIB = 2**20
LIMITS = {
    "cpu_usage_percent": Threshold(80.0, 95.0),
    "memory_usage_percent": Threshold(90.0, 97.0),
    "disk_usage_percent": Threshold(85.0, 95.0),
    "swap_usage_percent": Threshold(50.0, 90.0),
}


class State(msgspec.Struct, frozen=True, kw_only=True):
    queued: int = 0
    dropped: dict[str, int] = {}
    last_commit: float | None = 0.0
    stuck: str | None = None


def usage(**changes: object) -> StoreUsage:
    empty = StoreUsage(location="x", file_bytes=1, wal_bytes=0, free_bytes=1024 * MIB, series=0, levels=())
    return msgspec.structs.replace(empty, **changes)


def no_rows(query: RowsQuery) -> Rows:
    return Rows(ts=np.empty(0), sids=np.empty(0, np.int32), values=np.empty(0), series={}, total=0, capped=False)


def store_probe(clock: ManualClock, state: State, found: StoreUsage | None = None) -> StoreProbe:
    return StoreProbe(no_rows, lambda: found or usage(), lambda: state, clock, wal_limit=16 * MIB, capacity=1000)


def test_store_is_healthy_when_it_answers_and_commits() -> None:
    clock = ManualClock()
    probe = store_probe(clock, State(last_commit=0.0))
    clock.move(2)
    result = probe.check()
    assert (result.status, result.message) == (Status.HEALTHY, "reads answer, last commit 2 s ago")


@pytest.mark.parametrize(("age", "status"), [(30, Status.HEALTHY), (31, Status.DEGRADED), (121, Status.UNHEALTHY)])
@pytest.mark.parametrize("last_commit", [0.0, None])
def test_store_without_commits_degrades_then_fails(age: float, status: Status, last_commit: float | None) -> None:
    clock = ManualClock()
    probe = store_probe(clock, State(last_commit=last_commit))
    clock.move(age)
    assert probe.check().status is status


@pytest.mark.parametrize(("queued", "status"), [(500, Status.HEALTHY), (501, Status.DEGRADED), (951, Status.UNHEALTHY)])
def test_store_with_a_long_queue_degrades_then_fails(queued: int, status: Status) -> None:
    assert store_probe(ManualClock(), State(queued=queued)).check().status is status


def test_store_that_takes_nothing_is_unhealthy_and_says_why() -> None:
    result = store_probe(ManualClock(), State(stuck="disk full")).check()
    assert (result.status, result.message) == (Status.UNHEALTHY, "nothing can be written: disk full")


def test_store_that_drops_samples_is_degraded_for_a_minute() -> None:
    clock = ManualClock()
    state = State(dropped={"queue_full": 7}, last_commit=1e9)
    probe = store_probe(clock, state)
    assert (probe.check().status, probe.check().message) == (
        Status.DEGRADED,
        "samples are being dropped (queue_full: 7 so far)",
    )
    clock.move(60)
    assert probe.check().status is Status.HEALTHY


@pytest.mark.parametrize(("wal", "status"), [(64 * MIB, Status.HEALTHY), (65 * MIB, Status.DEGRADED)])
def test_store_with_a_log_above_four_times_its_limit_is_degraded(wal: int, status: Status) -> None:
    assert store_probe(ManualClock(), State(), usage(wal_bytes=wal)).check().status is status


def test_store_problems_are_repeated() -> None:
    result = store_probe(ManualClock(), State(), usage(problems=("the file was corrupt",))).check()
    assert (result.status, result.message) == (Status.DEGRADED, "the file was corrupt")


def test_store_that_can_not_be_read_is_unhealthy() -> None:
    def broken(query: RowsQuery) -> Rows:
        raise StoreClosed("the store has been closed")

    probe = StoreProbe(broken, usage, State, ManualClock(), wal_limit=1, capacity=1)
    result = probe.check()
    assert (result.status, result.message) == (
        Status.UNHEALTHY,
        "the store can't be read: the store has been closed",
    )


def resources(values: Mapping[str, Sequence[float]]) -> ResourcesProbe:
    def read(query: RangeQuery) -> list[Series]:
        assert query.window.seconds == 60.0
        found = np.array(values.get(query.selector.metric, ()), float)
        ts = np.arange(len(found), dtype=float)
        return [
            Series(
                metric=Metric(query.selector.metric),
                labels=(),
                aggregate=Aggregate.AVG,
                step=query.step,
                level=Level.RAW,
                ts=ts,
                values=found,
                low=found,
                high=found,
            )
        ] * bool(len(found))

    return ResourcesProbe(read, lambda: LIMITS, ManualClock())


def test_resources_are_healthy_and_swap_may_be_absent() -> None:
    result = resources({"cpu_usage_percent": [10.0, 20.0], "memory_usage_percent": [50.0]}).check()
    assert (result.status, result.evidence) == (
        Status.HEALTHY,
        {"cpu_usage_percent": 15.0, "memory_usage_percent": 50.0},
    )
    assert result.message == "CPU 15.0 %, memory 50.0 %"


def test_one_spike_is_no_outage() -> None:
    cpu = [100.0, *[10.0] * 11]
    assert resources({"cpu_usage_percent": cpu, "memory_usage_percent": [1.0]}).check().status is Status.HEALTHY


@pytest.mark.parametrize(("mean", "status", "limit"), [(81.0, Status.DEGRADED, 80), (96.0, Status.UNHEALTHY, 95)])
def test_a_minute_above_a_threshold_counts(mean: float, status: Status, limit: int) -> None:
    result = resources({"cpu_usage_percent": [mean] * 3, "memory_usage_percent": [1.0]}).check()
    assert result.status is status
    assert result.message == f"CPU was {mean} % on average over the last 60 s (limit {limit} %)"


def test_full_swap_counts_where_there_is_swap() -> None:
    values = {"cpu_usage_percent": [1.0], "memory_usage_percent": [1.0], "swap_usage_percent": [91.0]}
    assert resources(values).check().status is Status.UNHEALTHY


def test_resources_nobody_measured_are_unknown() -> None:
    result = resources({"memory_usage_percent": [1.0]}).check()
    assert (result.status, result.message) == (Status.UNKNOWN, "no value of CPU in the last 60 s")


def test_resources_of_a_store_that_fails_are_unknown() -> None:
    def read(query: RangeQuery) -> list[Series]:
        raise StoreError("it broke")

    result = ResourcesProbe(read, lambda: LIMITS, ManualClock()).check()
    assert (result.status, result.message) == (Status.UNKNOWN, "could not read: it broke")


def mount(path: str, percent: float, ts: float | None) -> SeriesInfo:
    labels: Labels = (("mount", path),)
    return SeriesInfo(1, Metric("disk_usage_percent"), labels, 0.0, ts, percent)


def disk(found: StoreUsage, mounts: Sequence[SeriesInfo], clock: ManualClock) -> DiskProbe:
    def latest(selector: Selector) -> Sequence[SeriesInfo]:
        assert selector == Selector("disk_usage_percent")
        return mounts

    return DiskProbe(lambda: found, latest, lambda: LIMITS, clock, floor=256 * MIB)


def test_disk_with_room_is_healthy() -> None:
    clock = ManualClock()
    result = disk(usage(), [mount("/", 40.0, clock.now())], clock).check()
    assert (result.status, result.message) == (Status.HEALTHY, "1.0 GiB free for the store")
    assert result.evidence == {"store_free_bytes": 1024.0 * MIB, "disk_usage_percent:/": 40.0}


@pytest.mark.parametrize(
    ("free", "status", "message"),
    [
        (512 * MIB, Status.HEALTHY, "0.5 GiB free for the store"),
        (511 * MIB, Status.DEGRADED, "511 MiB free for the store, close to the floor of 256 MiB"),
        (255 * MIB, Status.UNHEALTHY, "255 MiB free for the store, below the floor of 256 MiB"),
    ],
)
def test_disk_below_the_floor_is_unhealthy(free: int, status: Status, message: str) -> None:
    result = disk(usage(free_bytes=free), [], ManualClock()).check()
    assert (result.status, result.message) == (status, message)


@pytest.mark.parametrize(
    ("percent", "status"), [(85.0, Status.HEALTHY), (86.0, Status.DEGRADED), (96.0, Status.UNHEALTHY)]
)
def test_a_full_mount_counts_by_its_threshold(percent: float, status: Status) -> None:
    clock = ManualClock()
    result = disk(usage(), [mount("/data", percent, clock.now()), mount("/", 1.0, clock.now())], clock).check()
    assert result.status is status
    assert (status is Status.HEALTHY) or f"/data is {percent} % full" in result.message


def test_a_mount_that_is_gone_does_not_count() -> None:
    clock = ManualClock()
    mounts = [mount("/usb", 99.0, clock.now() - 181), mount("/old", 99.0, None)]
    assert disk(usage(), mounts, clock).check().status is Status.HEALTHY


def test_disk_of_a_store_without_a_volume_and_mounts_is_unknown() -> None:
    result = disk(usage(free_bytes=None), [], ManualClock()).check()
    assert (result.status, result.message) == (Status.UNKNOWN, "nothing was measured")


def test_disk_that_can_not_be_looked_at_is_unknown() -> None:
    def broken() -> StoreUsage:
        raise OSError("input/output error")

    result = DiskProbe(broken, lambda _: (), lambda: LIMITS, ManualClock(), floor=1).check()
    assert (result.status, result.message) == (Status.UNKNOWN, "could not look: input/output error")


def loops(clock: ManualClock, *beats: Beat, problems: Sequence[str] = ()) -> LoopsProbe:
    return LoopsProbe(lambda: beats, clock, problems=lambda: problems)


def test_loops_on_time_are_healthy() -> None:
    clock = ManualClock()
    probe = loops(clock, Beat(name="a", interval=1.0, last=0.0), Beat(name="b", interval=10.0, last=0.0))
    clock.move(6.0)
    result = probe.check()
    assert (result.status, result.message) == (Status.HEALTHY, "2 loops run on time")
    assert result.evidence == {"loops": 2.0, "oldest_beat_seconds": 6.0, "errors": 0.0}


@pytest.mark.parametrize(
    ("interval", "age", "status"),
    [
        (1.0, 6.0, Status.HEALTHY),
        (1.0, 6.5, Status.DEGRADED),
        (1.0, 61.5, Status.UNHEALTHY),
        (10.0, 30.0, Status.HEALTHY),
        (10.0, 31.0, Status.DEGRADED),
        (10.0, 101.0, Status.UNHEALTHY),
    ],
)
def test_a_late_loop_degrades_and_a_dead_one_fails(interval: float, age: float, status: Status) -> None:
    clock = ManualClock()
    probe = loops(clock, Beat(name="a", interval=interval, last=0.0))
    clock.move(age)
    assert probe.check().status is status


def test_no_loops_at_all_is_unhealthy() -> None:
    result = loops(ManualClock()).check()
    assert (result.status, result.message) == (Status.UNHEALTHY, "no loop runs")


def test_an_error_of_a_loop_shows_for_a_minute() -> None:
    clock = ManualClock()
    beat = Beat(name="sampler", interval=3600.0, last=0.0, errors=3)
    probe = loops(clock, beat)
    result = probe.check()
    assert (result.status, result.message) == (Status.DEGRADED, "loop sampler fails (3 errors)")
    clock.move(60)
    assert probe.check().status is Status.HEALTHY


def test_problems_inside_a_loop_degrade() -> None:
    clock = ManualClock()
    result = loops(clock, Beat(name="a", interval=1.0, last=0.0), problems=["source host fails"]).check()
    assert (result.status, result.message) == (Status.DEGRADED, "source host fails")


def test_dead_names_the_loop_and_its_silence() -> None:
    beats = [Beat(name="writer", interval=1.0, last=0.0), Beat(name="sampler", interval=1.0, last=99.0)]
    assert dead(beats, 100.0) == ["loop writer gave no sign of life for 100 s (it runs every 1 s)"]


def test_growth_forgets_after_its_seconds_and_ignores_a_restart() -> None:
    growth = Growth(60.0)
    assert not growth.recent("a", 0, 0.0)
    assert growth.recent("a", 2, 10.0)
    assert growth.recent("a", 2, 69.0)
    assert not growth.recent("a", 2, 70.0)
    assert not growth.recent("a", 0, 71.0)
    assert growth.recent("a", 1, 72.0)


def application(*infos: SeriesInfo, queued: int = 0) -> ApplicationProbe:
    def latest(selector: Selector) -> list[SeriesInfo]:
        return [info for info in infos if selector.matches(info.metric.name, info.labels)]

    stats = WriterStats(stored=0, dropped={}, commits=1, commit_seconds=0.0, queued=queued, last_commit=0.0, stuck=None)
    return ApplicationProbe(latest, lambda: stats, ManualClock(), capacity=100)


def counted(name: str, value: float, age: float = 5.0, service: str = "shop") -> SeriesInfo:
    now = ManualClock().now()
    labels: Labels = (("service", service),)
    return SeriesInfo(
        sid=1, metric=Metric(name), labels=labels, first_seen=now - age, last_ts=now - age, last_value=value
    )


def test_the_application_counts_its_threads() -> None:
    def right() -> bool:
        return application().check().evidence["threads"] == threading.active_count()

    eventually(right)  # those of other tests may end meanwhile
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        eventually(right)
    finally:
        over.set()
        thread.join()


def test_the_application_counts_its_files_and_who_uses_it() -> None:
    infos = [counted("streamlit_sessions", 2.0), counted("streamlit_sessions", 3.0, service="other")]
    found = application(*infos, counted("job_running", 7.0, age=300.0)).check()
    assert found.status is Status.HEALTHY
    assert 0 < found.evidence["open_files"] < found.evidence["max_open_files"]
    assert (found.evidence["sessions"], "jobs" in found.evidence) == (5.0, False)
    assert found.message.endswith(" threads, sessions: 5")


@pytest.mark.parametrize(
    ("metric", "label", "said"),
    [
        ("perf_record_dropped_total", "errors", "recording failed inside perf (3 so far)"),
        ("perf_send_batches_total", "spool_full", "batches that a program sent were lost (3 so far)"),
        ("perf_send_batches_total", "refused_400", "batches that a program sent were lost (3 so far)"),
    ],
)
def test_the_application_tells_for_a_minute_what_recording_loses(metric: str, label: str, said: str) -> None:
    clock, values = ManualClock(), {label: 2.0, "sent": 9.0, "spooled": 5.0}
    name = "reason" if metric == "perf_record_dropped_total" else "result"
    first = {label: clock.now() - 5.0}

    def latest(selector: Selector) -> list[SeriesInfo]:
        infos = [
            SeriesInfo(sid=n, metric=Metric(metric), labels=((name, text),), first_seen=first.get(text, clock.now()),
                       last_ts=clock.now(), last_value=value)
            for n, (text, value) in enumerate(values.items())
        ]  # fmt: skip
        return [info for info in infos if selector.matches(info.metric.name, info.labels)]

    stats = WriterStats(stored=0, dropped={}, commits=1, commit_seconds=0.0, queued=0, last_commit=0.0, stuck=None)
    probe = ApplicationProbe(latest, lambda: stats, clock, capacity=100)
    assert probe.check().status is Status.HEALTHY  # What was lost before is no news.
    values[label] = 3.0
    found = probe.check()
    assert (found.status, found.message) == (Status.DEGRADED, said)
    clock.move(61.0)
    assert probe.check().status is Status.HEALTHY


@pytest.mark.parametrize(("queued", "status"), [(50, Status.HEALTHY), (51, Status.DEGRADED), (96, Status.UNHEALTHY)])
def test_the_application_tells_a_queue_that_fills(queued: int, status: Status) -> None:
    found = application(queued=queued).check()
    assert found.status is status
    assert (f"{queued} samples wait to be written, 100 fit" in found.message) is (status is not Status.HEALTHY)


def test_the_application_tells_threads_and_files_that_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.health.probes.application.THREADS", (0.0, 1_000_000.0))
    monkeypatch.setattr("perf.health.probes.application.FILES_PERCENT", (0.0, 0.0))
    found = application().check()
    assert found.status is Status.UNHEALTHY
    assert "open files are in use" in found.message
    assert "threads run" in found.message
