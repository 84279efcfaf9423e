"""Answers as Arrow: what is unpacked is what was packed, bit by bit."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.model import Aggregate, Distributions, Kind, Level, Metric, Rows, Series, SeriesInfo
from perf.wire import columns

METRIC = Metric("wait_seconds", Kind.HISTOGRAM, "s", "Über 1 µs")
numbers = st.floats(allow_nan=True, allow_infinity=True)
labels = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3).map(tuple)


@st.composite
def series(draw: st.DrawFn) -> Series:
    count = draw(st.integers(0, 6))
    ts, values, low, high = (np.array(draw(st.lists(numbers, min_size=count, max_size=count))) for _ in range(4))
    return Series(
        metric=METRIC,
        labels=draw(labels),
        aggregate=draw(st.sampled_from(list(Aggregate))),
        step=draw(st.floats(1e-6, 1e9)),
        level=draw(st.sampled_from(list(Level))),
        ts=ts.astype(np.float64),
        values=values.astype(np.float64),
        low=low.astype(np.float64),
        high=high.astype(np.float64),
    )


@st.composite
def distributions(draw: st.DrawFn) -> Distributions:
    count, width = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    whole = st.integers(0, 2**62)

    def column(kind: type, of: st.SearchStrategy[object]) -> np.ndarray:
        return np.array(draw(st.lists(of, min_size=count, max_size=count)), kind)

    counts = draw(st.lists(whole, min_size=count * width, max_size=count * width))
    return Distributions(
        metric=METRIC,
        labels=draw(labels),
        step=60.0,
        level=Level.MINUTE,
        ts=column(np.float64, numbers),
        count=column(np.int64, whole),
        total=column(np.float64, numbers),
        low=column(np.float64, numbers),
        high=column(np.float64, numbers),
        zero=column(np.int64, whole),
        first=draw(st.integers(-500, 500)),
        buckets=np.array(counts, np.int64).reshape(count, width),
    )


def plain(value: object) -> object:
    """Arrays as their type, shape and bytes: NaN equals itself, and -0.0 isn't 0.0."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, (Series, Distributions, Rows)):
        return [plain(part) for part in msgspec.structs.astuple(value)]
    return value


@given(st.lists(st.lists(series(), max_size=3), min_size=1, max_size=4))
def test_series_come_back_to_their_questions(answers: list[list[Series]]) -> None:
    found = columns.unpacked_series(columns.packed_series(answers), len(answers))
    assert [[plain(one) for one in each] for each in found] == [[plain(one) for one in each] for each in answers]


@given(st.lists(distributions(), max_size=4))
def test_distributions_come_back_with_their_buckets(given_ones: list[Distributions]) -> None:
    found = columns.unpacked_distributions(columns.packed_distributions(given_ones))
    assert [plain(one) for one in found] == [plain(one) for one in given_ones]


def page() -> Rows:
    info = SeriesInfo(7, METRIC, (("a", "b"),), 1.0, 2.0, None)
    ts, sids, values = np.array([1.5, 2.5]), np.array([7, 7], np.int32), np.array([math.inf, -0.0])
    return Rows(ts=ts, sids=sids, values=values, series={7: info}, total=10_000, capped=True)


def test_a_page_of_samples_comes_back() -> None:
    assert plain(columns.unpacked_rows(columns.packed_rows(page()))) == plain(page())


def test_whoever_gets_an_answer_may_change_it() -> None:
    found = columns.unpacked_rows(columns.packed_rows(page()))
    found.values[0] = 3.0
    assert found.values.tolist() == [3.0, -0.0]


@pytest.mark.parametrize("cut", [0, 1, 100, 400, -9])
def test_half_an_answer_is_none(cut: int) -> None:
    body = columns.packed_rows(page())
    with pytest.raises(columns.Garbled):
        columns.unpacked_rows(body[:cut])


def test_an_answer_of_another_kind_is_none() -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({"ts": [1.0]})
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    for body in (bytes(sink.getvalue()), columns.packed_rows(page()), b"<html>"):
        with pytest.raises(columns.Garbled):
            columns.unpacked_series(body, 1)


def test_rows_that_are_announced_and_missing_are_told() -> None:
    body = columns.packed_series([[]])
    with pytest.raises(columns.Garbled, match="an answer to question 1 of 1"):
        columns.unpacked_series(columns.packed_series([[], [_one()]]), 1)
    assert columns.unpacked_series(body, 1) == [[]]


def _one() -> Series:
    array = np.array([1.0])
    return Series(
        metric=METRIC,
        labels=(),
        aggregate=Aggregate.AVG,
        step=1.0,
        level=Level.RAW,
        ts=array,
        values=array,
        low=array,
        high=array,
    )
