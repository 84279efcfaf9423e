"""Data as types, from any thread: msgspec looks at a type when it is decoded first, and two threads that do so at once crash the process.

Its note of a class is there for all before it is filled in, while the annotations of what the class holds are still evaluated.
So one thread at a time looks at types; what is known is decoded without waiting.
"""

from __future__ import annotations

import os
import threading
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
# Reentrant: `__post_init__` of what is converted may decode, too.
_lock = threading.RLock()
_json: dict[object, msgspec.json.Decoder[Any]] = {}  # Any: by type
_msgpack: dict[object, msgspec.msgpack.Decoder[Any]] = {}  # Any: likewise


def from_json(body: bytes | str, kind: type[_T]) -> _T:
    """*body* as *kind*. Raises: msgspec.DecodeError, UnicodeDecodeError."""
    decoder = _json.get(kind)
    if decoder is None:
        with _lock:
            decoder = _json[kind] = msgspec.json.Decoder(kind)
    found: _T = decoder.decode(body)
    return found


def from_msgpack(body: bytes, kind: type[_T]) -> _T:
    """*body* as *kind*. Raises: msgspec.DecodeError, UnicodeDecodeError."""
    decoder = _msgpack.get(kind)
    if decoder is None:
        with _lock:
            decoder = _msgpack[kind] = msgspec.msgpack.Decoder(kind)
    found: _T = decoder.decode(body)
    return found


def converted(value: object, kind: type[_T], *, strict: bool = True) -> _T:
    """*value* as *kind*; from text, too, unless *strict*. Raises: msgspec.ValidationError."""
    with _lock:
        return msgspec.convert(value, kind, strict=strict)


if hasattr(os, "register_at_fork"):
    # A child must not begin with a type half looked at, or with a lock whose holder is not there.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
