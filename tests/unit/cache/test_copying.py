"""Whoever changes what they got from the cache changes nothing for others."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import enum
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.cache.copying import shared

trees = st.recursive(
    st.none() | st.integers() | st.text() | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple) | st.sets(st.integers())
    ),
    max_leaves=25,
)


def given_out(value: Any) -> Any:
    copier = shared(value)
    return value if copier is None else copier(value)


def spoil(value: Any) -> None:
    """Change everything in *value* that can be changed."""
    if isinstance(value, dict):
        for one in value.values():
            spoil(one)
        value["spoilt"] = 1
    elif isinstance(value, (list, tuple)):
        for one in value:
            spoil(one)
        if isinstance(value, list):
            value.append("spoilt")
    elif isinstance(value, set):
        value.add("spoilt")
    elif isinstance(value, bytearray):
        value.extend(b"spoilt")


@given(trees)
def test_changing_what_was_given_out_changes_nothing(value: object) -> None:
    """Law: a copy equals its original, and the original equals its former self whatever is done to the copy."""
    before = copy.deepcopy(value)
    found = given_out(value)
    assert found == value
    assert type(found) is type(value)
    spoil(found)
    assert value == before


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        *(
            1,
            "x",
            None,
            b"x",
            (1, ("x",)),
            frozenset({1}),
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            Colour.RED,
            len,
            int,
            (Colour.RED,),
        ),
        *(pa.table({"a": [1]}), np.float64(1.0), pd.Timestamp(0)),
    ],
    ids=repr,
)
def test_what_can_not_change_is_given_out_itself(value: object) -> None:
    assert shared(value) is None


class Frozen(msgspec.Struct, frozen=True):
    name: str
    held: object = ()


class Open(msgspec.Struct):
    name: str


class Slot:
    __slots__ = ("more",)


class Both(msgspec.Struct, Slot, frozen=True):
    """Has what its fields don't tell."""

    name: str


class Loose(Frozen, frozen=True, dict=True):
    """Has attributes that may be set."""


def test_records_that_can_not_change_are_given_out_themselves_wherever_they_stand() -> None:
    record = Frozen("a", (1, Frozen("b")))
    assert shared(record) is None
    assert shared((record, Both("c"))) is None
    found = given_out([record, {"key": record}])
    assert found == [record, {"key": record}]
    assert found[0] is found[1]["key"] is record


def test_records_that_hold_what_can_change_are_copied() -> None:
    both = Both("a")
    Slot.more.__set__(both, [1])  # type: ignore[attr-defined]
    for value in (Frozen("a", [1]), Frozen("a", (Open("b"),)), Open("a"), Loose("a"), both):
        for found in (given_out(value), given_out([value])[0], given_out({"key": (value,)})["key"][0]):
            assert found == value
            assert found is not value
    inner = Frozen("a", [1])
    given_out([inner])[0].held.append(2)
    assert inner.held == [1]


def test_what_can_not_be_copied_is_given_out_itself() -> None:
    assert shared(threading.Lock()) is None


def test_the_same_list_twice_stays_the_same_list() -> None:
    inner: list[int] = []
    found = given_out([inner, inner])
    assert found[0] is found[1] is not inner
    loop: list[object] = []
    loop.append(loop)
    assert given_out(loop)[0] is not loop


def test_objects_are_copied_deeply() -> None:
    class Thing:
        def __init__(self) -> None:
            self.held = [1]

    thing = Thing()
    given_out(thing).held.append(2)
    given_out([thing])[0].held.append(3)
    assert thing.held == [1]


def put(place: str, value: object) -> Callable[[Any], None]:
    return lambda frame: frame.__setitem__(place, value)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "column": put("a", 9),
    "new column": put("z", 9),
    "cell": lambda frame: frame.iloc.__setitem__((0, 0), 9),
    "at": lambda frame: frame.at.__setitem__((0, "a"), 9),
    "mask": lambda frame: frame.loc.__setitem__((frame["a"] > 1, "a"), 9),
    "in place": lambda frame: frame.fillna(0, inplace=True),
    "drop": lambda frame: frame.__delitem__("a"),
    "labels": lambda frame: setattr(frame, "columns", list("vwxy")),
    "index": lambda frame: setattr(frame.index, "name", "spoilt"),
    "text": lambda frame: frame.iloc.__setitem__((0, 2), "spoilt"),
    "attrs": lambda frame: frame.attrs["unit"].append(1),
    "objects": lambda frame: frame["o"].iloc[0].append(9),
    "values": lambda frame: frame["a"].to_numpy().__setitem__(0, 9),
}


def made(*, objects: bool) -> pd.DataFrame:
    held: list[object] = [[1], [2], [3]] if objects else [1.5, None, 2.5]
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, np.nan, 3.0], "s": ["x", "y", "z"], "o": held})
    frame.attrs["unit"] = ["ms"] if objects else "ms"
    return frame


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("objects", [False, True])
def test_pandas_frames_are_isolated(change: Callable[[Any], Any], objects: bool) -> None:
    frame = made(objects=objects)
    found = given_out(frame)
    pd.testing.assert_frame_equal(found, frame)
    with contextlib.suppress(ValueError, AttributeError, TypeError):  # read-only, or nothing to change
        change(found)
    pd.testing.assert_frame_equal(frame, made(objects=objects))
    assert frame.index.name is None
    assert frame.attrs == made(objects=objects).attrs


def test_a_frame_stays_writeable_when_the_cache_lets_go_of_it() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]})
    found = given_out(frame)
    del frame
    found.iloc[0, 0] = 9
    assert found["a"].tolist() == [9, 2, 3]


def test_series_polars_and_arrays_are_isolated() -> None:
    series = pd.Series([[1], [2]])
    given_out(series).iloc[0].append(9)
    assert series.tolist() == [[1], [2]]
    frame = pl.DataFrame({"a": [1, 2]})
    found = given_out(frame)
    found[0, "a"] = 9
    found.insert_column(0, pl.Series("b", [1, 2]))
    assert frame.equals(pl.DataFrame({"a": [1, 2]}))
    array = np.arange(4)
    given_out(array)[0] = 9
    assert array.tolist() == [0, 1, 2, 3]
    objects = np.array([[1], {}], dtype=object)
    given_out(objects)[0].append(9)
    assert objects[0] == [1]
