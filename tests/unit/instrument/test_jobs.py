from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from perf.clock import ManualClock
from perf.instrument import jobs
from perf.instrument.jobs import job, retire
from perf.model import HistogramSample, Sample
from perf.record import Recorder
from tests.services import forked


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    return Recorder(clock)


def told(recorder: Recorder) -> dict[str, float]:
    """Metric, or metric and outcome -> newest number, or runs."""
    found: dict[str, float] = {}
    for each in recorder.drain(1.0):
        labels = dict(each.labels)
        if isinstance(each, HistogramSample):
            found[f"{each.metric.name} {labels['outcome']}"] = each.histogram.count
        elif isinstance(each, Sample) and not each.metric.name.startswith("trace_"):
            found[each.metric.name] = each.value
    return found


ANNOUNCED = {"job_expected_interval_seconds": 86_400.0, "job_grace_seconds": 600.0}


def test_a_job_announces_itself_before_it_ever_ran(recorder: Recorder) -> None:
    job("nightly", every="1d", grace="10m", recorder=recorder)
    assert told(recorder) == ANNOUNCED


def test_a_run_tells_its_time_and_when_it_ended_well(recorder: Recorder, clock: ManualClock) -> None:
    @job("nightly", every="1d", grace="10m", recorder=recorder)
    def work(number: int) -> int:
        clock.move(30)
        return number + 1

    assert work(1) == 2
    assert work.__name__ == "work"
    assert told(recorder) == {
        **ANNOUNCED,
        "job_duration_seconds success": 1,
        "job_last_success_timestamp_seconds": 1_700_000_030.0,
        "job_running": 0.0,
    }


def test_a_failure_passes_through_and_is_no_success(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="x"), job("import", recorder=recorder):
        raise ValueError("x")
    assert told(recorder) == {"job_duration_seconds failure": 1, "function_errors_total": 1.0, "job_running": 0.0}


@pytest.mark.parametrize(("code", "outcome"), [(None, "success"), (0, "success"), (3, "failure"), ("bad", "failure")])
def test_leaving_the_program_is_judged_by_its_code(recorder: Recorder, code: object, outcome: str) -> None:
    with pytest.raises(SystemExit), job("script", recorder=recorder):
        sys.exit(code)  # type: ignore[arg-type]
    found = told(recorder)
    assert found[f"job_duration_seconds {outcome}"] == 1
    assert ("job_last_success_timestamp_seconds" in found) is (outcome == "success")


def test_coroutines_are_timed_to_their_end_and_may_be_cancelled(recorder: Recorder) -> None:
    @job("sync", recorder=recorder)
    async def work(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    async def main() -> None:
        assert await work(0) == "done"
        task = asyncio.create_task(work(60))
        await asyncio.sleep(0)
        assert recorder.gauge(RUNNING_METRIC, {"job": "sync"}).value == 1.0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    from perf.instrument.jobs import RUNNING as RUNNING_METRIC

    asyncio.run(main())
    found = told(recorder)
    assert found["job_duration_seconds success"] == 1
    assert found["job_duration_seconds cancelled"] == 1
    assert found["job_running"] == 0.0


def test_runs_that_overlap_are_counted_together(recorder: Recorder) -> None:
    with job("twice", recorder=recorder):
        with job("twice", recorder=recorder):
            assert told(recorder)["job_running"] == 2.0
        assert told(recorder)["job_running"] == 1.0
    assert told(recorder)["job_running"] == 0.0


def test_grace_is_a_tenth_of_the_interval_and_at_least_a_minute(recorder: Recorder) -> None:
    assert job("a", every="5m", recorder=recorder).grace == 60.0
    assert job("b", every="1h", recorder=recorder).grace == 360.0
    assert job("c", every=90, grace=0, recorder=recorder).grace == 0.0


@pytest.mark.parametrize("every", ["soon", -1, float("inf"), float("nan")])
def test_what_is_no_time_is_refused(recorder: Recorder, every: str | float) -> None:
    with pytest.raises(ValueError, match="not a"):
        job("x", every=every, recorder=recorder)


def test_a_retired_job_is_expected_never(recorder: Recorder) -> None:
    job("old", every="1h", recorder=recorder)
    retire("old", recorder=recorder)
    assert told(recorder)["job_expected_interval_seconds"] == 0.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_fork_while_a_run_begins_holds_up_no_run_of_the_child(recorder: Recorder) -> None:
    def work() -> bool:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        with job("child", recorder=recorder):
            return recorder.gauge(jobs.RUNNING, {"job": "child"}).value == 1.0

    with jobs._running:  # as another thread might hold it at that moment
        child = forked(work)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_traced_run_nests_what_it_calls(recorder: Recorder) -> None:
    from perf.record.timers import recorded

    step = recorded(lambda: None, recorder, name="step")
    with job("nightly", recorder=recorder):
        step()
    calls = {
        (dict(each.labels)["caller"], dict(each.labels)["callee"], dict(each.labels)["kind"])
        for each in recorder.drain(1.0)
        if each.metric.name == "trace_calls_total" and isinstance(each, Sample)
    }
    assert calls == {("", "nightly", "job"), ("nightly", "step", "function")}
