"""Measurements on their way to the owner."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.model import Exemplar, Histogram, HistogramSample, Kind, Measurement, Metric, Sample
from perf.wire.measurements import Appended, appended

WAIT = Metric("wait_seconds", Kind.HISTOGRAM, "s")
texts = st.text(max_size=6)
labels = st.lists(st.tuples(texts, texts), max_size=2).map(tuple)
metrics = st.builds(Metric, texts, st.sampled_from([Kind.GAUGE, Kind.COUNTER]), texts, texts)
times = st.floats(0, 1e10)
measured = st.one_of(
    st.builds(Sample, times, metrics, labels, st.floats(allow_nan=False)),
    st.builds(
        HistogramSample, times, st.just(WAIT), labels, st.builds(Histogram.of, st.lists(st.floats(0, 1e9), min_size=1))
    ),
    st.builds(
        Exemplar,
        ts=times,
        metric=st.just(WAIT),
        labels=labels,
        seconds=st.floats(0, 1e9),
        arguments=st.lists(texts, max_size=2).map(tuple),
        parents=st.lists(texts, max_size=2).map(tuple),
        trace=texts,
        release=texts,
        error=texts,
    ),
)


def there(body: bytes) -> Appended:
    return msgspec.msgpack.decode(body, type=Appended)


@given(st.lists(measured, max_size=8))
def test_measurements_arrive_as_they_are_in_their_order(given_ones: list[Measurement]) -> None:
    found = there(appended("remote/a", 3, given_ones, [("p", 7)]))
    assert found.measurements() == given_ones
    assert (found.producer, found.seq, found.batches) == ("remote/a", 3, [("p", 7)])


def test_a_series_travels_once() -> None:
    samples = [Sample(float(ts), Metric("m"), (("a", str(ts % 2)),), 1.0) for ts in range(100)]
    assert len(there(appended("p", 1, samples, ())).series) == 2


def test_text_that_is_no_text_is_replaced() -> None:
    call = Exemplar(ts=1.0, metric=WAIT, labels=(("a", "\ud800"),), seconds=1.0, arguments=("\udcff",), error="\udcff")
    (found,) = there(appended("p", 1, [call], ())).measurements()
    assert (found.labels, found.arguments, found.error) == ((("a", "?"),), ("?",), "?")


def test_a_row_of_no_series_is_refused() -> None:
    body = msgspec.msgpack.encode({"producer": "p", "seq": 1, "series": [], "rows": [["n", 0, 1.0, 2.0]]})
    with pytest.raises(ValueError, match="a row names a series that is not among the 0"):
        there(body).measurements()


@pytest.mark.parametrize(
    "change",
    [{"seq": -1}, {"producer": ""}, {"rows": [["n", -1, 1.0, 2.0]]}, {"rows": [["z", 0, 1.0, 2.0]]}, {"more": 1}],
    ids=lambda change: next(iter(change)) + str(len(str(change))),
)
def test_what_is_not_a_batch_is_refused(change: dict[str, object]) -> None:
    whole = {"producer": "p", "seq": 1, "series": [[{"name": "m"}, []]], "rows": []}
    with pytest.raises(msgspec.ValidationError):
        there(msgspec.msgpack.encode({**whole, **change}))
