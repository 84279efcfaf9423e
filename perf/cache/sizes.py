"""How many bytes a value takes in memory: what the memory tier charges for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import cast
from weakref import WeakKeyDictionary

import msgspec

_NO_VALUES = ("__dict__", "__weakref__")
_FLAT: frozenset[type] = frozenset({int, float, complex, bool, type(None), str, bytes, bytearray})
_PLAIN: frozenset[type] = frozenset({list, tuple, set, frozenset})
_FRAMES: dict[tuple[str, str], Callable[..., float]] = {
    ("pandas", "DataFrame"): lambda frame: int(frame.memory_usage(index=True, deep=True).sum()),
    ("pandas", "Series"): lambda series: series.memory_usage(index=True, deep=True),
    ("pandas", "Index"): lambda index: index.memory_usage(deep=True),
    ("polars", "DataFrame"): lambda frame: frame.estimated_size(),
    ("polars", "Series"): lambda series: series.estimated_size(),
    ("pyarrow", "Table"): lambda table: table.get_total_buffer_size(),
    ("pyarrow", "RecordBatch"): lambda batch: batch.get_total_buffer_size(),
    ("pyarrow", "ChunkedArray"): lambda array: array.get_total_buffer_size(),
}
_slots: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def sizeof(value: object) -> int:
    """Bytes of *value* and all that it holds; what it holds twice counts once.

    Walks containers, records and the attributes of objects. Frames answer for themselves; what lies outside the interpreter's
    sight (buffers of other extension types) does not count.
    """
    total = 0
    seen: set[int] = set()
    # The items themselves stay in the list while their ids are in use.
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        held = _held(one)
        if isinstance(held, int):
            total += held
            continue
        total += sys.getsizeof(one)
        items = {id(item): item for item in held}
        if _FLAT.issuperset(map(type, items.values())):
            # One pass in C for the leaves; they may repeat between containers, which charges a little too much, never too little.
            total += sum(map(sys.getsizeof, items.values()))
        else:
            for name, item in items.items():
                if type(item) not in _FLAT:
                    waiting.append(item)
                elif name not in seen:
                    seen.add(name)
                    total += sys.getsizeof(item)
    return total


def _held(value: object) -> Iterable[object] | int:
    """What *value* refers to, or its size when that says all."""
    kind = type(value)
    if kind in _FLAT or isinstance(value, (type, range)):
        return sys.getsizeof(value)
    # The usual ones first: whether something is a mapping takes as long to find out as the rest.
    if kind in _PLAIN:
        return cast("Iterable[object]", value)
    if isinstance(value, msgspec.Struct):
        return _attributes(value)
    if isinstance(value, Mapping):
        return chain(value.keys(), value.values())
    if isinstance(value, (list, tuple, AbstractSet)):
        return value
    package = kind.__module__.partition(".")[0]
    if package == "numpy":
        return _array(value)
    size = _FRAMES.get((package, kind.__name__))
    if size is not None:
        return int(size(value))
    return _attributes(value)


def _array(value: object) -> Iterable[object] | int:
    own = sys.getsizeof(value)
    buffer = int(getattr(value, "nbytes", 0))
    flat = getattr(value, "flat", None)
    if flat is not None and getattr(value, "dtype", None) == object:
        return list(flat)
    # getsizeof knows the buffer of an array that owns it; a view keeps somebody else's alive.
    return max(own, buffer)


def _attributes(value: object) -> Iterable[object]:
    """The attributes of an object, in its dict and its slots."""
    fields = getattr(value, "__dict__", None)
    held: list[object] = [fields] if isinstance(fields, dict) else []
    held.extend(getattr(value, name, None) for name in slots(type(value)))  # None where it was never set
    return held


def slots(kind: type) -> tuple[str, ...]:
    """The names of the attributes that *kind* and its bases keep outside a ``__dict__``, those of msgspec's records among them."""
    found = _slots.get(kind)
    if found is None:
        names: dict[str, None] = {}  # in their order, each once
        for base in kind.__mro__:
            own = base.__dict__.get("__slots__", ()) or getattr(base, "__struct_fields__", ())
            names |= dict.fromkeys(own if isinstance(own, (tuple, list)) else (own,) if isinstance(own, str) else ())
        # Remembered: hundreds of records of a type may be in one result.
        found = _slots[kind] = tuple(name for name in names if name not in _NO_VALUES)
    return found
