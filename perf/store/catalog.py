"""The dictionary of series: which id belongs to which metric and labels, and what came last. One writer, many readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from perf.errors import StoreError
from perf.model import Exemplar, HistogramSample, Kind, Labels, Measurement, Metric, Sample, Selector, SeriesInfo
from perf.model.measurement import encodable, storable
from perf.store.levels import BEGINNING, ENDING, MICRO
from perf.store.spread import Spread, spread

Ids = npt.NDArray[np.int32]
Micros = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


class Entry(msgspec.Struct, frozen=True):
    """One series: id (from 1), identity, and when it was first seen (microseconds)."""

    sid: int
    metric: Metric
    labels: Labels
    first_seen: int


class Columns(msgspec.Struct, frozen=True):
    """Samples as columns (n,): times in microseconds, ids, values; distributions (by id and time), None when there are
    none; *slow* calls with the ids of their series; and the series that are *new* with them.
    """

    ts: Micros
    sids: Ids
    values: Values
    spread: Spread | None
    slow: list[tuple[int, Exemplar]]
    new: list[Entry]

    @property
    def earliest(self) -> int:
        """The first time of what is rolled up (microseconds)."""
        wide = () if self.spread is None else (self.spread.times,)
        return min((int(times.min()) for times in (self.ts, *wide) if len(times)), default=ENDING)


class SeriesCatalog:
    """All series by id. A new one is published only after the store has it, so a failed write leaves no trace."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """*entries* as stored, by id without a hole."""
        self._entries: list[Entry] = []
        self._ids: dict[tuple[str, Labels], int] = {}
        self._metrics: dict[str, Metric] = {}
        self._by_metric: dict[str, list[int]] = {}
        self._last_ts: Micros = np.full(64, BEGINNING, np.int64)
        self._last_value: Values = np.zeros(64)
        self._conflicts: dict[str, str] = {}
        self.newest = BEGINNING
        self._publish(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def columns(self, samples: Sequence[Measurement]) -> Columns:
        """*samples* as columns, with ids for the new series that `commit` makes known.

        Raises: StoreError when a time or a value isn't a usable number, or a distribution isn't sound.
        """
        ts = np.array([sample.ts for sample in samples], np.float64)
        with np.errstate(invalid="ignore"):
            micros = np.rint(ts * MICRO)
            usable = (micros >= 0) & (micros <= ENDING) & np.array([storable(sample) for sample in samples], np.bool_)
        if not usable.all():
            bad = samples[int(np.argmin(usable))]
            raise StoreError(f"{bad.metric.name}: not a usable sample: {bad}")
        known = self._ids
        found = [known.get((sample.metric.name, sample.labels), 0) for sample in samples]
        new = self._resolve(samples, found) if 0 in found else []
        self._note_conflicts(samples, new)
        return _columns(samples, micros.astype(np.int64), np.array(found, np.int32), new)

    def commit(self, columns: Columns) -> None:
        """*columns* are stored: publish their series and remember what came last."""
        self._publish(columns.new)
        self.seen(columns.sids, columns.ts, columns.values)
        if columns.spread is not None:
            parts = columns.spread
            self.seen(parts.keys.astype(np.int32), parts.times, np.full(len(parts), np.nan))

    def seen(self, sids: Ids, ts: Micros, values: Values) -> None:
        """Remember the newest sample of each series among these columns (n,); a distribution's value is NaN."""
        if not len(ts):
            return
        if (ts[1:] < ts[:-1]).any():
            order = np.argsort(ts, kind="stable")
            sids, ts, values = sids[order], ts[order], values[order]
        newer = ts >= self._last_ts[sids]
        self._last_ts[sids[newer]] = ts[newer]
        self._last_value[sids[newer]] = values[newer]
        self.newest = max(self.newest, int(ts[-1]))

    def infos(self) -> list[SeriesInfo]:
        """Every series, by id."""
        return [self._info(entry) for entry in self._entries]

    def info(self, sid: int) -> SeriesInfo:
        """The series *sid*, which must be known."""
        return self._info(self._entries[sid - 1])

    def entry(self, sid: int) -> Entry:
        """Identity of *sid*, which must be known."""
        return self._entries[sid - 1]

    def metric(self, name: str) -> Metric:
        """The metric *name*, which must be known."""
        return self._metrics[name]

    def matching(self, selector: Selector) -> list[int]:
        """Ids of the series meant by *selector*, ascending."""
        ids = list(self._by_metric.get(selector.metric, ()))
        if not selector.labels and not selector.tests:
            return ids
        return [sid for sid in ids if selector.matches(selector.metric, self._entries[sid - 1].labels)]

    def search(self, selectors: Sequence[Selector], text: str) -> list[int]:
        """Ids of series meant by any of *selectors* (none: all) whose name or a label value contains *text*; ascending."""
        if selectors:
            ids = sorted({sid for selector in selectors for sid in self.matching(selector)})
        else:
            ids = [entry.sid for entry in list(self._entries)]
        needle = text.casefold()
        return [sid for sid in ids if _contains(self._entries[sid - 1], needle)] if needle else ids

    def ranked(self, sids: Iterable[int]) -> list[int]:
        """*sids* in the order of metric name, then labels."""
        return sorted(sids, key=lambda sid: (self._entries[sid - 1].metric.name, self._entries[sid - 1].labels, sid))

    def problems(self) -> list[str]:
        """Metrics that arrived with another kind or unit than known, as sentences."""
        return list(self._conflicts.values())

    def _resolve(self, samples: Sequence[Measurement], found: list[int]) -> list[Entry]:
        """Fill the zeros of *found* with new ids."""
        new: dict[tuple[str, Labels], Entry] = {}
        metrics: dict[str, Metric] = {}
        for position, sample in enumerate(samples):
            if found[position]:
                continue
            labels = tuple((encodable(label), encodable(text)) for label, text in sample.labels)
            key = (sample.metric.name, labels)
            if labels != sample.labels and key in self._ids:
                found[position] = self._ids[key]
                continue
            if key not in new:
                name = sample.metric.name
                metric = self._metrics.get(name) or metrics.setdefault(name, sample.metric)
                sid = len(self._entries) + len(new) + 1
                new[key] = Entry(sid, metric, labels, round(sample.ts * MICRO))
            found[position] = new[key].sid
        return list(new.values())

    def _note_conflicts(self, samples: Sequence[Measurement], new: list[Entry]) -> None:
        """Keep the kind and unit that came first, and say so; a batch has few distinct metrics, so look at those only."""
        metrics = [sample.metric for sample in samples]
        for metric in dict(zip(map(id, metrics), metrics, strict=True)).values():
            known = self._metrics.get(metric.name)
            if known is None:
                known = next(entry.metric for entry in new if entry.metric.name == metric.name)
            if (known.kind, known.unit) != (metric.kind, metric.unit) and metric.name not in self._conflicts:
                self._conflicts[metric.name] = (
                    f"{metric.name} arrives as {_described(metric)}, but it is kept as {_described(known)}."
                )

    def _publish(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            name = entry.metric.name
            if entry.sid >= len(self._last_ts):
                self._grow()
            self._entries.append(entry)
            self._by_metric.setdefault(name, []).append(entry.sid)
            self._metrics.setdefault(name, entry.metric)
            self._ids[name, entry.labels] = entry.sid

    def _grow(self) -> None:
        size = len(self._last_ts)
        last_ts, last_value = np.full(2 * size, BEGINNING, np.int64), np.zeros(2 * size)
        last_ts[:size], last_value[:size] = self._last_ts, self._last_value
        self._last_value, self._last_ts = last_value, last_ts

    def _info(self, entry: Entry) -> SeriesInfo:
        last = int(self._last_ts[entry.sid])
        first_seen = entry.first_seen / MICRO
        if last == BEGINNING:
            return SeriesInfo(entry.sid, entry.metric, entry.labels, first_seen)
        value = float(self._last_value[entry.sid])
        return SeriesInfo(
            entry.sid, entry.metric, entry.labels, first_seen, last / MICRO, None if np.isnan(value) else value
        )


def _columns(samples: Sequence[Measurement], ts: Micros, sids: Ids, new: list[Entry]) -> Columns:
    numbers = [index for index, sample in enumerate(samples) if isinstance(sample, Sample)]
    values = np.array([sample.value for sample in samples if isinstance(sample, Sample)], np.float64)
    if len(numbers) == len(samples):
        return Columns(ts, sids, values, None, [], new)
    wide = [index for index, sample in enumerate(samples) if isinstance(sample, HistogramSample)]
    parts = None
    if wide:
        histograms = [sample.histogram for sample in samples if isinstance(sample, HistogramSample)]
        parts = spread(sids[wide].tolist(), ts[wide].tolist(), histograms)
    slow = [(sid, sample) for sid, sample in zip(sids.tolist(), samples, strict=True) if isinstance(sample, Exemplar)]
    return Columns(ts[numbers], sids[numbers], values, parts, slow, new)


def _contains(entry: Entry, needle: str) -> bool:
    return needle in entry.metric.name.casefold() or any(needle in value.casefold() for _, value in entry.labels)


def _described(metric: Metric) -> str:
    return (
        f"{Kind(metric.kind).value} in {metric.unit!r}" if metric.unit else f"{Kind(metric.kind).value} without a unit"
    )
