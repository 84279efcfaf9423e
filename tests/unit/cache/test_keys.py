"""Keys: one for one call however it is written, another for every other."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.cache.canonical import canonical
from perf.cache.keys import FunctionKeys, key_for
from perf.errors import CacheError


def area(width: object, height: object = 2, *, unit: str = "m") -> None: ...


def key(*args: Any, **kwargs: Any) -> str:
    return key_for("shop", "3", area, args, kwargs)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Number(enum.IntEnum):
    ONE = 1


@dataclass(frozen=True)
class Point:
    x: int


@dataclass(frozen=True)
class Place:
    x: int


def test_a_key_names_namespace_version_and_function() -> None:
    prefix, _, digest = key(1).rpartition(":")
    assert prefix == f"shop:3:{__name__}.area"
    assert len(digest) == 32


def test_a_call_has_one_key_however_it_is_written() -> None:
    assert key(1) == key(width=1) == key(1, 2) == key(1, height=2) == key(height=2, width=1) == key(1, unit="m")
    assert key(1) != key(1, 3)
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    assert key({1, 2, "a"}) == key({"a", 2, 1})


DIFFERENT = [
    *(
        1,
        1.0,
        True,
        "1",
        b"1",
        1 + 0j,
        None,
        "None",
        (1,),
        [1],
        {1},
        frozenset({1}),
        {1: 1},
        {"1": 1},
        (),
        [],
        {},
        ((1,),),
    ),
    *(
        (1, 2),
        (12,),
        ("1", "2"),
        ("12",),
        ("1,2",),
        0.0,
        -0.0,
        float("nan"),
        float("inf"),
        decimal.Decimal(1),
        decimal.Decimal("1.0"),
    ),
    *(Colour.RED, Colour.BLUE, Number.ONE, Point(1), Place(1), Point, dt.date(2026, 1, 1)),
    *(
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        Path("a"),
        "a",
        bytearray(b"1"),
        range(1),
        slice(1),
        functools.partial(area, 1),
        area,
    ),
    *(np.int64(1), np.float64(1), np.array([1]), np.array([1.0]), np.array([[1]]), np.array([1], dtype=object)),
    *(
        pd.Series([1]),
        pd.Series([1], name="a"),
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({"b": [1]}),
        pd.DataFrame({"a": [1.0]}),
    ),
    *(pd.DataFrame({"a": [1]}, index=[5]), pd.DataFrame({"a": ["1"]}), pd.DataFrame({"a": ["1"]}, dtype=object)),
    *(pd.DataFrame({"a": [1]}, dtype=object), pd.DataFrame({"a": pd.Categorical([1])}), pl.DataFrame({"a": [1]})),
    *(
        pl.DataFrame({"a": [2]}),
        pl.Series([1]),
        pa.table({"a": [1]}),
        pa.table({"a": [1, 2]}),
        pd.Timestamp(0),
        pd.Timestamp(1),
    ),
]


def test_values_that_differ_in_type_or_content_have_different_keys() -> None:
    found = [key(value) for value in DIFFERENT]
    assert len(set(found)) == len(found)
    assert [key(value) for value in DIFFERENT] == found


def test_frames_count_by_content() -> None:
    def made() -> pd.DataFrame:
        frame = pd.DataFrame({"a": [1, None], "s": ["x", None], "t": pd.to_datetime(["2026-01-01", None])})
        return frame.set_index(pd.Index([1, 2], name="id"))

    assert key(made()) == key(made())
    chunked = pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2]})])
    assert key(chunked) == key(pa.table({"a": [1, 2]}))
    assert key(pl.concat([pl.DataFrame({"a": [1]})] * 2, rechunk=False)) == key(pl.DataFrame({"a": [1, 1]}))


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 1, [object()], {"a": object()}, iter(())],
    ids=["object", "lambda", "list", "dict", "iterator"],
)
def test_what_is_known_by_identity_only_is_an_error(value: object) -> None:
    with pytest.raises(CacheError, match=r"area: no key can be made from .*; give the decorator key="):
        key(value)


def test_what_holds_itself_is_an_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(CacheError, match="nested"):
        key(loop)


def test_a_call_that_does_not_fit_still_has_a_key() -> None:
    assert key(1, 2, 3, 4) == key(1, 2, 3, 4) != key()


simple = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "1", "True"]), st.floats(-2, 2))


@given(st.lists(simple, max_size=2), st.lists(simple, max_size=2))
def test_equal_keys_mean_equal_calls(one: list[Any], other: list[Any]) -> None:
    """Law: keys are equal exactly when the arguments, defaults filled in, are equal in type and value."""

    def full(args: list[Any]) -> list[object]:
        return [] if not args else args if len(args) == 2 else [*args, 2]

    keys = FunctionKeys("n", "v", area)
    same = repr(full(one)) == repr(full(other))
    for _ in range(2):  # the second time from memory
        assert (keys(tuple(one), {}) == keys(tuple(other), {})) == same


def test_other_processes_make_the_same_keys() -> None:
    program = "from perf.cache.canonical import canonical; print(canonical([{'a', 'b', 'c'}, {'x': 1.5}]).hex())"
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == canonical([{"c", "b", "a"}, {"x": 1.5}]).hex()
