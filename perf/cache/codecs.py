"""Values as bytes and back, with their types: plain data as MessagePack, frames as Arrow, arrays as npy. Pickle only when allowed."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec

from perf.cache import plaindata
from perf.errors import CacheError

RAW, MSGPACK, ARROW, NUMPY, PICKLE = range(5)
"""Numbers of the codecs on disk and on the wire; never reused."""

_NAMES = {"raw": RAW, "msgpack": MSGPACK, "arrow": ARROW, "numpy": NUMPY, "pickle": PICKLE}
_FRAMES = ("pandas", "polars", "pyarrow")


class Unencodable(CacheError):
    """No codec can hold the value and give it back as it was."""


class Undecodable(CacheError):
    """The bytes are not what their codec writes."""


def encode(value: object, codec: str = "auto", *, allow_pickle: bool = False) -> tuple[int, bytes]:
    """The number of the codec, and *value* in it.

    Raises: Unencodable when *codec*, or with ``auto`` any that is safe, can't give back exactly *value*.
    """
    number = _suits(value) if codec == "auto" else _NAMES[codec]
    if number == PICKLE and not allow_pickle:
        raise Unencodable("codec='pickle' needs a cache made with allow_pickle=True")
    try:
        return number, _encoded(value, number)
    except Unencodable:
        raise
    except (
        Exception
    ) as error:  # The edge: a host's value may fail in any way; counted, and told as an event, by who stores it.
        raise Unencodable(f"{type(value).__qualname__}: {error}") from error


def decode(number: int, data: bytes | memoryview, *, allow_pickle: bool = False) -> Any:  # Any: whatever was encoded
    """What *data* holds in the codec *number*.

    Raises: Undecodable, whatever *data* is.
    """
    try:
        return _decoded(number, data, allow_pickle=allow_pickle)
    except Undecodable:
        raise
    except Exception as error:  # The edge: bytes may be anything, and so are Arrow's errors; who reads counts it, and tells it as an event.
        raise Undecodable(f"{type(error).__name__}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # polars raises it, and it is no Exception
            raise
        raise Undecodable(str(error)) from error


def _suits(value: object) -> int:
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package in _FRAMES:
        return ARROW
    if package == "numpy" and kind.__name__ == "ndarray":
        return NUMPY
    return RAW if kind is bytes else MSGPACK


def _encoded(value: Any, number: int) -> bytes:
    if number == RAW:
        if type(value) is not bytes:
            raise Unencodable(f"codec raw takes bytes, not {type(value).__qualname__}")
        return value
    if number == MSGPACK:
        return msgspec.msgpack.encode(plaindata.lowered(value, _nested))
    if number == PICKLE:
        return pickle.dumps(value, protocol=5)
    if number != _suits(value):
        raise Unencodable(f"{type(value).__qualname__} is no frame or array")
    from perf.cache import framecodecs

    return framecodecs.encoded(value)


def _decoded(number: int, data: bytes | memoryview, *, allow_pickle: bool) -> Any:
    if number == RAW:
        return bytes(data)
    if number == MSGPACK:
        return msgspec.msgpack.decode(data, ext_hook=_extension)
    if number == PICKLE and allow_pickle:
        return pickle.loads(data)  # noqa: S301 - the maker of the cache allowed it
    if number not in (ARROW, NUMPY):
        raise Undecodable(f"codec {number} is unknown here or not allowed")
    from perf.cache import framecodecs

    return framecodecs.decoded(data, array=number == NUMPY)


def _nested(value: object) -> msgspec.msgpack.Ext:
    """A frame or an array inside plain data."""
    number = _suits(value)
    if number not in (ARROW, NUMPY):
        raise Unencodable(f"{type(value).__module__}.{type(value).__qualname__} has no codec")
    return msgspec.msgpack.Ext(plaindata.FRAME + number, _encoded(value, number))


def _extension(code: int, data: memoryview) -> Any:
    if code >= plaindata.FRAME:
        return _decoded(code - plaindata.FRAME, data, allow_pickle=False)
    return plaindata.raised(code, data, _extension)
