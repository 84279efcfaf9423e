"""What decorated functions of every kind leave behind, and that they behave as before."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pytest

from perf.clock import ManualClock
from perf.model import Histogram, Sample
from perf.record import Recorder, timers
from perf.record.callers import edges
from perf.record.series import MEASURE, TRACE
from perf.record.timers import FUNCTION as METRIC
from perf.record.timers import Timer, call_seconds, recorded
from perf.record.watch import Watch

_F = TypeVar("_F", bound=Callable[..., Any])
MINE = Recorder(ManualClock())


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    return Recorder(clock)


def found(recorder: Recorder) -> dict[str, Histogram | float]:
    """Function -> its distribution; and every other series by name and last label."""
    result: dict[str, Histogram | float] = {}
    for metric, labels, value in recorder.totals():
        if metric.name.startswith("trace_"):
            continue
        label = dict(labels)["function"] if isinstance(value, Histogram) else f"{metric.name} {labels[-1][1]}"
        result[label] = value
    return result


def counted(recorder: Recorder, metric: str) -> dict[tuple[str, ...], float]:
    """Values of the labels -> the counter *metric*."""
    found: dict[tuple[str, ...], float] = {}
    for known, labels, value in recorder.totals():
        if known.name == metric and isinstance(value, float):
            found[tuple(text for _, text in labels)] = value
    return found


def count(recorder: Recorder, function: str) -> int:
    value = found(recorder)[function]
    assert isinstance(value, Histogram)
    return value.count


def spin(milliseconds: float) -> None:
    """Work, without waiting."""
    end = time.perf_counter() + milliseconds / 1e3
    while time.perf_counter() < end:
        pass


def pickled(number: int) -> int:
    return number + 1


pickled = recorded(pickled, MINE)


def test_a_function_is_timed_and_answers_as_before(recorder: Recorder) -> None:
    def add(a: int, /, b: int = 2, *more: int, c: int = 0, **rest: int) -> int:
        """Adds."""
        return a + b + sum(more) + c + sum(rest.values())

    timed = recorded(add, recorder, name="add")
    assert timed(1) == 3
    assert timed(1, 2, 3, c=4, d=5) == 15
    assert count(recorder, "add") == 2
    assert inspect.signature(timed) == inspect.signature(add)
    assert (timed.__name__, timed.__doc__, timed.__module__) == ("add", "Adds.", __name__)
    assert inspect.unwrap(timed) is add


def test_the_name_defaults_to_the_qualified_one(recorder: Recorder) -> None:
    recorded(spin, recorder)(0)
    assert count(recorder, "spin") == 1


def test_an_exception_passes_untouched_and_is_counted_with_its_type(recorder: Recorder) -> None:
    error = KeyError("k")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        recorded(fail, recorder, name="fail", category="c")()
    assert raised.value is error
    told = [one for one in recorder.drain(1.0) if isinstance(one, Sample) and one.metric.name[:6] != "trace_"]
    assert [(s.metric.name, s.labels, s.value) for s in told] == [
        ("function_errors_total", (("category", "c"), ("error_type", "KeyError"), ("function", "fail")), 1.0)
    ]
    assert count(recorder, "fail") == 1
    assert recorder.exemplars()[0].error == "KeyError"


def test_recursion_counts_every_call(recorder: Recorder) -> None:
    @lambda function: recorded(function, recorder, name="fib")
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(10) == 55
    assert count(recorder, "fib") == 177


def test_methods_of_every_kind(recorder: Recorder) -> None:
    def watch(function: _F) -> _F:
        return recorded(function, recorder)

    class Shop:
        @watch
        def sell(self) -> object:
            return self

        @classmethod
        @watch
        def open(cls) -> object:
            return cls

        @watch
        @classmethod
        def close(cls) -> object:
            return cls

        @watch
        @staticmethod
        def price(n: int) -> int:
            return n

    shop = Shop()
    assert shop.sell() is shop
    assert Shop.open() is Shop.close() is Shop
    assert shop.price(3) == 3
    assert sorted(name.rpartition(".")[2] for name in found(recorder)) == ["close", "open", "price", "sell"]


def test_a_callable_object_is_a_function_too(recorder: Recorder) -> None:
    class Job:
        def __call__(self) -> int:
            return 5

    assert recorded(Job(), recorder)() == 5
    assert count(recorder, "test_a_callable_object_is_a_function_too.<locals>.Job") == 1


def test_a_coroutine_function_stays_one(recorder: Recorder) -> None:
    async def fetch() -> int:
        await asyncio.sleep(0.02)
        return 5

    timed = recorded(fetch, recorder, name="fetch")
    assert inspect.iscoroutinefunction(timed)

    async def main() -> list[int]:
        return await asyncio.gather(*(timed() for _ in range(20)))

    assert asyncio.run(main()) == [5] * 20
    histogram = found(recorder)["fetch"]
    assert isinstance(histogram, Histogram)
    assert histogram.count == 20
    assert histogram.low > 0.019


def test_a_cancelled_task_is_no_error(recorder: Recorder) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(recorded(wait, recorder, name="wait")())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert found(recorder)["function_cancelled_total wait"] == 1.0
    assert set(found(recorder)) == {"wait", "function_cancelled_total wait"}


def test_a_coroutine_that_is_closed_is_no_error(recorder: Recorder) -> None:
    async def wait() -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        pending = recorded(wait, recorder, name="wait")()
        pending.send(None)
        pending.close()

    asyncio.run(main())
    assert set(found(recorder)) == {"wait", "function_cancelled_total wait"}


def test_an_object_with_an_asynchronous_call(recorder: Recorder) -> None:
    class Job:
        async def __call__(self) -> int:
            await asyncio.sleep(0.01)
            return 5

    assert asyncio.run(recorded(Job(), recorder, name="job")()) == 5
    histogram = found(recorder)["job"]
    assert isinstance(histogram, Histogram)
    assert histogram.low >= 0.009


def test_skipped_coroutines_are_counted(recorder: Recorder) -> None:
    async def fetch() -> int:
        return 5

    timed = recorded(fetch, recorder, name="fetch")

    async def main() -> None:
        await timed()
        recorder.distribution(METRIC, {"function": "fetch", "category": ""}).sample(20)
        for _ in range(999):
            assert await timed() == 5

    asyncio.run(main())
    assert count(recorder, "fetch") == 1_000


def test_a_forked_child_counts_only_its_own_calls(recorder: Recorder) -> None:
    timed = recorded(lambda: None, recorder, name="work")
    for _ in range(5):
        timed()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        for _ in range(3):
            timed()
        os.write(writing, str(count(recorder, "work")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"3"
    os.close(reading)
    os.close(writing)
    assert count(recorder, "work") == 5


def test_a_generator_is_timed_without_its_consumer(recorder: Recorder) -> None:
    def lines() -> Iterator[int]:
        for number in range(3):
            spin(2)
            yield number

    timed = recorded(lines, recorder, name="lines")
    assert inspect.isgeneratorfunction(timed)
    began, consumer = time.perf_counter(), 0.0
    for _ in timed():
        resumed = time.perf_counter()
        spin(60)
        consumer += time.perf_counter() - resumed
    rest = time.perf_counter() - began - consumer
    histogram = found(recorder)["lines"]
    assert isinstance(histogram, Histogram)
    assert histogram.count == 1
    assert 0.006 <= histogram.total <= rest


def test_a_generator_takes_values_exceptions_and_its_end_as_before(recorder: Recorder) -> None:
    def talk() -> Iterator[object]:
        heard = yield "first"
        try:
            yield heard
        except KeyError:
            yield "caught"
        return "end"

    timed: Any = recorded(talk, recorder, name="talk")
    body = timed()
    assert next(body) == "first"
    assert body.send("hello") == "hello"
    assert body.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as ended:
        next(body)
    assert ended.value.value == "end"
    left = timed()
    next(left)
    left.close()
    with pytest.raises(ValueError, match="odd"):
        started(timed()).throw(ValueError("odd"))
    assert count(recorder, "talk") == 3
    assert found(recorder)["function_errors_total talk"] == 1.0
    assert len([name for name in found(recorder) if name.startswith("function_")]) == 1


def started(body: Any) -> Any:
    next(body)
    return body


def test_a_generator_that_breaks_is_an_error(recorder: Recorder) -> None:
    def lines() -> Iterator[int]:
        yield 1
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - any
        list(recorded(lines, recorder, name="lines")())
    assert found(recorder)["function_errors_total lines"] == 1.0


def test_an_asynchronous_generator(recorder: Recorder) -> None:
    async def pages() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    timed: Any = recorded(pages, recorder, name="pages")
    assert inspect.isasyncgenfunction(timed)

    async def main() -> list[int]:
        body = timed()
        assert await anext(body) == 0
        await body.aclose()
        other = timed()
        await anext(other)
        with pytest.raises(ValueError, match="odd"):
            await other.athrow(ValueError("odd"))
        return [number async for number in timed()]

    assert asyncio.run(main()) == [0, 1, 2]
    assert count(recorder, "pages") == 3
    assert found(recorder)["function_errors_total pages"] == 1.0


def test_a_decorated_function_of_a_module_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(pickled))
    assert again is pickled
    assert again(1) == 2


def test_a_block_is_timed(recorder: Recorder) -> None:
    watch = Watch(recorder, METRIC, {"function": "block", "category": ""})
    began = time.perf_counter()
    with Timer(watch) as timer:
        assert timer.seconds == 0.0
        spin(2)
    assert 0.002 <= timer.seconds <= time.perf_counter() - began
    with pytest.raises(KeyError), Timer(watch):
        raise KeyError
    assert count(recorder, "block") == 2
    assert found(recorder)["function_errors_total block"] == 1.0


def test_64_threads_are_all_counted(recorder: Recorder) -> None:
    timed = recorded(lambda: None, recorder, name="nothing")

    def work() -> None:
        for _ in range(500):
            timed()

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        recorder.drain(1.0)
    recorder.drain(2.0)
    assert count(recorder, "nothing") == 32_000
    assert recorder.dropped() == {}


def test_percentiles_are_those_of_the_durations(recorder: Recorder) -> None:
    raw = np.random.default_rng(3).integers(1_000, 50_000_000, 5_000)
    ticks = iter(np.column_stack([np.zeros(5_000, int), raw]).ravel().tolist())
    watch = Watch(recorder, METRIC, {"function": "f", "category": ""})
    timed = timers._plain(lambda: None, watch, clock=lambda: next(ticks))
    for _ in range(5_000):
        timed()
    histogram = found(recorder)["f"]
    assert isinstance(histogram, Histogram)
    for q in (0.5, 0.95, 0.99):
        true = float(np.percentile(raw, q * 100, method="inverted_cdf")) / 1e9
        assert histogram.quantile(q) == pytest.approx(true, rel=0.022)
    assert (histogram.low, histogram.high) == (raw.min() / 1e9, raw.max() / 1e9)


def test_a_skipped_call_is_counted_and_its_error_too(recorder: Recorder) -> None:
    def work(n: int) -> int:
        return 10 // n

    timed = recorded(work, recorder, name="work")
    timed(1)
    series = recorder.distribution(METRIC, {"function": "work", "category": ""})
    series.sample(10_000)
    series.turn = 1_000
    for _ in range(98):
        assert timed(5) == 2
    with pytest.raises(ZeroDivisionError):
        timed(0)
    assert count(recorder, "work") == 100
    assert found(recorder)["function_errors_total work"] == 1.0


def test_a_trace_tells_callers_callees_and_own_time(recorder: Recorder) -> None:
    inner = recorded(lambda: spin(2), recorder, name="inner")

    def work() -> None:
        spin(4)
        inner()
        inner()

    outer = recorded(work, recorder, name="outer")
    began = time.perf_counter()
    for _ in range(3):
        outer()
    longest = time.perf_counter() - began
    [edge] = edges(recorder.totals())
    assert (edge.caller, edge.callee) == ("outer", "inner")
    assert edge.calls == pytest.approx(6.0)  # one of the three was traced
    split = counted(recorder, "trace_split_seconds_total")
    own, inside = split["outer", "self"], split["outer", "function"]
    assert min(own, inside) >= 0.004
    assert own + inside <= longest
    assert edge.seconds == pytest.approx(3 * inside)


def test_a_trace_follows_tasks(recorder: Recorder) -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    timed = recorded(child, recorder, name="child")

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(timed()) for _ in range(5)))

    asyncio.run(recorded(main, recorder, name="main")())
    assert [(edge.caller, edge.callee, edge.calls) for edge in edges(recorder.totals())] == [("main", "child", 5.0)]


def test_a_trace_that_does_not_end_is_given_up(recorder: Recorder) -> None:
    timed = recorded(lambda: None, recorder, name="step")

    def serve() -> None:
        for number in range(15):
            recorder.drain(float(number))
        assert recorder.spans.live == set()
        timed()

    recorded(serve, recorder, name="serve")()
    assert [(edge.caller, edge.callee, edge.calls) for edge in edges(recorder.totals())] == [("serve", "step", 1.0)]
    assert [key for key in counted(recorder, "trace_split_seconds_total") if key[0] == "serve"] == [("serve", "self")]


def test_a_function_is_traced_once_between_drains(recorder: Recorder) -> None:
    timed = recorded(lambda: None, recorder, name="step")
    series = recorder.distribution(METRIC, {"function": "step", "category": ""})
    assert series.mode == TRACE
    timed()
    assert series.mode == MEASURE
    recorder.drain(1.0)
    assert series.mode == TRACE


def test_the_slowest_calls_are_kept_with_redacted_arguments(recorder: Recorder, clock: ManualClock) -> None:
    recorder.exemplars_kept.per_minute = 2
    recorder.exemplars_kept.release = "v7"
    times = iter([0, 5_000, 0, 9_000, 0, 7_000, 0, 1_000])
    watch = Watch(recorder, METRIC, {"function": "login", "category": ""})
    timed = timers._plain(lambda *args, **kwargs: None, watch, clock=lambda: next(times))
    timed("alice", password="hunter2")
    timed([1, 2], 3, None)
    timed(object())
    timed("fast")
    kept = recorder.exemplars(clock.now())
    assert [(e.seconds, e.arguments) for e in kept] == [
        (9e-6, ("list(2)", "int", "NoneType")),
        (7e-6, ("object",)),
    ]
    assert kept[0].release == "v7"
    assert kept[0].parents[0].endswith("test_the_slowest_calls_are_kept_with_redacted_arguments")
    assert "hunter2" not in repr(recorder.exemplars())
    clock.move(61.0)
    recorder.drain(1.0)
    assert len(recorder.exemplars()) == 2
    assert recorder.exemplars(clock.now()) == []


def test_an_exemplar_of_a_trace_names_its_parents(recorder: Recorder) -> None:
    inner = recorded(lambda: None, recorder, name="inner")
    outer = recorded(lambda: inner(), recorder, name="outer")
    outer()
    by_name = {dict(e.labels)["function"]: e for e in recorder.exemplars()}
    assert by_name["inner"].parents == ("outer",)
    assert by_name["inner"].trace == by_name["outer"].trace != ""


def test_an_error_of_ours_does_not_reach_the_caller(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder.exemplars_kept, "_clock", None)
    timed = recorded(lambda: 5, recorder, name="five")
    assert timed() == 5
    assert timed() == 5
    assert recorder.dropped() == {"errors": 2}
    assert [record.name for record in caplog.records if record.exc_info].count("perf.record.recorder") == 1
    assert recorder.spans.live == set()


def test_the_price_of_a_call_is_measured() -> None:
    assert 1e-8 < call_seconds() < 1e-4
