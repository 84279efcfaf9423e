"""How many bytes a value takes in memory: what the memory tier charges for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain

_NO_VALUES = ("__dict__", "__weakref__")
_FLAT: frozenset[type] = frozenset({int, float, complex, bool, type(None), str, bytes, bytearray})
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
            waiting.extend(items.values())
    return total


def _held(value: object) -> Iterable[object] | int:
    """What *value* refers to, or its size when that says all."""
    kind = type(value)
    if kind in _FLAT or isinstance(value, (type, range)):
        return sys.getsizeof(value)
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
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ()) or getattr(base, "__struct_fields__", ())  # those of msgspec
        names = slots if isinstance(slots, (tuple, list)) else (slots,) if isinstance(slots, str) else ()
        held.extend(getattr(value, name) for name in names if name not in _NO_VALUES and hasattr(value, name))
    return held
