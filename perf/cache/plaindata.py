"""Plain Python data as what MessagePack can hold: types it doesn't know, such as tuples and sets, become tagged extensions."""

from __future__ import annotations

import datetime as dt
import decimal
import struct
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, cast

from msgspec import msgpack

Nested = Callable[[object], msgpack.Ext]
Hook = Callable[[int, memoryview], Any]

FRAME = 64
"""Extension numbers from here on are other codecs inside MessagePack."""

(
    _TUPLE,
    _SET,
    _FROZENSET,
    _PAIRS,
    _BIG,
    _DATETIME,
    _DATE,
    _TIME,
    _DELTA,
    _DECIMAL,
    _UUID,
    _COMPLEX,
    _BYTEARRAY,
    _SCALAR,
) = range(14)
_NATIVE: frozenset[type] = frozenset({type(None), bool, float, str, bytes})
_LOW, _HIGH = -(2**63), 2**64 - 1


def lowered(value: Any, nested: Nested) -> Any:  # Any: plain data of any shape
    """*value*, with an extension for what MessagePack doesn't know; *nested* makes those of frames and arrays.

    Raises: RecursionError, and whatever *nested* raises for unknown types.
    """
    kind = type(value)
    if kind in _NATIVE:
        return value
    if kind is list:
        return value if _NATIVE.issuperset(map(type, value)) else [lowered(item, nested) for item in value]
    if kind is dict:
        return _dict(value, nested)
    if kind is int:
        return (
            value
            if _LOW <= value <= _HIGH
            else _ext(_BIG, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
        )
    if kind in _SEQUENCES:
        items = [lowered(item, nested) for item in value]
        return _ext(_SEQUENCES[kind], msgpack.encode(items))
    write = _WRITERS.get(kind)
    if write is not None:
        code, content = write
        return _ext(code, content(value))
    scalar = _numpy_scalar(value)
    return nested(value) if scalar is None else scalar


def raised(code: int, data: memoryview, hook: Hook) -> Any:  # Any: plain data of any shape
    """What the extension *code* holds. Raises: anything for what `lowered` didn't write."""
    if code in _CONTAINERS:
        return _CONTAINERS[code](msgpack.decode(data, ext_hook=hook))
    return _READERS[code](data.tobytes())


def _dict(value: dict[object, object], nested: Nested) -> Any:
    kinds = set(map(type, value))
    if kinds <= {str} or (kinds == {int} and all(_LOW <= cast("int", key) <= _HIGH for key in value)):
        if _NATIVE.issuperset(map(type, value.values())):
            return value
        return {key: lowered(item, nested) for key, item in value.items()}
    pairs = [[lowered(key, nested), lowered(item, nested)] for key, item in value.items()]
    return _ext(_PAIRS, msgpack.encode(pairs))


def _ext(code: int, data: bytes) -> msgpack.Ext:
    return msgpack.Ext(code, data)


def _packed(*values: object) -> bytes:
    return msgpack.encode(values)


def _zone(zone: dt.tzinfo | None) -> str | float | None:
    """A name, seconds east of UTC, or None. Raises: TypeError for other kinds of zones."""
    if zone is None:
        return None
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        return zone.key
    if type(zone) is dt.timezone and zone == dt.timezone(zone.utcoffset(None)) and zone.tzname(None).startswith("UTC"):
        return zone.utcoffset(None).total_seconds()
    raise TypeError(f"a time zone of type {type(zone).__qualname__}")


def _zone_of(zone: str | float | None) -> dt.tzinfo | None:
    if zone is None or isinstance(zone, str):
        return None if zone is None else zoneinfo.ZoneInfo(zone)
    return dt.timezone(dt.timedelta(seconds=zone)) if zone else dt.UTC


def _datetime(value: dt.datetime) -> bytes:
    return _packed(value.replace(tzinfo=None).isoformat(), _zone(value.tzinfo), value.fold)


def _read_datetime(data: bytes) -> dt.datetime:
    text, zone, fold = msgpack.decode(data)
    return dt.datetime.fromisoformat(text).replace(tzinfo=_zone_of(zone), fold=fold)


def _time(value: dt.time) -> bytes:
    return _packed(value.replace(tzinfo=None).isoformat(), _zone(value.tzinfo), value.fold)


def _read_time(data: bytes) -> dt.time:
    text, zone, fold = msgpack.decode(data)
    return dt.time.fromisoformat(text).replace(tzinfo=_zone_of(zone), fold=fold)


def _read_delta(data: bytes) -> dt.timedelta:
    days, seconds, microseconds = msgpack.decode(data)
    return dt.timedelta(days, seconds, microseconds)


def _read_decimal(data: bytes) -> decimal.Decimal:
    sign, digits, exponent = msgpack.decode(data)
    return decimal.Decimal((sign, tuple(digits), exponent))


def _decimal(value: decimal.Decimal) -> bytes:
    # The text of Decimal("0E+3") reads back as the same; digits and exponent say so without a limit of the context.
    sign, digits, exponent = value.as_tuple()
    return _packed(sign, bytes(digits), exponent)


def _numpy_scalar(value: object) -> msgpack.Ext | None:
    kind = type(value)
    if kind.__module__ != "numpy" or hasattr(value, "__setitem__") or not hasattr(value, "dtype"):
        return None
    scalar = cast("Any", value)  # numpy is not imported for a type
    if scalar.dtype.hasobject or scalar.dtype.names or scalar.ndim:
        return None
    return _ext(_SCALAR, _packed(scalar.dtype.str, scalar.tobytes()))


def _read_scalar(data: bytes) -> Any:
    np = sys.modules.get("numpy") or __import__("numpy")
    name, content = msgpack.decode(data)
    dtype = np.dtype(str(name))
    if dtype.hasobject:
        raise ValueError("an object")
    (scalar,) = np.frombuffer(content, dtype=dtype)
    return scalar


_SEQUENCES: dict[type, int] = {tuple: _TUPLE, set: _SET, frozenset: _FROZENSET}
_CONTAINERS: dict[int, Callable[[Any], Any]] = {_TUPLE: tuple, _SET: set, _FROZENSET: frozenset, _PAIRS: dict}
_WRITERS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    dt.datetime: (_DATETIME, _datetime),
    dt.date: (_DATE, lambda value: value.isoformat().encode()),
    dt.time: (_TIME, _time),
    dt.timedelta: (_DELTA, lambda value: _packed(value.days, value.seconds, value.microseconds)),
    decimal.Decimal: (_DECIMAL, _decimal),
    uuid.UUID: (_UUID, lambda value: value.bytes),
    complex: (_COMPLEX, lambda value: struct.pack("<dd", value.real, value.imag)),
    bytearray: (_BYTEARRAY, bytes),
}
_READERS: dict[int, Callable[[bytes], Any]] = {
    _BIG: lambda data: int.from_bytes(data, "little", signed=True),
    _DATETIME: _read_datetime,
    _DATE: lambda data: dt.date.fromisoformat(data.decode()),
    _TIME: _read_time,
    _DELTA: _read_delta,
    _DECIMAL: _read_decimal,
    _UUID: lambda data: uuid.UUID(bytes=data),
    _COMPLEX: lambda data: complex(*struct.unpack("<dd", data)),
    _BYTEARRAY: bytearray,
    _SCALAR: _read_scalar,
}
