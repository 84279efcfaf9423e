"""Attributes and numbers of OTLP as texts and floats. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any


def attributes(pairs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Names and values of attributes; lists and maps as JSON."""
    for pair in pairs:
        yield pair.key, text(pair.value)


def text(value: Any) -> str:  # untyped protobuf
    """An attribute's value."""
    kind = value.WhichOneof("value")
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "bytes_value":
        return bytes(value.bytes_value).hex()
    if kind == "array_value":
        return json.dumps(texts(value))
    if kind == "kvlist_value":
        return json.dumps(dict(attributes(value.kvlist_value.values)))
    return str(getattr(value, kind)) if kind else ""


def texts(value: Any) -> list[str]:  # untyped protobuf
    """The members of an attribute's value; none when it isn't a list."""
    return [text(each) for each in value.array_value.values]


def number(point: Any) -> float:  # untyped protobuf
    """The value of a data point or an exemplar; NaN without one."""
    kind = point.WhichOneof("value")
    return float(getattr(point, kind)) if kind else math.nan
