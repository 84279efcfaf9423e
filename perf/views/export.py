"""Whole answers as CSV, Parquet, Arrow or JSON lines, piece by piece, so that size costs time and not memory."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from perf.errors import QueryError
from perf.model import Labels, RowOrder, Rows, RowsQuery, Selector, Window
from perf.ports import Store
from perf.timerange import rfc3339
from perf.views.series import Answer

PIECE = 50_000
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
_SCHEMA = pa.schema(
    [
        ("ts", pa.timestamp("us", tz="UTC")),
        ("metric", pa.string()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("value", pa.float64()),
        ("unit", pa.string()),
    ]
)


class Format(StrEnum):
    """What an export looks like."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return {
            "csv": "text/csv; charset=utf-8",
            "parquet": "application/vnd.apache.parquet",
            "json": "application/jsonl; charset=utf-8",
            "arrow": "application/vnd.apache.arrow.stream",
        }[self.value]

    @property
    def suffix(self) -> str:
        """Its file name's ending."""
        return "jsonl" if self is Format.JSON else self.value


class Record(msgspec.Struct, frozen=True):
    """One exported row: Unix seconds, metric, labels, value in *unit*."""

    ts: float
    metric: str
    labels: Labels
    value: float
    unit: str


def raw(store: Store, selectors: Sequence[Selector], window: Window, search: str = "") -> Iterator[list[Record]]:
    """Every raw sample of *window* in time order, in pieces; each piece is read to its end before it is given out."""
    start, width = window.start, window.seconds
    while start < window.end:
        piece = Window(start, min(start + width, window.end))
        rows = store.rows(_rows_query(piece, selectors, search))
        if len(rows.ts) >= PIECE:
            if piece.seconds <= 1e-3:
                raise QueryError(f"more than {PIECE:,} samples within {piece.seconds:g} s at {rfc3339(start)}")
            width = piece.seconds / 4
            continue
        if len(rows.ts):
            yield _records(rows)
        start = piece.end
        width = piece.seconds * (2 if len(rows.ts) < PIECE / 4 else 1)


def stepped(answer: Answer) -> Iterator[list[Record]]:
    """The points of a range answer, series by series."""
    for _, series in answer.series:
        columns = zip(series.ts.tolist(), series.values.tolist(), strict=True)
        yield [Record(ts, series.metric.name, series.labels, value, series.unit) for ts, value in columns]


def encoded(pieces: Iterator[list[Record]], form: Format, zone: str = "UTC") -> Iterator[bytes]:
    """*pieces* as the bytes of a file of *form*; an answer without rows still has its header."""
    if form is Format.CSV:
        return _csv(pieces, zone)
    if form is Format.JSON:
        return (b"".join(_line(record) for record in piece) for piece in pieces)
    return _arrow(pieces) if form is Format.ARROW else _parquet(pieces)


def zone_named(name: str) -> ZoneInfo:
    """The IANA time zone *name*. Raises: QueryError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise QueryError(f"no time zone {name!r}", text=name) from error


def safe_cell(text: str) -> str:
    """*text* for a CSV cell that a spreadsheet must not run as a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _rows_query(window: Window, selectors: Sequence[Selector], search: str) -> RowsQuery:
    return RowsQuery(
        window=window,
        selectors=tuple(selectors),
        search=search,
        order=RowOrder.TIME,
        descending=False,
        limit=PIECE,
    )


def _records(rows: Rows) -> list[Record]:
    columns = zip(rows.ts.tolist(), rows.sids.tolist(), rows.values.tolist(), strict=True)
    return [
        Record(ts, (info := rows.series[sid]).metric.name, info.labels, value, info.metric.unit)
        for ts, sid, value in columns
    ]


def _csv(pieces: Iterator[list[Record]], zone: str) -> Iterator[bytes]:
    place = zone_named(zone)
    yield f"time ({zone}),unix_seconds,metric,labels,value,unit\r\n".encode()
    for piece in pieces:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for record in piece:
            labels = ", ".join(f"{name}={value}" for name, value in record.labels)
            moment = datetime.fromtimestamp(record.ts, place).isoformat(timespec="milliseconds")
            metric, where, unit = (safe_cell(text) for text in (record.metric, labels, record.unit))
            writer.writerow([moment, f"{record.ts:.3f}", metric, where, record.value, unit])
        yield buffer.getvalue().encode()


def _line(record: Record) -> bytes:
    row = {
        "ts": rfc3339(record.ts),
        "metric": record.metric,
        "labels": dict(record.labels),
        "value": record.value if math.isfinite(record.value) else None,
        "unit": record.unit,
    }
    return msgspec.json.encode(row) + b"\n"


def _parquet(pieces: Iterator[list[Record]]) -> Iterator[bytes]:
    """Through a temporary file: the format ends with its index, so the first byte can't leave before the last row came."""
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
            for piece in pieces:
                writer.write_table(_table(piece))
        file.seek(0)
        while block := file.read(1 << 20):
            yield block


def _arrow(pieces: Iterator[list[Record]]) -> Iterator[bytes]:
    """An IPC stream: its schema, a batch a piece, its end."""
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, _SCHEMA) as writer:
        for piece in pieces:
            writer.write_table(_table(piece))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _table(piece: list[Record]) -> pa.Table:
    return pa.table(
        {
            "ts": pa.array([round(r.ts * 1e6) for r in piece], pa.timestamp("us", tz="UTC")),
            "metric": [r.metric for r in piece],
            "labels": pa.array([list(r.labels) for r in piece], pa.map_(pa.string(), pa.string())),
            "value": [r.value for r in piece],
            "unit": [r.unit for r in piece],
        },
        schema=_SCHEMA,
    )
