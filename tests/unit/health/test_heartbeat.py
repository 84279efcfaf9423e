"""The heartbeat probe over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.errors import StoreClosed
from perf.health.probes import heartbeat
from perf.health.probes.heartbeat import HeartbeatProbe, span
from perf.instrument import jobs
from perf.model import Metric, Sample, Status
from perf.ports import MetricStore
from perf.record import Recorder
from perf.runtime import open_store
from perf.settings import StoreSettings

HOUR = 3_600.0
DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[MetricStore]:
    opened = open_store(StoreSettings(path=tmp_path / "perf.duckdb"), clock)
    yield opened
    opened.close()


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    return Recorder(clock)


def probe(store: MetricStore, clock: ManualClock) -> HeartbeatProbe:
    return HeartbeatProbe(store.series, store.read, clock)


def keep(store: MetricStore, recorder: Recorder, clock: ManualClock, **labels: str) -> None:
    """Store what *recorder* tells, as the transport does: with the *labels* of its process."""
    told = [each for each in recorder.drain(clock.now()) if isinstance(each, Sample)]
    kept = [Sample(s.ts, s.metric, tuple(sorted({**dict(s.labels), **labels}.items())), s.value) for s in told]
    store.append(kept)


def test_the_names_are_those_that_jobs_use() -> None:
    assert (
        jobs.EVERY.name,
        jobs.GRACE.name,
        jobs.SUCCESS.name,
    ) == (heartbeat.EVERY, heartbeat.GRACE, heartbeat.SUCCESS)


def test_no_job_is_healthy(store: MetricStore, clock: ManualClock) -> None:
    result = probe(store, clock).check()
    assert (result.status, result.message) == (Status.HEALTHY, "no job told how often it runs")


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (DAY + 600, Status.HEALTHY),
        (DAY + 601, Status.DEGRADED),
        (2 * DAY + 600, Status.DEGRADED),
        (2 * DAY + 601, Status.UNHEALTHY),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_one_missing_run_degrades_and_two_fail(
    tmp_path: Path, clock: ManualClock, recorder: Recorder, age: float, status: Status, restarted: bool
) -> None:
    settings = StoreSettings(path=tmp_path / "perf.duckdb")
    store = open_store(settings, clock)
    with jobs.job("nightly", every="1d", grace="10m", recorder=recorder):
        pass
    keep(store, recorder, clock)
    if restarted:
        store.close()
        store = open_store(settings, clock)
    clock.move(age)
    assert probe(store, clock).check().status is status
    store.close()


def test_the_sentence_says_how_late(store: MetricStore, clock: ManualClock, recorder: Recorder) -> None:
    with jobs.job("nightly", every="1d", recorder=recorder):
        pass
    keep(store, recorder, clock)
    clock.move(27 * HOUR)
    result = probe(store, clock).check()
    assert result.message == "nightly: last success 27 h ago, expected every 1 d"
    assert result.evidence == {"jobs": 1.0, "late": 1.0}


def test_a_job_that_only_announced_itself_is_expected_from_then_on(
    store: MetricStore, clock: ManualClock, recorder: Recorder
) -> None:
    jobs.job("hourly", every="1h", grace="5m", recorder=recorder)
    keep(store, recorder, clock, service="shop")
    clock.move(HOUR)
    assert probe(store, clock).check().message == "1 jobs are on time"
    clock.move(HOUR)
    # Long-lived processes repeat what they told; that is no success.
    keep(store, recorder, clock, service="shop")
    assert probe(store, clock).check().message == (
        "hourly (shop): no success in the 2 h since it was announced, expected every 1 h"
    )


def test_a_job_may_run_on_another_host_each_time(store: MetricStore, clock: ManualClock, recorder: Recorder) -> None:
    for host in ("a", "b"):
        with jobs.job("hourly", every="1h", recorder=recorder):
            pass
        keep(store, recorder, clock, host=host)
        clock.move(HOUR)
    # The process on the first host still lives, and repeats its own older success last.
    store.append([Sample(clock.now(), jobs.SUCCESS, (("host", "a"), ("job", "hourly")), clock.now() - 2 * HOUR)])
    assert probe(store, clock).check().status is Status.HEALTHY


def test_a_failed_run_does_not_count(store: MetricStore, clock: ManualClock, recorder: Recorder) -> None:
    hourly = jobs.job("hourly", every="1h", recorder=recorder)
    with hourly:
        pass
    keep(store, recorder, clock)
    clock.move(1.5 * HOUR)
    with pytest.raises(ValueError, match="x"), hourly:
        raise ValueError("x")
    keep(store, recorder, clock)
    assert probe(store, clock).check().status is Status.DEGRADED


def test_a_retired_job_is_left_out(store: MetricStore, clock: ManualClock, recorder: Recorder) -> None:
    jobs.job("old", every="1h", recorder=recorder)
    keep(store, recorder, clock)
    clock.move(DAY)
    jobs.retire("old", recorder=recorder)
    keep(store, recorder, clock)
    assert probe(store, clock).check().message == "no job told how often it runs"


def test_the_list_of_late_jobs_ends(store: MetricStore, clock: ManualClock) -> None:
    every = Metric(heartbeat.EVERY)
    store.append([Sample(clock.now(), every, (("job", f"j{number}"),), 60.0) for number in range(7)])
    clock.move(HOUR)
    assert probe(store, clock).check().message.endswith("; and 2 more")


def test_a_store_that_cannot_be_read_is_unknown(store: MetricStore, clock: ManualClock) -> None:
    watching = probe(store, clock)
    store.close()
    with pytest.raises(StoreClosed):
        store.series()
    assert watching.check().status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30 s"), (60, "1 min"), (90, "90 s"), (600, "10 min"), (5_400, "90 min"), (93_600, "26 h"), (DAY, "1 d")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text
