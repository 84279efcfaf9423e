"""Measurements on their way to the owner: every series once, and then rows that name it by its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from perf.model import Batch, Exemplar, Histogram, HistogramSample, Labels, Measurement, Metric, Sample
from perf.model.measurement import encodable
from perf.wire.protocol import MOST_MEASUREMENTS

Producer = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    series: Annotated[int, msgspec.Meta(ge=0)]
    ts: float


class _Number(_Row, frozen=True, tag="n"):
    value: float


class _Wide(_Row, frozen=True, tag="h"):
    histogram: Histogram


class _Slow(_Row, frozen=True, tag="x"):
    seconds: float
    arguments: tuple[str, ...]
    parents: tuple[str, ...]
    trace: str
    release: str
    error: str


class Appended(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request: *seq* of *producer* numbers it, so that it is stored once however often it is sent; *batches* are stored with it."""

    producer: Producer
    seq: Number
    series: Annotated[list[tuple[Metric, Labels]], msgspec.Meta(max_length=MOST_MEASUREMENTS)]
    rows: Annotated[list[_Number | _Wide | _Slow], msgspec.Meta(max_length=MOST_MEASUREMENTS)]
    batches: Annotated[list[tuple[Producer, Number]], msgspec.Meta(max_length=MOST_MEASUREMENTS)] = []

    def measurements(self) -> list[Measurement]:
        """The measurements, in their order. Raises: ValueError when a row names a series that isn't there."""
        known = len(self.series)
        if any(row.series >= known for row in self.rows):
            raise ValueError(f"a row names a series that is not among the {known:,}")
        return [_measurement(row, *self.series[row.series]) for row in self.rows]


def appended(producer: str, seq: int, samples: Sequence[Measurement], batches: Sequence[Batch]) -> bytes:
    """*samples* and *batches* as MessagePack."""
    places: dict[tuple[Metric, Labels], int] = {}
    rows = [_row(places.setdefault((one.metric, one.labels), len(places)), one) for one in samples]
    series = [(metric, tuple((encodable(name), encodable(text)) for name, text in labels)) for metric, labels in places]
    whole = Appended(producer=producer, seq=seq, series=series, rows=rows, batches=list(batches))
    return msgspec.msgpack.encode(whole)


def _row(place: int, one: Measurement) -> _Number | _Wide | _Slow:
    if isinstance(one, Sample):
        return _Number(place, one.ts, one.value)
    if isinstance(one, HistogramSample):
        return _Wide(place, one.ts, one.histogram)
    return _Slow(
        place,
        one.ts,
        one.seconds,
        tuple(map(encodable, one.arguments)),
        tuple(map(encodable, one.parents)),
        *map(encodable, (one.trace, one.release, one.error)),
    )


def _measurement(row: _Number | _Wide | _Slow, metric: Metric, labels: Labels) -> Measurement:
    if isinstance(row, _Number):
        return Sample(row.ts, metric, labels, row.value)
    if isinstance(row, _Wide):
        return HistogramSample(row.ts, metric, labels, row.histogram)
    return Exemplar(
        ts=row.ts,
        metric=metric,
        labels=labels,
        seconds=row.seconds,
        arguments=row.arguments,
        parents=row.parents,
        trace=row.trace,
        release=row.release,
        error=row.error,
    )
