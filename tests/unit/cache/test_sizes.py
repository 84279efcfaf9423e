"""What values are charged: close to what they take, and each part once."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from perf.cache.sizes import sizeof


class Slotted:
    __slots__ = ("one",)

    def __init__(self, one: object) -> None:
        self.one = one


@dataclass
class Record:
    one: object


class Struct(msgspec.Struct):
    one: object


def test_flat_values_are_what_the_interpreter_says() -> None:
    for value in (None, 1, 1.5, "text", b"bytes", 10**100):
        assert sizeof(value) == sys.getsizeof(value)


def test_what_is_held_twice_counts_once() -> None:
    text = "x" * 10_000
    assert sizeof([text] * 50) == sys.getsizeof([None] * 50) + sys.getsizeof(text)
    loop: list[object] = []
    loop.append(loop)
    assert sizeof(loop) == sys.getsizeof(loop)


@pytest.mark.parametrize("holder", [Slotted, Record, Struct, lambda one: {"key": one}, lambda one: (1, [one])])
def test_what_an_object_holds_counts(holder: type) -> None:
    assert sizeof(holder("x" * 100_000)) > 100_000


def test_what_a_record_holds_beside_its_fields_counts() -> None:
    class Slot:
        __slots__ = ("more",)

    class Both(msgspec.Struct, Slot):
        one: object

    class Loose(msgspec.Struct, dict=True):
        one: object

    both, loose = Both(None), Loose(None)
    both.more = loose.other = "x" * 100_000  # type: ignore[attr-defined]
    assert sizeof(both) > 100_000
    assert sizeof(loose) > 100_000
    assert sizeof([Struct("y"), Struct("x" * 100_000)]) > 100_000


def test_leaves_that_stand_beside_containers_count_once() -> None:
    text = "x" * 10_000
    inner = [None]
    pair = (text, inner)
    value = [text, inner, pair]
    assert sizeof(value) == sum(map(sys.getsizeof, (value, text, inner, None, pair)))


def test_frames_and_arrays_count_their_buffers() -> None:
    numbers = np.arange(100_000, dtype="float64")
    for value in (
        numbers,
        numbers[10:].reshape(10, -1)[:, ::1],
        pd.DataFrame({"a": numbers}),
        pd.Series(numbers),
        pl.DataFrame({"a": numbers}),
        pl.Series(numbers),
        pa.table({"a": numbers}),
    ):
        assert 790_000 < sizeof(value) < 1_000_000, type(value)
    assert sizeof(np.array(["x" * 1000, {}], dtype=object)) > 1000
    assert sizeof(pd.DataFrame({"a": ["x" * 100_000]}, dtype=object)) > 100_000


def test_plain_data_is_charged_what_it_takes() -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    value = [{"id": number + 1000, "name": f"name {number}", "values": [number * 1.5] * 3} for number in range(2_000)]
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    # Twice: the interpreter shares the keys of dicts, and adds a header to what the collector tracks.
    assert 0.8 * taken < sizeof(value) < 1.5 * taken
