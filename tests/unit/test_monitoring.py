"""The promised names of perf.monitoring, used as programs use them, and the examples of its guide."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

import perf
from perf import default, monitoring
from perf.clock import ManualClock, SystemClock
from perf.errors import SettingsError
from perf.model import HistogramSample, Kind, Metric, Sample
from perf.monitoring import (
    DatabaseOperationMixin,
    PerformanceMetric,
    PerformanceMetricType,
    PerformanceMonitor,
    PerformanceTimer,
    async_performance_timer,
    get_performance_monitor,
    log_processing_step,
    monitor_performance,
    start_performance_monitoring,
    track_performance,
)
from perf.record import Recorder
from perf.record import recorder as recorders
from perf.record.recorder import RecordError
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.transport.spool import Spool
from tests.services import environment, eventually, free_port
from tests.unit.transport.collector import Collector

QUIET = SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False))


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> PerformanceMonitor:
    """The process's monitor, recording into an empty recorder."""
    assert default.sender() is None
    monkeypatch.setattr(recorders, "_current", Recorder(clock))
    return get_performance_monitor()


@pytest.fixture
def runtime(monitor: PerformanceMonitor) -> Iterator[Runtime]:
    """The process's runtime, in memory, open but not started."""
    made = Runtime(Settings(store=StoreSettings(backend="memory"), sources=QUIET), SystemClock())
    default.install(made)
    yield made
    default.install(None)


def test_the_names_work_as_promised(monitor: PerformanceMonitor) -> None:
    assert monitor is get_performance_monitor()

    @monitor.track_function_performance("data_processing")
    def process(n: int) -> int:
        return n

    @track_performance("benchmark_test")
    async def benchmark() -> int:
        return 2

    @monitor_performance("processing")
    def rows() -> Iterator[int]:
        yield 3

    @monitor_performance
    def bare() -> int:
        return 4

    async def fetch() -> None:
        async with async_performance_timer("fetch", "api") as timer:
            await asyncio.sleep(0)
        assert timer.duration_ms > 0

    monitor.add_custom_metric("user_login", 1, "authentication")
    assert (process(1), asyncio.run(benchmark()), list(rows()), bare()) == (1, 2, [3], 4)
    with monitor.track_page_load("overview"):
        pass
    with PerformanceTimer("custom_operation", "processing") as timer:
        pass
    assert timer.duration_ms > 0
    asyncio.run(fetch())
    log_processing_step("data_validation", duration_ms=125.5, items_processed=100)
    summary = monitor.get_performance_summary(hours=24)
    assert summary["function_avg_duration_data_validation"] == pytest.approx(0.1255)
    assert 0 < summary["function_avg_duration_benchmark_test"] < 60
    calls = {key.rpartition("_")[2].rpartition(".")[2] for key in summary if key.startswith("function_call_count_")}
    assert calls == {"processing", "test", "rows", "bare", "operation", "fetch", "validation"}
    assert summary["page_loads"]["overview"]["load_count"] == 1
    assert summary["custom_metrics"] == {"user_login": 1.0}


@pytest.fixture
def alone(monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A process whose owner is away: nobody listens where it sends. No sender outlives the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("perf.transport.sender.GRACE", 60.0)  # A quarter of it is how long an answer is waited for.
    monkeypatch.setenv("PERF_SEND__URL", f"http://127.0.0.1:{free_port()}")
    yield tmp_path
    monitor.stop_monitoring()


def test_a_type_may_be_its_text_and_an_unknown_one_is_named() -> None:
    text: Any = "cpu_usage"
    metric = PerformanceMetric(metric_type=text, value=75.5)
    assert (metric.metric_type, metric.status) == (PerformanceMetricType.CPU_USAGE, "unhealthy")
    text = "colour"
    with pytest.raises(RecordError, match=r"metric_type: 'colour' is not a valid .*; known: cpu_usage, memory_usage"):
        PerformanceMetric(metric_type=text, value=1.0)


def test_starting_stopping_and_recording_can_be_awaited_or_not(monitor: PerformanceMonitor, alone: Path) -> None:
    metric = PerformanceMetric(metric_type=PerformanceMetricType.CPU_USAGE, value=75.5)

    async def main() -> None:
        await monitor.start_monitoring()
        await monitor.record_metric(metric)
        await monitor.stop_monitoring()

    asyncio.run(main())
    assert default.sender() is None
    monitor.start_monitoring()
    assert default.sender() is not None
    monitor.record_metric(metric)
    monitor.stop_monitoring()
    assert default.sender() is None
    assert start_performance_monitoring() is monitor
    monitor.stop_monitoring()


def test_a_program_sends_and_never_opens_the_store(monitor: PerformanceMonitor, alone: Path) -> None:
    monitor.start_monitoring("shop")
    sender = default.sender()
    monitor.start_monitoring("other")
    assert default.sender() is sender
    log_processing_step("step", duration_ms=1.0)
    monitor.stop_monitoring()
    assert sorted(file.name for file in (alone / "data").iterdir()) == ["perf.spool"]
    with closing(Spool(alone / "data" / "perf.spool", SystemClock())) as spool:
        batch = spool.oldest("test")
    assert batch is not None
    (block,) = ExportMetricsServiceRequest.FromString(gzip.decompress(batch.body)).resource_metrics
    told = {pair.key: pair.value.string_value for pair in block.resource.attributes}
    assert told["service.name"] == "shop"


def test_counts_of_a_program_that_stopped_and_starts_again_are_sent_once(
    monitor: PerformanceMonitor, alone: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    monkeypatch.setenv("PERF_SEND__URL", collector.url)
    for items in (5, 3):
        log_processing_step("step", duration_ms=1.0, items_processed=items)
        monitor.start_monitoring()
        monitor.stop_monitoring()
    collector.close()
    assert [value for _, name, value in collector.sums if name == "processing_items_total" and value] == [5.0, 3.0]


def test_what_is_switched_off_or_wrong_does_not_send(
    monitor: PerformanceMonitor, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERF_SEND__ENABLED", "false")
    monitor.start_monitoring()
    assert default.sender() is None
    monkeypatch.setenv("PERF_SEND__ENABLED", "true")
    monkeypatch.setenv("PERF_SEND__URL", "file:///etc/passwd")
    with pytest.raises(SettingsError, match="send: not an http address"):
        monitor.start_monitoring()


def test_a_process_that_becomes_an_owner_sends_no_more(monitor: PerformanceMonitor, alone: Path) -> None:
    monitor.start_monitoring()
    made = Runtime(Settings(store=StoreSettings(backend="memory"), sources=QUIET), SystemClock())
    default.install(made)
    try:
        assert default.sender() is None
        monitor.start_monitoring()
        assert default.sender() is None
    finally:
        default.install(None)


@pytest.mark.parametrize("start", ["fork", "spawn", "os.fork", "atexit"])
def test_a_short_program_and_its_children_deliver_everything(tmp_path: Path, root: Path, start: str) -> None:
    collector = Collector()
    code = (
        "import os, sys\n"
        "from perf.transport import sender\n"
        "sender.GRACE = 60.0\n"
        "from perf.monitoring import get_performance_monitor, log_processing_step, start_performance_monitoring\n"
        "def work(n):\n"
        "    start_performance_monitoring('short')\n"
        "    log_processing_step('step', duration_ms=1.0, items_processed=n)\n"
        "if __name__ == '__main__':\n"
        "    work(1)\n"
        "    how = sys.argv[1]\n"
        "    if how == 'os.fork':\n"
        "        child = os.fork()\n"
        "        work(20)\n"
        "        if child: os.waitpid(child, 0)\n"
        "    elif how != 'atexit':\n"
        "        import multiprocessing\n"
        "        child = multiprocessing.get_context(how).Process(target=work, args=(20,))\n"
        "        child.start(); child.join()\n"
    )
    program = tmp_path / "short.py"
    program.write_text(code, encoding="utf-8")
    env = environment(PERF_SEND__URL=collector.url)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), start],
        cwd=tmp_path, env=env, check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    collector.close()
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"atexit": [1.0], "os.fork": [20.0, 21.0]}.get(start, [1.0, 20.0])
    by_producer = Counter[str]()
    for producer, name, value in collector.sums:
        by_producer[producer] += value if name == "processing_items_total" else 0
    assert sorted(by_producer.values()) == expected
    assert not (tmp_path / "data").exists()


def test_a_program_ends_soon_although_its_receiver_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code = (
            "from perf.monitoring import log_processing_step, start_performance_monitoring\n"
            "start_performance_monitoring('short')\n"
            "log_processing_step('step', duration_ms=1.0)\n"
        )
        env = environment(PERF_SEND__URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True, timeout=60)
        assert perf_counter() - began < 15.0
    with closing(Spool(tmp_path / "data" / "perf.spool", SystemClock())) as spool:
        # One, and another of what the sender tells of itself, if a second passed before the end.
        assert spool.waiting() in (1, 2)


def test_stopping_leaves_a_runtime_of_others_alone(monitor: PerformanceMonitor, runtime: Runtime) -> None:
    monitor.start_monitoring()
    monitor.stop_monitoring()
    assert default.running() is runtime


def test_a_metric_by_hand_keeps_its_time_and_tags(monitor: PerformanceMonitor) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for timestamp in (moment, moment.replace(tzinfo=None), moment.timestamp()):
        monitor.record_metric(
            PerformanceMetric(
                metric_type=PerformanceMetricType.DISK_IO,
                value=12.0,
                timestamp=timestamp,
                context={"why": "test"},
                tags={"disk": "sda"},
            )
        )
    labels = (("category", "performance"), ("disk", "sda"), ("name", "disk_io"))
    told = monitor.recorder.drain(1.0)
    assert told == [Sample(moment.timestamp(), monitoring.CUSTOM, labels, 12.0)] * 3


def test_every_type_has_its_threshold() -> None:
    assert {kind.threshold.warning > 0 for kind in PerformanceMetricType} == {True}
    hot = PerformanceMetric(metric_type=PerformanceMetricType.CPU_USAGE, value=75.5)
    assert hot.status == "unhealthy"


def test_database_operations_and_requests_are_tables(monitor: PerformanceMonitor) -> None:
    class Trips(DatabaseOperationMixin):
        def find(self) -> None:
            with self.track_operation("find", "trips"):
                pass

    Trips().find()
    Trips().record_operation("find", "trips", duration_ms=30.0)
    request = Metric("http_server_request_duration_seconds", kind=monitoring.PAGE.kind, unit="s")
    for status, seconds in (("200", 0.010), ("500", 0.030)):
        labels = {"http_request_method": "GET", "http_route": "/api/trips", "http_response_status_code": status}
        monitor.recorder.distribution(request, labels).record(seconds)
    summary = monitor.get_performance_summary()
    assert summary["api_requests"] == {
        "GET:/api/trips": {
            "request_count": 2,
            "avg_duration_ms": pytest.approx(20.0),
            "max_duration_ms": 30.0,
            "min_duration_ms": 10.0,
        }
    }
    operations = summary["database_operations"]["find:trips"]
    assert (operations["operation_count"], operations["max_duration_ms"]) == (2, 30.0)
    assert 15.0 <= summary["avg_query_time_ms"] < 20.0
    assert summary["error_rate_percent"] == 50.0
    # 30 points for response times, 20 for the database, 25 for errors, which are all lost at 10 %.
    assert summary["system_health_score"] == pytest.approx(100 * 50 / 75)
    assert summary["cache_hit_rate_percent"] is None


def test_the_summary_knows_how_the_caches_of_the_program_did(monitor: PerformanceMonitor) -> None:
    requests = Metric("cache_requests_total", kind=Kind.COUNTER)
    for tier, count in (("memory", 50.0), ("redis", 10.0), ("load", 40.0)):
        monitor.recorder.counter(requests, {"cache": "shop", "result": "hit", "tier": tier}).add(count)
    summary = monitor.get_performance_summary()
    assert summary["cache_hit_rate_percent"] == pytest.approx(60.0)
    assert summary["system_health_score"] == pytest.approx(
        50.0
    )  # half way from 85 to 35, and nothing else was measured


def test_what_has_no_data_is_none_never_zero(monitor: PerformanceMonitor) -> None:
    summary = monitor.get_performance_summary(hours=24)
    assert {key for key, value in summary.items() if value is None} == {
        "avg_query_time_ms",
        "cache_hit_rate_percent",
        "system_health_score",
        "error_rate_percent",
        "cpu_usage_percent",
        "memory_usage_percent",
        "memory_usage_mb",
    }
    assert 0 not in [value for value in summary.values() if isinstance(value, (int, float))]


SENT = ((20.0, "a", 9.0), (5.0, "b", 8.0), (7_200.0, "c", 7.0))


def test_the_owner_answers_from_its_store(monitor: PerformanceMonitor, runtime: Runtime) -> None:
    now = runtime.clock.now()
    runtime.start()
    try:
        runtime.writer.submit(
            [
                Sample(now - 5, Metric("cpu_usage_percent", unit="%"), (), 40.0),
                Sample(now - 5, Metric("process_memory_bytes", unit="By"), (), 64.0 * 2**20),
                *(
                    Sample(now - age, monitoring.CUSTOM, (("name", "queue"), ("tag", tag)), value)
                    for age, tag, value in SENT
                ),
            ]
        ).result(60)
        log_processing_step("step", duration_ms=500.0)
        known = runtime.store.series
        eventually(lambda: [one for one in known() if one.metric.name == "function_duration_seconds"], seconds=60.0)
        log_processing_step("other", duration_ms=500.0)
        monitor_summary = PerformanceMonitor(clock=SystemClock()).get_performance_summary(hours=1)
    finally:
        runtime.stop()
    assert monitor_summary["cpu_usage_percent"] == 40.0
    assert monitor_summary["system_health_score"] == 100.0  # CPU is the only part that was measured.
    assert monitor_summary["memory_usage_mb"] == 64.0
    assert monitor_summary["custom_metrics"]["queue"] == 8.0  # the newest of both series
    assert monitor_summary["function_avg_duration_step"] == pytest.approx(0.5)
    assert monitor_summary["function_avg_duration_other"] == pytest.approx(0.5)


def test_the_runtime_stores_what_is_recorded_and_what_it_costs(monitor: PerformanceMonitor, runtime: Runtime) -> None:
    appended: list[object] = []
    append = runtime.store.append
    runtime.store.append = lambda samples, batches=(): (appended.extend(samples), append(samples, batches))[1]  # type: ignore[method-assign]
    runtime.start()
    eventually(lambda: [s for s in appended if s.metric.name == "perf_record_call_seconds"], seconds=60.0)
    log_processing_step("step", duration_ms=500.0)
    runtime.stop()
    assert [s.histogram.count for s in appended if isinstance(s, HistogramSample)] == [1]
    assert "drain" in {beat.name for beat in runtime.beats()}


def test_importing_it_is_cheap(root: Path) -> None:
    code = (
        "import perf.monitoring, sys\n"
        "heavy = {'numpy', 'duckdb', 'pandas', 'starlette', 'psutil', 'streamlit', 'asyncio', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "import threading; print(threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n1\n"


def test_perf_offers_the_common_names() -> None:
    assert perf.track_performance is track_performance
    assert {getattr(perf, name) for name in perf.__all__} <= {getattr(monitoring, name) for name in monitoring.__all__}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        perf.nothing  # noqa: B018 - what is tested


def test_the_examples_of_the_guide_run(root: Path, monitor: PerformanceMonitor) -> None:
    guide = (root / "docs" / "guides" / "recording.md").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "guide"}
    examples = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        exec(compile(example, "recording.md", "exec"), names)
