"""How a cached value is handed out so that nobody who changes what they got changes the cache.

What can't change is handed out itself, frozen msgspec records of such among it, a pandas frame as a copy-on-write copy, a polars frame as a
clone, anything else as a deep copy.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import re
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, cast

import msgspec

from perf.cache.sizes import slots

Copy = Callable[[object], object]

ATOMS: frozenset[type] = frozenset(
    {
        *(type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented)),
        *(dt.datetime, dt.date, dt.time, dt.timedelta, dt.timezone, zoneinfo.ZoneInfo),
        *(decimal.Decimal, fractions.Fraction, uuid.UUID, re.Pattern, pathlib.PosixPath, pathlib.PurePosixPath),
        *(types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type),
    }
)
"""Types whose values can't change."""

_FIXED_PACKAGES = ("pyarrow",)
_PLAIN: frozenset[type] = frozenset({list, dict, set, bytearray, tuple, frozenset})
_DEEPEST = 100


class _Unusual(Exception):
    """The value is not a tree of plain lists, dicts, sets and tuples of atoms and of records that can't change."""


def shared(value: object) -> Copy | None:
    """The function that copies *value*, or None when it may be handed out as it is.

    None also for what can't be copied at all, such as a connection: all callers get the same one. Below pandas' own surface its
    copies share memory: ``frame["a"].array[0] = 1`` reaches the cache, as it does any copy-on-write copy.
    """
    kind = type(value)
    if kind in ATOMS or isinstance(value, (enum.Enum, type)):
        return None
    package = kind.__module__.partition(".")[0]
    if package in _FIXED_PACKAGES:
        return None
    of_package = _PACKAGES.get(package)
    if of_package is not None:
        return of_package(value)
    try:
        return _tree(value)
    except _Unusual:
        return _deep(value)


def _tree(value: object) -> Copy | None:
    """The copier of plain containers; None when nothing in *value* can change. Raises: _Unusual."""
    if _fixed(value, 0, set()):
        return None
    if isinstance(value, (list, dict, set, bytearray)) and ATOMS.issuperset(map(type, _items(value))):
        # The method of the exact type: one call in C.
        return cast("Copy", type(value).copy)
    return _plain


def _plain(value: object) -> object:
    """A copy of a tree; nothing else comes here."""
    kind = type(value)
    if kind is dict:
        held = cast("dict[object, object]", value)
        if ATOMS.issuperset(map(type, held.values())):
            return held.copy()
        return {key: one if type(one) in ATOMS else _plain(one) for key, one in held.items()}
    if kind is list:
        items = cast("list[object]", value)
        if ATOMS.issuperset(map(type, items)):
            return items.copy()
        return [one if type(one) in ATOMS else _plain(one) for one in items]
    if kind is tuple:
        return tuple([one if type(one) in ATOMS else _plain(one) for one in cast("tuple[object, ...]", value)])
    if kind is set or kind is bytearray:
        return cast("set[object]", value).copy()
    return value


def _fixed(value: object, depth: int, seen: set[int]) -> bool:
    """Whether nothing in *value* can change. Raises: _Unusual when it isn't a tree, or holds what only deepcopy knows."""
    kind = type(value)
    if kind in ATOMS or isinstance(value, enum.Enum):
        return True
    if depth > _DEEPEST:
        raise _Unusual
    if isinstance(value, msgspec.Struct):
        return _record(value, depth, seen)
    if kind not in _PLAIN:
        raise _Unusual
    fixed = kind in (tuple, frozenset)
    if not fixed:
        if id(value) in seen:
            raise _Unusual  # twice the same list: a copy keeps them the same
        seen.add(id(value))
    if isinstance(value, dict) and not all(_fixed(key, depth + 1, seen) for key in value):
        raise _Unusual
    rest = [item for item in _items(value) if type(item) not in ATOMS]
    found = [_fixed(item, depth + 1, seen) for item in rest]  # all of them: a later one may be unusual
    return all(found) and fixed


def _record(value: msgspec.Struct, depth: int, seen: set[int]) -> bool:
    """True for a frozen record of what can't change. Raises: _Unusual for others: only deepcopy makes another one."""
    kind = type(value)
    config = kind.__struct_config__
    if not config.frozen or config.dict or hasattr(kind, "__deepcopy__"):
        raise _Unusual
    if not all(_fixed(getattr(value, name, None), depth + 1, seen) for name in slots(kind)):
        raise _Unusual
    return True


def _items(value: object) -> Any:  # Any: an iterable of whatever it holds
    if isinstance(value, dict):
        return value.values()
    return () if isinstance(value, bytearray) else value


def _deep(value: object) -> Copy | None:
    """`copy.deepcopy`, unless it can't copy *value* or finds nothing to copy."""
    try:
        copied = copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - the edge: a host's __deepcopy__ and __reduce__ may raise anything.
        return None
    return None if copied is value else copy.deepcopy


def _pandas(value: Any) -> Copy | None:  # Any: pandas is not imported for a type
    kind = type(value).__name__
    if kind in ("Timestamp", "Timedelta", "Period", "Interval", "NaTType"):
        return None
    if kind == "DataFrame":
        dtypes = value.dtypes.to_numpy()
        held = [value.iloc[:, place] for place, dtype in enumerate(dtypes) if dtype == object]
    elif kind == "Series":
        held = [value] if value.dtype == object else []
    else:
        return _deep(value)
    if value.attrs:
        held.append(value.attrs.values())
    if all(ATOMS.issuperset(map(type, one)) for one in held):
        return _shallow
    return _objects


def _shallow(value: Any) -> Any:  # Any: a frame or series
    return value.copy(deep=False)


def _objects(value: Any) -> Any:  # Any: a frame or series
    """A copy of a frame whose cells hold objects that may change: pandas copies the references only."""
    copied = value.copy(deep=True)
    copied.attrs = copy.deepcopy(value.attrs)
    if copied.ndim == 1:
        if copied.dtype == object:
            copied.iloc[:] = _cells(copied)
        return copied
    for place, dtype in enumerate(copied.dtypes):
        if dtype == object:
            copied.isetitem(
                place, type(copied.iloc[:, place])(_cells(copied.iloc[:, place]), index=copied.index, dtype=object)
            )
    return copied


def _cells(series: Any) -> Any:  # Any: a series of objects
    array = series.to_numpy().copy()
    array[:] = [copy.deepcopy(one) for one in array]
    return array


def _polars(value: Any) -> Copy | None:  # Any: polars is not imported for a type
    if type(value).__name__ in ("DataFrame", "Series", "LazyFrame"):
        return lambda one: cast("Any", one).clone()
    return _deep(value)


def _numpy(value: Any) -> Copy | None:  # Any: numpy is not imported for a type
    if type(value).__name__ != "ndarray":
        return None if hasattr(value, "dtype") and not hasattr(value, "__setitem__") else _deep(value)
    # A copy and not a read-only view: who gets an array expects to be able to write to it.
    return _deep(value) if value.dtype.hasobject else lambda one: cast("Any", one).copy(order="K")


_PACKAGES: dict[str, Callable[[object], Copy | None]] = {"pandas": _pandas, "polars": _polars, "numpy": _numpy}
