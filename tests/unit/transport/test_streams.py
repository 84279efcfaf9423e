from __future__ import annotations

from perf.model import Kind, Labels, Metric, Sample
from perf.transport.buckets import Explicit
from perf.transport.streams import FORGET_AFTER, SILENT_AFTER, TICK, Streams

JOBS = Metric("jobs_total", Kind.COUNTER)
ACTIVE = Metric("active", unit="{request}")
NONE: Labels = ()
A, B = ("a", "jobs"), ("b", "jobs")


def test_a_stream_begun_since_we_listen_counts_from_zero() -> None:
    assert Streams(100.0).increase(A, (100.0, 101.0), 7.0, now=101.0) == 7.0


def test_what_was_counted_before_we_listened_is_not_new() -> None:
    streams = Streams(100.0)
    assert streams.increase(A, (50.0, 101.0), 7.0, now=101.0) == 0.0
    assert streams.increase(A, (50.0, 102.0), 9.0, now=102.0) == 2.0


def test_a_repeated_point_is_told_by_its_time() -> None:
    streams = Streams(100.0)
    streams.increase(A, (100.0, 101.0), 7.0, now=101.0)
    assert streams.increase(A, (100.0, 101.0), 7.0, now=102.0) is None


def test_a_sender_that_began_anew_is_told_by_its_start_or_a_smaller_number() -> None:
    streams = Streams(100.0)
    streams.increase(A, (100.0, 101.0), 7.0, now=101.0)
    assert streams.increase(A, (101.5, 102.0), 9.0, now=102.0) == 9.0
    assert streams.increase(A, (0.0, 103.0), 4.0, now=103.0) == 4.0


def test_what_was_not_kept_is_an_increase_again() -> None:
    streams = Streams(100.0)
    streams.increase(A, (100.0, 101.0), 7.0, now=101.0)
    streams.discard()
    assert streams.increase(A, (100.0, 101.0), 7.0, now=101.0) == 7.0
    streams.keep(101.0)
    assert streams.increase(A, (100.0, 101.0), 7.0, now=101.0) is None


def test_a_total_begins_with_a_zero_and_adds_up_over_senders() -> None:
    streams = Streams(100.0)
    assert streams.total(JOBS, NONE, (101.0, 102.0), 3.0, now=102.0) == [
        Sample(101.0, JOBS, NONE, 0.0),
        Sample(102.0, JOBS, NONE, 3.0),
    ]
    assert streams.total(JOBS, NONE, (102.0, 103.0), 2.0, now=103.0) == [Sample(103.0, JOBS, NONE, 5.0)]


def test_a_late_increase_counts_at_the_newest_time_so_that_a_total_never_falls() -> None:
    streams = Streams(100.0)
    streams.total(JOBS, NONE, (101.0, 110.0), 3.0, now=110.0)
    assert streams.total(JOBS, NONE, (104.0, 105.0), 2.0, now=110.5) == [Sample(110.0 + TICK, JOBS, NONE, 5.0)]


def test_the_first_zero_is_never_before_we_listened() -> None:
    # What an earlier owner stored is older; a zero among it would count its total again.
    first, second = Streams(100.0).total(JOBS, NONE, (90.0, 95.0), 3.0, now=101.0)
    assert (first.ts, second.ts) == (100.0, 100.0 + TICK)


def test_a_sum_that_goes_up_and_down_adds_up_over_senders_until_they_fall_silent() -> None:
    streams = Streams(100.0)
    assert streams.level(ACTIVE, NONE, A, (101.0, 3.0), now=101.0).value == 3.0
    assert streams.level(ACTIVE, NONE, B, (101.0, 2.0), now=101.0).value == 5.0
    assert streams.level(ACTIVE, NONE, B, (102.0, 1.0), now=102.0).value == 4.0
    later = 101.0 + SILENT_AFTER + 0.5
    assert streams.level(ACTIVE, NONE, B, (later, 1.0), now=later).value == 1.0


def test_a_running_histogram_becomes_what_came_since() -> None:
    streams = Streams(100.0)
    first = Explicit(bounds=(1.0,), counts=(2, 1), total=4.0)
    then = Explicit(bounds=(1.0,), counts=(3, 1), total=4.5)
    assert streams.observed(A, (100.0, 101.0), first, now=101.0) == first
    assert streams.observed(A, (100.0, 102.0), then, now=102.0) == Explicit(bounds=(1.0,), counts=(1, 0), total=0.5)
    assert streams.observed(A, (100.0, 102.0), then, now=102.0) is None
    assert streams.observed(A, (102.5, 103.0), first, now=103.0) == first
    assert streams.observed(B, (50.0, 103.0), first, now=103.0) is None


def test_a_stream_that_fell_silent_and_comes_back_counts_nothing_twice() -> None:
    streams = Streams(100.0)
    streams.increase(A, (100.0, 101.0), 7.0, now=101.0)
    streams.keep(101.0)
    later = 102.0 + 2 * FORGET_AFTER
    streams.keep(later)
    assert streams.increase(A, (100.0, later), 9.0, now=later) == 0.0
