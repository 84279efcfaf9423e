"""Slow calls as exemplars of OTLP histogram points, and exemplars of any program as calls of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from perf.model import Exemplar, Labels, Metric
from perf.model.measurement import encodable
from perf.record.exemplars import MAX_ARGUMENTS, MAX_PARENTS, MAX_TEXT
from perf.transport.values import number, text, texts

_ARGUMENTS, _PARENTS, _ERROR, _RELEASE = "perf.arguments", "perf.parents", "error.type", "service.version"
_MORE = 1
"""A list of arguments that was cut ends with the number of those missing."""
_TRACE = re.compile(r"[0-9a-f]{32}")


def write(point: Any, call: Exemplar) -> None:  # untyped protobuf
    """Add *call* to the data point of its series."""
    wire = point.exemplars.add(time_unix_nano=round(call.ts * 1e9), as_double=call.seconds)
    if _TRACE.fullmatch(call.trace):
        wire.trace_id = bytes.fromhex(call.trace)
    for name, many in ((_ARGUMENTS, call.arguments), (_PARENTS, call.parents)):
        if many:
            members = wire.filtered_attributes.add(key=name).value.array_value.values
            members.extend(AnyValue(string_value=encodable(each)) for each in many)
    for name, one in ((_ERROR, call.error), (_RELEASE, call.release)):
        if one:
            wire.filtered_attributes.add(key=name).value.string_value = encodable(one)


def read(point: Any, metric: Metric, labels: Labels, factor: float, release: str) -> Iterator[Exemplar]:
    """The exemplars of a data point, as calls; *release* is its resource's, *factor* makes seconds of its unit.

    Attributes that other programs leave out of their labels become arguments. A call has a time and a duration; what has
    none is skipped.
    """
    for wire in point.exemplars:
        seconds = number(wire) * factor
        if not wire.time_unix_nano or not 0.0 <= seconds < math.inf:
            continue
        told = {pair.key: pair.value for pair in wire.filtered_attributes}
        arguments, parents = told.pop(_ARGUMENTS, None), told.pop(_PARENTS, None)
        error, version = told.pop(_ERROR, None), told.pop(_RELEASE, None)
        others = [f"{name}={text(value)}" for name, value in told.items()]
        given = others if arguments is None else texts(arguments)
        yield Exemplar(
            ts=wire.time_unix_nano / 1e9,
            metric=metric,
            labels=labels,
            seconds=seconds,
            arguments=_short(given, MAX_ARGUMENTS + _MORE),
            parents=_short([] if parents is None else texts(parents), MAX_PARENTS),
            trace=wire.trace_id.hex(),
            release=(release if version is None else text(version))[:MAX_TEXT],
            error="" if error is None else text(error)[:MAX_TEXT],
        )


def _short(given: list[str], most: int) -> tuple[str, ...]:
    return tuple(each[: 2 * MAX_TEXT] for each in given[:most])
