"""The recorder: exact counts on any thread, bounded buffers that count what they drop, and drains that lose nothing."""

from __future__ import annotations

import math
import os
import threading
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.clock import ManualClock, SystemClock
from perf.model import Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.model.distribution import bucket_of
from perf.record import Recorder, current
from perf.record.batches import scaled
from perf.record.recorder import OTHER, RecordError
from perf.record.sampling import every

SPEED = Metric("job_duration_seconds", Kind.HISTOGRAM, "s")
JOBS = Metric("jobs_total", Kind.COUNTER)
QUEUE = Metric("queue_length")


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    return Recorder(clock)


def the_histogram(recorder: Recorder, ts: float = 1.0) -> Histogram:
    """The one distribution of a drain."""
    [sample] = [sample for sample in recorder.drain(ts) if isinstance(sample, HistogramSample)]
    return sample.histogram


def test_a_drain_tells_each_observation_once(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED, {"job": "mail"})
    for value in (0.25, 0.5, 0.5, 0.0):
        series.record(value)
    [sample] = recorder.drain(5.0)
    assert sample == HistogramSample(
        5.0,
        SPEED,
        (("job", "mail"),),
        Histogram(count=4, total=1.25, low=0.0, high=0.5, zero=1, buckets={bucket_of(0.25): 1, bucket_of(0.5): 2}),
    )
    assert recorder.drain(6.0) == []
    series.record(1.0)
    assert the_histogram(recorder).count == 1


def test_the_same_labels_in_any_order_are_one_series(recorder: Recorder) -> None:
    one = recorder.distribution(SPEED, {"a": "1", "b": "2"})
    assert recorder.distribution(SPEED, {"b": "2", "a": "1"}) is one
    assert recorder.distribution(SPEED, {"a": "1", "b": "3"}) is not one


def test_what_no_distribution_can_hold_is_counted(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    for value in (math.nan, math.inf, -1.0, 0.5):
        series.record(value)
    assert the_histogram(recorder).count == 1
    assert recorder.dropped() == {"not_finite": 3}
    for value in [math.nan, *[0.5] * 200]:
        series.record(value)
    assert the_histogram(recorder).count == 200
    assert recorder.dropped() == {"not_finite": 4}
    with pytest.raises(ValueError, match="could not convert"):
        series.record("soon")  # type: ignore[arg-type]  # what is tested


def test_a_full_buffer_keeps_the_newest_and_the_count_stays_exact(clock: ManualClock) -> None:
    recorder = Recorder(clock, capacity=100)
    series = recorder.distribution(SPEED)
    for number in range(1, 251):
        series.record(float(number))
    histogram = the_histogram(recorder)
    assert (histogram.count, histogram.low, histogram.high) == (250, 151.0, 250.0)
    assert sum(histogram.buckets.values()) == 250
    assert recorder.dropped() == {"buffer_full": 150}


def test_percentiles_are_those_of_the_raw_durations(recorder: Recorder) -> None:
    raw = np.random.default_rng(7).lognormal(-6, 1.5, 50_000)
    series = recorder.distribution(SPEED)
    for value in raw.tolist():
        series.record(value)
    histogram = the_histogram(recorder)
    assert (histogram.count, histogram.low, histogram.high) == (50_000, raw.min(), raw.max())
    assert histogram.total == pytest.approx(raw.sum())
    for q in (0.5, 0.9, 0.95, 0.99, 0.999):
        true = float(np.percentile(raw, q * 100, method="inverted_cdf"))
        assert histogram.quantile(q) == pytest.approx(true, rel=0.022)


@given(
    st.lists(st.one_of(st.floats(0, 1e12), st.sampled_from([2.0**n for n in range(-29, 30)])), min_size=65, max_size=90)
)
def test_many_at_once_land_where_one_by_one_would(values: list[float]) -> None:
    recorder = Recorder(ManualClock())
    for value in values:
        recorder.distribution(SPEED).record(value)
    found, expected = the_histogram(recorder), Histogram.of(values)
    assert found.buckets == expected.buckets
    assert (found.count, found.zero, found.low, found.high) == (len(values), expected.zero, min(values), max(values))


@given(
    st.dictionaries(st.integers(-500, 500), st.integers(1, 1000), min_size=1),
    st.integers(0, 50),
    st.integers(0, 10_000),
)
def test_scaling_keeps_the_count_exact(buckets: dict[int, int], zero: int, more: int) -> None:
    count = sum(buckets.values()) + zero
    part = Histogram(count=count, total=float(count), low=0.0, high=1.0, zero=zero, buckets=buckets)
    whole = scaled(part, count + more)
    assert whole.count == sum(whole.buckets.values()) + whole.zero == count + more
    for index, n in buckets.items():
        assert abs(whole.buckets.get(index, 0) - n * (count + more) / count) < 1


def test_label_sets_beyond_the_cap_go_together_and_are_counted(clock: ManualClock) -> None:
    recorder = Recorder(clock, label_cap=3)
    for user in range(10):
        recorder.distribution(SPEED, {"user": str(user)}).record(0.5)
    found = {s.labels: s.histogram.count for s in recorder.drain(1.0) if isinstance(s, HistogramSample)}
    assert found == {(("user", "0"),): 1, (("user", "1"),): 1, (("user", "2"),): 1, (("user", OTHER),): 7}
    assert recorder.dropped() == {"labels": 7}
    recorder.counter(JOBS, {"user": "9"}).add()
    assert recorder.drain(2.0)[-1] == Sample(2.0, JOBS, (("user", "9"),), 1.0)


def test_counters_are_running_totals_and_are_repeated(recorder: Recorder) -> None:
    counter = recorder.counter(JOBS)
    counter.add()
    counter.add(2.5)
    counter.add(-1.0)
    assert recorder.drain(1.0) == [Sample(1.0, JOBS, (), 3.5)]
    assert recorder.drain(2.0) == []
    assert recorder.drain(11.0) == [Sample(11.0, JOBS, (), 3.5)]
    for _ in range(3_000):
        counter.add(0.5)
    assert recorder.drain(12.0) == [Sample(12.0, JOBS, (), 1503.5)]


def test_a_counter_that_shows_up_later_began_at_zero(recorder: Recorder) -> None:
    recorder.drain(1.0)
    recorder.counter(JOBS).add(5.0)
    assert recorder.drain(2.0) == [Sample(1.0, JOBS, (), 0.0), Sample(2.0, JOBS, (), 5.0)]


def test_a_gauge_tells_its_present_value(recorder: Recorder) -> None:
    gauge = recorder.gauge(QUEUE)
    assert recorder.drain(1.0) == []
    gauge.set(3)
    gauge.set(4)
    assert recorder.drain(2.0) == [Sample(2.0, QUEUE, (), 4.0)]
    assert recorder.drain(3.0) == []
    gauge.set(math.nan)
    assert recorder.drain(4.0) == []
    assert recorder.dropped() == {"not_finite": 1}


def test_single_numbers_keep_their_times_and_are_bounded(clock: ManualClock) -> None:
    recorder = Recorder(clock, capacity=2)
    for ts in (1.0, 2.0, 3.0):
        recorder.values(QUEUE).put(ts, -ts)
    assert recorder.drain(9.0) == [Sample(2.0, QUEUE, (), -2.0), Sample(3.0, QUEUE, (), -3.0)]
    assert recorder.dropped() == {"buffer_full": 1}


def test_a_metric_has_one_kind(recorder: Recorder) -> None:
    recorder.counter(JOBS)
    with pytest.raises(RecordError, match=r"jobs_total: known as a counter of counters, not a gauge"):
        recorder.gauge(JOBS)
    with pytest.raises(RecordError, match=r"queue_length"):
        recorder.distribution(QUEUE)


def test_64_threads_lose_nothing(recorder: Recorder) -> None:
    start = threading.Barrier(65)

    def work() -> None:
        start.wait()
        for _ in range(500):
            recorder.distribution(SPEED, {"job": "mail"}).record(0.5)
            recorder.counter(JOBS).add()
            recorder.counter(JOBS, {"weight": "2"}).add(2.0)

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    start.wait()
    drained = 0
    while any(thread.is_alive() for thread in threads):
        drained += sum(s.histogram.count for s in recorder.drain(1.0) if isinstance(s, HistogramSample))
    last = recorder.drain(2.0)
    drained += sum(s.histogram.count for s in last if isinstance(s, HistogramSample))
    assert drained == 32_000
    assert recorder.dropped() == {}
    assert recorder.counter(JOBS).total() == 32_000
    assert recorder.counter(JOBS, {"weight": "2"}).total() == 64_000


def test_a_forked_child_starts_empty(recorder: Recorder) -> None:
    series, counter = recorder.distribution(SPEED), recorder.counter(JOBS)
    series.record(0.5)
    counter.add(4.0)
    reading, writing = os.pipe()
    with recorder._draining, recorder._adding:  # as another thread might hold them at that moment
        child = os.fork()
    if child == 0:
        series.record(0.25)
        counter.add()
        told = recorder.drain(1.0)
        os.write(writing, repr([getattr(s, "value", None) or s.histogram.count for s in told]).encode())  # type: ignore[union-attr]
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"[1, 1.0]"
    os.close(reading)
    os.close(writing)
    assert the_histogram(recorder).count == 1
    assert counter.total() == 4.0


def test_sampling_keeps_counts_exact(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    series.sample(10)
    for number in range(20_000):
        series.record(1.0 if number % 2 else 3.0)
    histogram = the_histogram(recorder)
    assert histogram.count == 20_000
    # Gaps are random: a fixed one of ten would have seen only one of the two.
    assert histogram.total == pytest.approx(40_000, rel=0.1)
    series.sample(1)
    series.record(1.0)
    assert the_histogram(recorder).count == 1
    assert recorder.dropped() == {}


def test_calls_without_an_observation_are_counted_with_the_next(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    series.sample(1_000)
    series.record(1.0)
    series.turn = 10
    for _ in range(3):
        series.record(1.0)
    assert the_histogram(recorder).count == 4
    for _ in range(3):
        series.record(1.0)
    assert recorder.drain(2.0) == []
    series.sample(1)
    series.record(1.0)
    assert the_histogram(recorder).count == 4


def test_a_load_above_the_share_is_sampled_until_it_falls(clock: ManualClock) -> None:
    recorder = Recorder(clock)
    recorder.max_share, recorder.call_seconds = 0.01, 440e-9  # with the drain 500 ns: 20,000 calls a second
    busy, quiet = recorder.distribution(SPEED, {"job": "busy"}), recorder.distribution(SPEED, {"job": "quiet"})
    for _ in range(60_000):
        busy.record(0.5)
    quiet.record(0.5)
    clock.move(1.0)
    recorder.drain(clock.now())
    assert recorder.share is not None
    assert recorder.share > 0.026
    assert busy.every >= 3
    assert quiet.every == 1
    clock.move(1.0)
    busy.record(0.5)
    recorder.drain(clock.now())
    assert busy.every == 1


def test_the_busiest_are_sampled_first() -> None:
    assert every([10, 20, 30], 100) == [1, 1, 1]
    assert every([1_000, 10, 20], 130) == [10, 1, 1]
    assert every([], 0) == []
    assert every([5_000, 5_000], 0) == [10_000, 10_000]


def test_totals_take_nothing_from_the_drain(recorder: Recorder) -> None:
    recorder.distribution(SPEED).record(0.5)
    recorder.counter(JOBS).add(2.0)
    recorder.values(QUEUE).put(1.0, 7.0)
    for _ in range(2):
        found = {metric.name: value for metric, _, value in recorder.totals()}
        assert isinstance(found["job_duration_seconds"], Histogram)
        assert found["job_duration_seconds"].count == 1
        assert (found["jobs_total"], found["queue_length"]) == (2.0, 7.0)
    assert len(recorder.drain(1.0)) == 3


def test_a_series_that_breaks_stops_no_other(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = recorder.distribution(SPEED, {"job": "broken"})
    broken.put_ns("soon")  # type: ignore[arg-type]  # what is tested
    recorder.distribution(SPEED, {"job": "whole"}).record(0.5)
    assert the_histogram(recorder).count == 1
    assert recorder.dropped() == {"errors": 1}
    assert "draining job_duration_seconds" in caplog.text


def test_the_process_has_one_recorder() -> None:
    found: list[Recorder] = []
    threads = [threading.Thread(target=lambda: found.append(current())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {current()}


def _observed(told: list[Measurement]) -> int:
    return sum(each.histogram.count for each in told if isinstance(each, HistogramSample))


def test_calls_after_the_last_measured_one_are_counted_at_the_end() -> None:
    recorder = Recorder(SystemClock())
    series = recorder.distribution(SPEED)
    for _ in range(5):
        series.record(0.1)
    assert _observed(recorder.drain(1.0)) == 5
    series.sample(10**9)
    series.turn = 10**9
    for _ in range(1_000):
        series.record(0.1)

    assert _observed(recorder.drain(2.0)) == 0, "they wait for an observation"
    (last,) = [each for each in recorder.drain(3.0, last=True) if isinstance(each, HistogramSample)]

    assert (last.histogram.count, last.histogram.low) == (1_000, 0.1)


@pytest.mark.parametrize("capacity", [100, 5_000])
def test_a_buffer_that_overflows_while_it_is_drained_loses_no_count(capacity: int) -> None:
    recorder = Recorder(SystemClock(), capacity=capacity)
    series = recorder.distribution(SPEED)
    told: list[Measurement] = []
    done = threading.Event()

    def drain() -> None:
        while not done.wait(0.001):
            told.extend(recorder.drain(1.0))

    thread = threading.Thread(target=drain)
    thread.start()
    for number in range(200_000):
        series.record_ns(1_000)
        if number == 150_000:
            series.sample(50)
    done.set()
    thread.join()
    told.extend(recorder.drain(2.0, last=True))

    assert _observed(told) == 200_000
    assert recorder.dropped().get("buffer_full", 0) > 0 or capacity == 5_000


def test_what_found_no_room_just_before_the_end_is_counted(clock: ManualClock) -> None:
    recorder = Recorder(clock, capacity=100)
    series = recorder.distribution(SPEED)
    for _ in range(101):
        series.record(0.5)
    assert _observed(recorder.drain(1.0, last=True)) == 101
    assert recorder.dropped() == {"buffer_full": 1}


def test_threads_that_stand_still_from_one_drain_to_the_next_have_lost_nothing(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    counted, go = threading.Barrier(9), threading.Event()

    def work() -> None:
        series.tick()
        counted.wait()
        go.wait()
        series.put_ns(1_000)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    counted.wait()
    try:
        assert [_observed(recorder.drain(ts)) for ts in (1.0, 2.0, 3.0)] == [0, 0, 0]
    finally:
        go.set()
        for thread in threads:
            thread.join()
    assert _observed(recorder.drain(4.0)) == 8
    assert recorder.dropped() == {}


def test_what_is_no_number_is_refused_where_it_is_recorded(recorder: Recorder) -> None:
    series, counter, gauge = recorder.distribution(SPEED), recorder.counter(JOBS), recorder.gauge(QUEUE)
    for refused in (series.record, counter.add, gauge.set):
        with pytest.raises((TypeError, ValueError)):
            refused("soon")  # type: ignore[arg-type]  # what is tested
    series.record(0.5)
    counter.add(Decimal(2))  # type: ignore[arg-type]  # what is tested
    for amount in (math.inf, math.nan, -1.0):
        counter.add(amount)
    gauge.set(Decimal(3))  # type: ignore[arg-type]  # what is tested
    told = recorder.drain(1.0)
    assert [getattr(each, "value", None) or each.histogram.count for each in told] == [1, 2.0, 3.0]  # type: ignore[union-attr]
    assert recorder.drain(2.0) == []
    assert recorder.dropped() == {}


@pytest.mark.parametrize("moment", [math.nan, math.inf, -1.0, 1e300])
def test_a_number_of_no_time_is_dropped_and_counted(recorder: Recorder, moment: float) -> None:
    recorder.values(QUEUE).put(moment, 1.0)
    recorder.values(QUEUE).put(5.0, 2.0)
    assert recorder.drain(9.0) == [Sample(5.0, QUEUE, (), 2.0)]
    assert recorder.dropped() == {"time": 1}


def test_a_forked_child_measures_its_first_call_however_busy_its_parent(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    series.sample(10_000)
    series.record(0.1)
    series.turn = 10_000
    series.forget()  # as the child of a fork does
    for _ in range(3):
        series.record(0.1)
    assert _observed(recorder.drain(1.0, last=True)) == 3


def test_the_last_drain_knows_what_only_totals_have_seen(recorder: Recorder) -> None:
    series = recorder.distribution(SPEED)
    series.record(0.1)
    recorder.totals()
    series.sample(10_000)
    series.turn = 10_000
    series.record(0.1)
    assert _observed(recorder.drain(1.0, last=True)) == 2
