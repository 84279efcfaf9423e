"""A value as bytes that are equal exactly when the values are: of the same type, and with the same content."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import math
import pathlib
import re
import struct
import types
import uuid
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from perf.errors import CacheError

_DEEPEST = 100
_NAN = b"nan"


def canonical(value: object) -> bytes:
    """*value* as bytes; dicts and sets in any order give the same ones, frames and arrays count by content.

    Raises: CacheError for what is known by its identity only (another process would never find it again), and for what holds itself.
    """
    return _encoded(value, 0)


def _encoded(value: object, depth: int) -> bytes:
    kind = type(value)
    plain = _PLAIN.get(kind)
    if plain is not None:
        name, write = plain
        return _tagged(name, write(value))
    if depth > _DEEPEST:
        raise CacheError(f"an argument is nested more than {_DEEPEST} deep")
    container = _CONTAINERS.get(kind)
    if container is not None:
        name, items = container
        return _tagged(name, items(value, depth + 1))
    package = kind.__module__.partition(".")[0]
    if package in ("pandas", "polars", "pyarrow", "numpy"):
        from perf.cache import framebytes  # imports the package of the value

        return _tagged(package.encode(), framebytes.content(value, functools.partial(_encoded, depth=depth + 1)))
    return _tagged(b"object", _record(value, depth + 1))


def _tagged(name: bytes, content: bytes) -> bytes:
    return b"%b:%d:%b" % (name, len(content), content)


def _float(value: Any) -> bytes:  # Any: a float, from a table by type
    return _NAN if math.isnan(value) else struct.pack("<d", value)


def _text(value: Any) -> bytes:  # Any: a string, from a table by type
    return cast("str", value).encode("utf-8", "surrogatepass")


def _printed(value: object) -> bytes:
    return repr(value).encode("utf-8", "surrogatepass")


_PLAIN: dict[type, tuple[bytes, Callable[[Any], bytes]]] = {
    type(None): (b"none", lambda _: b""),
    bool: (b"bool", _printed),
    int: (b"int", lambda value: b"%x" % value),
    float: (b"float", _float),
    complex: (b"complex", lambda value: _float(value.real) + b"," + _float(value.imag)),
    str: (b"str", _text),
    bytes: (b"bytes", bytes),
    bytearray: (b"bytearray", bytes),
    memoryview: (b"memoryview", lambda value: value.tobytes()),
    dt.datetime: (b"datetime", lambda value: _printed((value.isoformat(), str(value.tzinfo), value.fold))),
    dt.date: (b"date", _printed),
    dt.time: (b"time", lambda value: _printed((value.isoformat(), str(value.tzinfo), value.fold))),
    dt.timedelta: (b"timedelta", _printed),
    dt.timezone: (b"timezone", _printed),
    decimal.Decimal: (b"decimal", lambda value: _printed(value.as_tuple())),
    fractions.Fraction: (b"fraction", _printed),
    uuid.UUID: (b"uuid", lambda value: value.bytes),
    range: (b"range", _printed),
    re.Pattern: (b"pattern", lambda value: _printed((value.pattern, value.flags))),
    pathlib.PosixPath: (b"path", _printed),
    pathlib.PurePosixPath: (b"purepath", _printed),
    type(...): (b"ellipsis", lambda _: b""),
}


def _ordered(items: Iterable[object], depth: int) -> bytes:
    return b"".join([_encoded(item, depth) for item in items])


def _unordered(items: Iterable[object], depth: int) -> bytes:
    return b"".join(sorted(_encoded(item, depth) for item in items))


def _pairs(held: dict[object, object], depth: int) -> bytes:
    return b"".join(sorted(_encoded(key, depth) + _encoded(value, depth) for key, value in held.items()))


_CONTAINERS: dict[type, tuple[bytes, Callable[[Any, int], bytes]]] = {
    tuple: (b"tuple", _ordered),
    list: (b"list", _ordered),
    set: (b"set", _unordered),
    frozenset: (b"frozenset", _unordered),
    dict: (b"dict", _pairs),
    slice: (b"slice", lambda value, depth: _ordered((value.start, value.stop, value.step), depth)),
    functools.partial: (
        b"partial",
        lambda value, depth: _ordered((value.func, value.args, value.keywords), depth),
    ),
}


def _record(value: object, depth: int) -> bytes:
    """What has a name and fields: enums, functions, classes, data classes, and children of the plain types."""
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return _named(value)
    name = _named(type(value))
    if isinstance(value, enum.Enum):
        return name + _text(value.name)
    if dataclasses.is_dataclass(value):
        fields: object = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
    else:
        fields = _base(value)
    return name + _encoded(fields, depth)


def _base(value: object) -> object:
    """*value* as the plain type that it is a child of, with its own attributes."""
    for base in (str, int, float, bytes, tuple, list, dict, frozenset, set):
        if isinstance(value, base):
            return base(cast("Any", value)), getattr(value, "__dict__", {})
    raise CacheError(f"no key can be made from {type(value).__qualname__}: only its identity tells it from others")


def _named(thing: Any) -> bytes:  # Any: a class or a function
    name = f"{thing.__module__}.{thing.__qualname__}"
    if "<" in name and isinstance(thing, types.FunctionType):
        raise CacheError(f"no key can be made from {name}: another function may have the same name")
    return name.encode() + b";"
