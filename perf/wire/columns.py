"""Series, distributions and raw samples as Arrow streams: columns of numbers, and in the schema's metadata, as JSON, whose they are.

What is unpacked equals what was packed, bit by bit, and may be changed by whoever gets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from perf.decoding import from_json
from perf.model import Aggregate, Array, Distributions, Labels, Level, Metric, Rows, Series, SeriesInfo

_HEAD = b"perf"
_T = TypeVar("_T")


class Garbled(ValueError):
    """An answer that isn't what it should be."""


class _SeriesHead(msgspec.Struct, frozen=True, array_like=True):
    """One series: the question it answers, what it is, and how many rows of the columns are its."""

    question: int
    metric: Metric
    labels: Labels
    aggregate: Aggregate
    step: float
    level: Level
    rows: int


class _SpreadHead(msgspec.Struct, frozen=True, array_like=True):
    """One distribution; *width* buckets from *first* on."""

    metric: Metric
    labels: Labels
    step: float
    level: Level
    rows: int
    first: int
    width: int


class _RowsHead(msgspec.Struct, frozen=True, array_like=True):
    """What explains the ids of a page."""

    series: list[SeriesInfo]
    total: int
    capped: bool


def packed_series(answers: Sequence[Sequence[Series]]) -> bytes:
    """The answers of several questions, in their order."""
    found = [(question, series) for question, each in enumerate(answers) for series in each]
    heads = [
        _SeriesHead(question, one.metric, one.labels, one.aggregate, one.step, one.level, len(one.ts))
        for question, one in found
    ]
    series = [one for _, one in found]
    columns = {
        "ts": _joined([one.ts for one in series]),
        "value": _joined([one.values for one in series]),
        "low": _joined([one.low for one in series]),
        "high": _joined([one.high for one in series]),
    }
    return _packed(columns, heads)


def unpacked_series(body: bytes, questions: int) -> list[list[Series]]:
    """What `packed_series` packed for so many *questions*. Raises: Garbled."""
    heads, columns = _unpacked(body, list[_SeriesHead], ("ts", "value", "low", "high"))
    answers: list[list[Series]] = [[] for _ in range(questions)]
    for head, (begin, end) in zip(heads, _cuts([head.rows for head in heads], columns["ts"]), strict=True):
        if not 0 <= head.question < questions:
            raise Garbled(f"an answer to question {head.question} of {questions}")
        ts, values, low, high = (columns[name][begin:end] for name in ("ts", "value", "low", "high"))
        answers[head.question].append(
            Series(
                metric=head.metric,
                labels=head.labels,
                aggregate=head.aggregate,
                step=head.step,
                level=head.level,
                ts=ts,
                values=values,
                low=low,
                high=high,
            )
        )
    return answers


def packed_distributions(found: Sequence[Distributions]) -> bytes:
    """Distributions with their buckets."""
    heads = [
        _SpreadHead(one.metric, one.labels, one.step, one.level, len(one.ts), one.first, one.buckets.shape[1])
        for one in found
    ]
    widths = [width for one in found for width in [one.buckets.shape[1]] * len(one.ts)]
    offsets = np.concatenate(([0], np.cumsum(widths, dtype=np.int64)))
    buckets = _joined([one.buckets.reshape(-1) for one in found], np.int64)
    columns = {
        "ts": _joined([one.ts for one in found]),
        "count": _joined([one.count for one in found], np.int64),
        "total": _joined([one.total for one in found]),
        "low": _joined([one.low for one in found]),
        "high": _joined([one.high for one in found]),
        "zero": _joined([one.zero for one in found], np.int64),
        "buckets": pa.LargeListArray.from_arrays(offsets, buckets),
    }
    return _packed(columns, heads)


def unpacked_distributions(body: bytes) -> list[Distributions]:
    """What `packed_distributions` packed. Raises: Garbled."""
    names = ("ts", "count", "total", "low", "high", "zero", "buckets")
    heads, columns = _unpacked(body, list[_SpreadHead], names)
    buckets, at = columns["buckets"], 0
    found = []
    for head, (begin, end) in zip(heads, _cuts([head.rows for head in heads], columns["ts"]), strict=True):
        size = head.rows * head.width
        if head.width < 0 or at + size > len(buckets):
            raise Garbled("buckets are missing")
        found.append(
            Distributions(
                metric=head.metric,
                labels=head.labels,
                step=head.step,
                level=head.level,
                ts=columns["ts"][begin:end],
                count=columns["count"][begin:end],
                total=columns["total"][begin:end],
                low=columns["low"][begin:end],
                high=columns["high"][begin:end],
                zero=columns["zero"][begin:end],
                first=head.first,
                buckets=buckets[at : at + size].reshape(head.rows, head.width),
            )
        )
        at += size
    return found


def packed_rows(rows: Rows) -> bytes:
    """A page of raw samples."""
    columns = {"ts": rows.ts, "sid": rows.sids, "value": rows.values}
    return _packed(columns, _RowsHead(list(rows.series.values()), rows.total, rows.capped))


def unpacked_rows(body: bytes) -> Rows:
    """What `packed_rows` packed. Raises: Garbled."""
    head, columns = _unpacked(body, _RowsHead, ("ts", "sid", "value"))
    return Rows(
        ts=columns["ts"],
        sids=columns["sid"],
        values=columns["value"],
        series={info.sid: info for info in head.series},
        total=head.total,
        capped=head.capped,
    )


def _packed(columns: dict[str, Any], head: object) -> bytes:  # Any: NumPy and Arrow arrays
    arrays = [pa.array(column) if isinstance(column, np.ndarray) else column for column in columns.values()]
    schema = pa.schema(
        [(name, array.type) for name, array in zip(columns, arrays, strict=True)],
        metadata={_HEAD: msgspec.json.encode(head)},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch(arrays, schema=schema))
    return bytes(sink.getvalue())


def _unpacked(body: bytes, kind: type[_T], names: Sequence[str]) -> tuple[_T, dict[str, Any]]:  # Any: arrays (n,)
    """The head, and the columns *names* as arrays of their own; a column of lists comes flat."""
    try:
        with pa.ipc.open_stream(body) as stream:
            schema, batches = stream.schema, list(stream)
        head = from_json((schema.metadata or {})[_HEAD], kind)
        (batch,) = batches
        # A copy: Arrow's memory may not be written to.
        return head, {name: _numbers(batch.column(name)) for name in names}
    except (pa.ArrowException, OSError, msgspec.DecodeError, KeyError, ValueError) as error:
        raise Garbled(f"not an answer: {error}") from error


def _numbers(column: pa.Array) -> npt.NDArray[Any]:  # Any: whichever numbers
    flat = column.flatten() if pa.types.is_large_list(column.type) else column
    return np.array(flat.to_numpy(zero_copy_only=False))


def _joined(parts: Sequence[npt.NDArray[Any]], kind: type = np.float64) -> npt.NDArray[Any]:  # Any: as above
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.empty(0, kind)


def _cuts(lengths: Sequence[int], column: Array) -> Iterator[tuple[int, int]]:
    """Begin and end of every part of *column*."""
    if min(lengths, default=0) < 0 or sum(lengths) != len(column):
        raise Garbled(f"{sum(lengths):,} rows are announced, {len(column):,} came")
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return zip([0, *ends[:-1]], ends, strict=False) if ends else iter(())
