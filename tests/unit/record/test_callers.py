"""What traces leave behind: who called whom, and what the time of a call went into."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.model import Kind, Metric, Sample
from perf.record import Recorder
from perf.record.callers import split
from perf.record.late import TRACED, Call, Late
from perf.record.spans import MAX_SPANS, MAX_WAITING, Span, Trace
from perf.record.timers import Timer, recorded
from perf.record.watch import Watch

QUERY = Metric("query_seconds", Kind.HISTOGRAM, "s")
REQUEST = Metric("request_seconds", Kind.HISTOGRAM, "s")


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    return Recorder(clock)


def counters(recorder: Recorder, metric: str) -> dict[tuple[str, ...], float]:
    """Values of the labels -> the counter."""
    return {
        tuple(value for _, value in labels): found
        for known, labels, found in recorder.totals()
        if known.name == metric and isinstance(found, float)
    }


def calls(recorder: Recorder) -> dict[tuple[str, ...], float]:
    return counters(recorder, "trace_calls_total")


def trace(*shape: tuple[str, str, int, int]) -> list[Span]:
    """Spans of (name, kind, index of the parent or -1, nanoseconds)."""
    whole = Trace()
    for name, kind, parent, took in shape:
        span = Span(name, kind, whole.spans[parent] if parent >= 0 else None, whole)
        span.took_ns = took
        whole.spans.append(span)
    return whole.spans


def test_edges_and_the_split_of_a_request(recorder: Recorder) -> None:
    recorder._callers.fold(
        [
            trace(
                ("GET /a", "request", -1, 10_000),
                ("load", "function", 0, 7_000),
                ("SELECT t", "database", 1, 2_000),
                ("GET x", "cache", 1, 1_000),
                ("parse", "function", 1, 3_000),
                ("SELECT t", "database", 0, 1_000),
            )
        ]
    )
    assert calls(recorder) == {
        ("GET /a", "", "request"): 1.0,
        ("load", "GET /a", "function"): 1.0,
        ("SELECT t", "load", "database"): 1.0,
        ("GET x", "load", "cache"): 1.0,
        ("parse", "load", "function"): 1.0,
        ("SELECT t", "GET /a", "database"): 1.0,
    }
    assert counters(recorder, "trace_seconds_total")["load", "GET /a", "function"] == pytest.approx(7e-6)
    found = {key: round(value * 1e9) for key, value in counters(recorder, "trace_split_seconds_total").items()}
    assert found == {
        ("GET /a", "self"): 2_000,
        ("GET /a", "function"): 4_000,  # load itself 1,000, parse 3,000
        ("GET /a", "database"): 3_000,
        ("GET /a", "cache"): 1_000,
        ("load", "self"): 1_000,
        ("load", "function"): 3_000,
        ("load", "database"): 2_000,
        ("load", "cache"): 1_000,
        ("parse", "self"): 3_000,
    }


@given(st.integers(0, 10**9), st.dictionaries(st.sampled_from(["function", "database", "http"]), st.floats(0, 1e10)))
def test_the_parts_of_a_call_add_up_to_it(took: int, inner: dict[str, float]) -> None:
    (span,) = trace(("f", "function", -1, took))
    parts = split(span, inner)
    assert sum(parts.values()) == pytest.approx(took, abs=1e-3)
    assert min(parts.values()) >= 0.0


def test_after_a_cut_the_part_before_stands_for_the_whole() -> None:
    (span,) = trace(("f", "function", -1, 1_000))
    span.ended_ns, span.trace.cut_ns = span.began_ns + 1_000, span.began_ns + 100
    assert split(span, {"database": 40.0}) == {"database": 400.0, "self": 600.0}


def test_of_a_task_that_ends_later_only_the_time_before_is_part_of_its_caller(recorder: Recorder) -> None:
    spans = trace(("GET /a", "request", -1, 1_000), ("task", "function", 0, 5_000))
    for span, began, ended in zip(spans, (0, 800), (1_000, 5_800), strict=True):
        span.began_ns, span.ended_ns = began, ended
    recorder._callers.fold([spans])
    found = {key: round(value * 1e9) for key, value in counters(recorder, "trace_split_seconds_total").items()}
    assert found == {("GET /a", "function"): 200, ("GET /a", "self"): 800, ("task", "self"): 5_000}


def test_a_call_that_has_not_ended_is_left_out(recorder: Recorder) -> None:
    spans = trace(("GET /a", "request", -1, 1_000), ("task", "function", 0, -1), ("step", "function", 1, 100))
    recorder._callers.fold([spans])
    assert calls(recorder) == {("GET /a", "", "request"): 1.0, ("step", "task", "function"): 1.0}
    assert ("GET /a", "function") not in counters(recorder, "trace_split_seconds_total")


def test_what_runs_after_its_request_ended_has_no_caller(recorder: Recorder) -> None:
    tick = recorded(lambda: None, recorder, name="tick")

    async def loop() -> None:
        await asyncio.sleep(0.01)
        tick()

    async def main() -> None:
        tasks = []

        async def request() -> None:
            tasks.append(asyncio.ensure_future(loop()))

        await recorded(request, recorder, name="request")()
        await tasks[0]

    asyncio.run(main())
    assert calls(recorder) == {("request", "", "function"): 1.0, ("tick", "", "function"): 1.0}


def test_kinds_and_names_come_with_the_watch(recorder: Recorder) -> None:
    query = Watch(recorder, QUERY, {"table": "t"}, "database", "SELECT t")

    def load() -> None:
        with Timer(query):
            pass

    recorded(load, recorder, name="load")()
    assert calls(recorder) == {("SELECT t", "load", "database"): 1.0, ("load", "", "function"): 1.0}
    assert set(counters(recorder, "trace_split_seconds_total")) == {("load", "self"), ("load", "database")}


def test_a_name_known_at_the_end_is_the_caller_of_all_inside(recorder: Recorder) -> None:
    inner = recorded(lambda: None, recorder, name="inner")
    late = Late(recorder, "request")
    series = recorder.distribution(REQUEST, {"route": "/a"})
    span = late.enter()
    inner()
    late.ended(span, 5_000, lambda: Call(series, "GET /a"))
    assert calls(recorder) == {("inner", "GET /a", "function"): 1.0, ("GET /a", "", "request"): 1.0}


def test_requests_open_only_some_traces_between_drains(recorder: Recorder) -> None:
    late, series = Late(recorder, "request"), recorder.distribution(REQUEST)

    def serve(number: int) -> None:
        for _ in range(number):
            late.ended(late.enter(), 5_000, lambda: Call(series, "GET /a"))

    serve(50)
    assert calls(recorder) == {("GET /a", "", "request"): float(TRACED)}
    recorder.drain(1.0)
    serve(50)
    assert calls(recorder) == {("GET /a", "", "request"): 2.0 * TRACED}
    recorder.traces = False
    recorder.drain(2.0)
    serve(50)
    assert calls(recorder) == {("GET /a", "", "request"): 2.0 * TRACED}


def test_a_request_that_cannot_be_told_ends_its_trace(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    def find() -> Call:
        raise LookupError

    late = Late(recorder, "request")
    late.ended(late.enter(), 5_000, find)
    assert recorder.spans.live == set()
    assert recorder.spans.within() is None
    assert recorder.dropped() == {"errors": 1}
    assert "LookupError" in caplog.text


def test_generators_call_while_their_body_runs(recorder: Recorder) -> None:
    step, consume = recorded(lambda: None, recorder, name="step"), recorded(lambda: None, recorder, name="consume")

    def lines() -> Iterator[int]:
        for number in range(3):
            step()
            yield number

    timed = recorded(lines, recorder, name="lines")
    recorded(lambda: [consume() for _ in timed()], recorder, name="work")()
    assert calls(recorder) == {
        ("work", "", "function"): 1.0,
        ("lines", "work", "function"): 1.0,
        ("step", "lines", "function"): 3.0,
        ("consume", "work", "function"): 3.0,
    }


def test_asynchronous_generators_too(recorder: Recorder) -> None:
    step, consume = recorded(lambda: None, recorder, name="step"), recorded(lambda: None, recorder, name="consume")

    async def pages() -> AsyncIterator[int]:
        for number in range(2):
            step()
            yield number

    timed = recorded(pages, recorder, name="pages")

    async def main() -> None:
        async for _ in timed():
            consume()

    asyncio.run(main())
    assert calls(recorder) == {
        ("pages", "", "function"): 1.0,
        ("step", "pages", "function"): 2.0,
        ("consume", "", "function"): 1.0,
    }


def test_a_trace_is_cut_where_it_grows_too_long(recorder: Recorder) -> None:
    step = recorded(lambda: None, recorder, name="step")
    step()

    def work() -> None:
        for _ in range(2 * MAX_SPANS):
            step()

    recorded(work, recorder, name="work")()
    assert calls(recorder)["step", "work", "function"] == MAX_SPANS - 1
    assert counters(recorder, "trace_cut_calls_total")["work",] == 1.0
    split = counters(recorder, "trace_split_seconds_total")
    assert split["work", "function"] + split["work", "self"] == pytest.approx(
        counters(recorder, "trace_seconds_total")["work", "", "function"]
    )


def test_traces_that_no_drain_fetches_are_bounded_and_counted(recorder: Recorder) -> None:
    late, series = Late(recorder, "request"), recorder.distribution(REQUEST)
    for _ in range(2_100):
        recorder.spans.turn()
        for _ in range(TRACED):
            late.ended(late.enter(), 5, lambda: Call(series, "a"))
    assert recorder.dropped() == {"traces": 2_100 * TRACED - MAX_WAITING}


def test_callers_are_told_every_few_seconds_and_at_the_end(recorder: Recorder, clock: ManualClock) -> None:
    def told(*, last: bool = False) -> list[float]:
        found = recorder.drain(clock.now(), last=last)
        return [one.value for one in found if isinstance(one, Sample) and one.metric.name == "trace_calls_total"]

    timed = recorded(lambda: None, recorder, name="step")
    timed()
    assert told() == [1.0]
    for _ in range(4):
        clock.move(1.0)
        timed()
        assert told() == []
    clock.move(1.0)
    timed()
    assert told() == [6.0]
    timed()
    assert told(last=True) == [7.0]


def test_edges_beyond_the_cap_go_together_and_are_counted(clock: ManualClock) -> None:
    recorder = Recorder(clock, label_cap=3)
    recorder._callers.fold([trace((f"f{number}", "function", -1, 10)) for number in range(10)])
    found = calls(recorder)
    assert found["__other__", "__other__", "__other__"] == 7.0
    assert sum(found.values()) == 10.0
    assert recorder.dropped() == {"labels": 21}


def test_threads_trace_apart(recorder: Recorder) -> None:
    inner = recorded(lambda: None, recorder, name="inner")

    def work() -> None:
        for _ in range(300):
            outer()

    outer = recorded(lambda: inner(), recorder, name="outer")
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        recorder.drain(1.0)
    for thread in threads:
        thread.join()
    found = calls(recorder)
    assert found["outer", "", "function"] <= found["inner", "outer", "function"] + 8
    assert {key for key, value in found.items() if value} <= {
        ("inner", "outer", "function"), ("outer", "", "function"), ("inner", "", "function"),
    }  # fmt: skip
