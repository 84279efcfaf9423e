"""Every value comes back from its codec as it was, of the same type, or is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import zoneinfo
from collections import OrderedDict, namedtuple
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from perf.cache.codecs import ARROW, MSGPACK, NUMPY, PICKLE, RAW, Undecodable, Unencodable, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.uuids()
    | st.decimals()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.timedeltas()
    | st.binary().map(bytearray)
)
keys = st.text() | st.integers() | st.booleans() | st.none() | st.tuples(st.integers(), st.text())
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.frozensets(st.integers() | st.text())
        | st.sets(st.integers())
    ),
    max_leaves=20,
)


def back(value: object) -> Any:
    return decode(*encode(value))


@given(plain)
def test_plain_data_round_trip(value: object) -> None:
    """Law: the text of a value, which shows types, NaN, signs of zero and the order of dicts, is the same after a round trip."""
    found = back(value)
    assert type(found) is type(value)
    if not any(isinstance(one, (set, frozenset)) for one in _parts(value)):
        assert repr(found) == repr(value)


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return [value, *(part for one in value.values() for part in _parts(one))]
    if isinstance(value, (list, tuple)):
        return [value, *(part for one in value for part in _parts(one))]
    return [value]


def test_sets_and_zones_round_trip() -> None:
    assert back({1, "a"}) == {1, "a"}
    assert back([frozenset({(1, 2)})]) == [frozenset({(1, 2)})]
    paris = dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"))
    found = back(paris)
    assert (found, found.tzinfo, found.fold) == (paris, paris.tzinfo, 1)
    assert back(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).tzinfo is dt.UTC


@pytest.mark.parametrize(
    "scalar", [np.float64(1.5), np.int8(-3), np.bool_(True), np.datetime64("2026-01-01"), np.str_("x")]
)
def test_numpy_scalars_keep_their_type(scalar: Any) -> None:
    found = back([scalar])[0]
    assert type(found) is type(scalar)
    assert found == scalar
    assert found.dtype == scalar.dtype


class Colour(enum.Enum):
    RED = 1


Point = namedtuple("Point", "x y")


class Struct(msgspec.Struct):
    x: int


@pytest.mark.parametrize(
    "value",
    [
        *(
            Colour.RED,
            Point(1, 2),
            Struct(1),
            OrderedDict(a=1),
            object(),
            print,
            type,
            {1: object()},
            "\udcff",
            [{2: Colour.RED}],
        ),
        *(np.array([{}], dtype=object), pd.DataFrame({"a": [[1]]}), pd.DataFrame({"a": [1, "b"]}), np.float64),
        pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_come_back_as_something_else_is_refused(value: object) -> None:
    with pytest.raises(Unencodable):
        encode(value)


def test_nesting_without_end_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(Unencodable):
        encode(loop)


def stamped(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs["unit"] = "ms"
    return frame


PANDAS = [
    pd.DataFrame({"a": [1, 2], "b": [1.5, np.nan], "c": ["x", None], "d": [True, False]}),
    pd.DataFrame({"c": pd.Categorical(["x", "y"], categories=["y", "x", "z"], ordered=True)}),
    pd.DataFrame({"a": range(3)}, index=pd.date_range("2026-01-01", periods=3, freq="D", tz="UTC", name="day")),
    pd.DataFrame({"a": range(3)}, index=[5, 7, 9]).rename_axis("id"),
    pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")], names=["one", "two"])),
    pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["one", None])),
    pd.DataFrame([[1, 2]], columns=[0, 1]),
    pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "t": pd.to_timedelta([1, 2], unit="s")}),
    pd.DataFrame({"t": pd.to_datetime(["2026-01-01"]).tz_localize("Europe/Paris")}),
    pd.DataFrame({"a": pd.Series([], dtype="int16")}),
    stamped(pd.DataFrame({"a": [1]})),
]


@pytest.mark.parametrize("frame", PANDAS, ids=range(len(PANDAS)))
def test_pandas_frames_come_back_exactly(frame: pd.DataFrame) -> None:
    assert encode(frame)[0] == ARROW
    found = back(frame)
    assert_frame_equal(found, frame, check_freq=True)
    assert found.attrs == frame.attrs
    assert_frame_equal(back({"frames": (frame,)})["frames"][0], frame)


@pytest.mark.parametrize(
    "series", [pd.Series([1, 2], name="a"), pd.Series([1.5]), pd.Series(["x"], index=["i"], name=3)], ids=repr
)
def test_series_come_back_exactly(series: pd.Series[Any]) -> None:
    assert_series_equal(back(series), series)


def test_a_frame_that_came_back_may_be_written_to() -> None:
    for frame in (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [1.5, 2.5]})):
        found = back(frame)
        found.iloc[0, 0] = 9
        assert found.iloc[0, 0] == 9


def test_frames_whose_attrs_would_change_are_refused() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["pair"] = (1, 2)
    with pytest.raises(Unencodable):
        encode(frame)


@pytest.mark.parametrize(
    "value",
    [
        pl.DataFrame({"a": [1, None], "s": ["x", "y"], "l": [[1], []]}),
        pl.DataFrame({"e": ["x"]}, schema={"e": pl.Enum(["x", "y"])}),
        pl.DataFrame(),
        pl.Series("name", [1.5, None]),
    ],
    ids=repr,
)
def test_polars_comes_back_exactly(value: Any) -> None:
    found = back(value)
    assert type(found) is type(value)
    assert found.equals(value, null_equal=True)
    assert str(getattr(found, "schema", None)) == str(getattr(value, "schema", None))


def test_arrow_comes_back_exactly() -> None:
    table = pa.table({"a": [1, 2], "d": pa.array(["x", "y"]).dictionary_encode()}, metadata={"k": "v"})
    assert back(table).equals(table, check_metadata=True)
    assert back(table.to_batches()[0]).equals(table.to_batches()[0])


@pytest.mark.parametrize(
    "array",
    [
        *(
            np.arange(6).reshape(2, 3),
            np.asfortranarray(np.ones((2, 3))),
            np.zeros((0, 3)),
            np.array(5),
            np.arange(9)[::-2],
        ),
        *(
            np.array([(1, 2.0)], dtype=[("a", ">i4"), ("b", "f8")]),
            np.array(["ab", "c"]),
            np.array(["2026"], dtype="M8[s]"),
        ),
    ],
    ids=repr,
)
def test_arrays_come_back_exactly(array: Any) -> None:
    number, data = encode(array)
    assert number == NUMPY
    found = decode(number, data)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable


def test_pickle_is_neither_written_nor_read_unless_allowed() -> None:
    with pytest.raises(Unencodable):
        encode(Colour.RED, "pickle")
    number, data = encode(Colour.RED, "pickle", allow_pickle=True)
    assert number == PICKLE
    with pytest.raises(Undecodable):
        decode(number, data)
    assert decode(number, data, allow_pickle=True) is Colour.RED


def test_a_codec_may_be_asked_for() -> None:
    assert encode(b"x", "raw") == (RAW, b"x")
    assert encode(b"x", "msgpack")[0] == MSGPACK
    for value, codec in ((1, "raw"), (1, "arrow"), (1, "numpy"), (pd.DataFrame(), "numpy")):
        with pytest.raises(Unencodable):
            encode(value, codec)


@given(st.sampled_from([RAW, MSGPACK, NUMPY, PICKLE, 9]), st.binary(max_size=300))
def test_foreign_bytes_are_undecodable_or_a_value(number: int, data: bytes) -> None:
    with contextlib.suppress(Undecodable):
        decode(number, data)
