"""A store that forgets on exit: for tests, and for programs that want no file. Keeps the promises of the one on disk."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np

from perf.errors import StoreClosed
from perf.model import (
    Annotation,
    Batch,
    Change,
    Distributions,
    Exemplar,
    Kind,
    Level,
    LevelUsage,
    Measurement,
    RangeQuery,
    RowOrder,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    StoreUsage,
    Window,
)
from perf.model.distribution import HistogramSample
from perf.ports import AccessStore, AlertStore, Clock, ProbeStore
from perf.settings import StoreSettings
from perf.store import answers, levels, retention
from perf.store.access import MemoryAccess
from perf.store.alerts import MemoryAlerts
from perf.store.answers import COUNT_CAP, Found
from perf.store.catalog import SeriesCatalog
from perf.store.levels import BEGINNING, MICRO, Plan, micros
from perf.store.points import Point, Shape, folded, heaped, stepped
from perf.store.probes import MemoryProbes
from perf.store.producers import Producers
from perf.store.retention import SteadyTime
from perf.store.spread import Spread, shapeless, spread


class MemoryStore:
    """A `perf.ports.MetricStore`. A sample lives on one level only: raw until retention folds it into its minute, a minute
    until retention folds it into its hour. Coarser questions fold what is still finer on the way.
    """

    def __init__(self, settings: StoreSettings, clock: Clock) -> None:
        """*settings.retention* and *settings.seal_every* are honoured; there is no limit of memory."""
        self._settings = settings
        self._lock = threading.RLock()
        self._catalog = SeriesCatalog()
        self._levels: dict[Level, dict[int, list[Point]]] = {level: defaultdict(list) for level in Level}
        self._shapes: dict[Level, dict[int, list[Shape]]] = {level: defaultdict(list) for level in Level}
        self._kept = dict.fromkeys(Level, BEGINNING)
        self._slow: list[Exemplar] = []
        self._annotations: list[Annotation] = []
        self._producers = Producers()
        self._changes: list[Change] = []
        self._clock = clock
        self._steady = SteadyTime(clock)
        self._closed = False
        self._alerts = MemoryAlerts(clock)
        self.alerts: AlertStore = self._alerts
        self._access = MemoryAccess()
        self.access: AccessStore = self._access
        self._probes = MemoryProbes()
        self.probes: ProbeStore = self._probes

    def append(self, samples: Sequence[Measurement], batches: Sequence[Batch] = ()) -> None:
        """Keep *samples* and *batches*. Raises: StoreError when one isn't usable (then none is kept), StoreClosed."""
        with self._lock:
            self._check()
            columns = self._catalog.columns(samples)
            self._catalog.commit(columns)
            self._producers.note(batches, micros(self._clock.now()))
            self._slow += [self._kept_call(sid, call) for sid, call in columns.slow]
            raw = self._levels[Level.RAW]
            for ts, sid, value in zip(columns.ts.tolist(), columns.sids.tolist(), columns.values.tolist(), strict=True):
                raw[sid].append(Point(ts, ts, value, 1, value, value, value))
            if columns.spread is not None:
                found = (sample for sample in samples if isinstance(sample, HistogramSample))
                for key, ts, sample in zip(
                    columns.spread.keys.tolist(), columns.spread.times.tolist(), found, strict=True
                ):
                    self._shapes[Level.RAW][key].append(Shape(ts, sample.histogram))

    def producers(self) -> dict[str, int]:
        """Producer -> highest sequence number kept; who was silent for longest first."""
        with self._lock:
            self._check()
            return self._producers.highest()

    def series(self) -> list[SeriesInfo]:
        """Every known series, by id."""
        with self._lock:
            self._check()
            return self._catalog.infos()

    def read(self, query: RangeQuery) -> list[Series]:
        """Answer *query*. Raises: QueryError, StoreClosed."""
        with self._lock:
            self._check()
            plan = levels.plan(query.window, query.step, self._kept)
            sids = self._catalog.matching(query.selector)
            if not sids:
                return []
            metric = self._catalog.metric(query.selector.metric)
            wanted = answers.check(query, metric)
            if metric.kind is Kind.HISTOGRAM:
                return answers.of_distributions(query, plan, self._catalog, self._spread(sids, plan))
            found = [row for sid in sids for row in stepped(sid, self._points(sid, plan), plan, wanted)]
            columns = np.array(found, np.float64).reshape(-1, 5).T
            sids_, steps = columns[0].astype(np.int64), columns[1].astype(np.int64)
            return answers.answer(query, plan, self._catalog, Found(sids_, steps, columns[2], columns[3], columns[4]))

    def distributions(self, query: RangeQuery, *, shape: bool = True) -> list[Distributions]:
        """What distributions observed. Raises: QueryError, StoreClosed."""
        with self._lock:
            self._check()
            plan = levels.plan(query.window, query.step, self._kept)
            sids = self._catalog.matching(query.selector)
            answers.check_distributions(query, self._catalog, sids)
            found = self._spread(sids, plan)
            return answers.distributions(query, plan, self._catalog, found if shape else shapeless(found))

    def rows(self, query: RowsQuery) -> Rows:
        """One page of raw samples. Raises: QueryError, StoreClosed."""
        answers.check_page(query)
        with self._lock:
            self._check()
            start, end = levels.micros(query.window.start), levels.micros(query.window.end)
            ranked = self._catalog.ranked(self._catalog.search(query.selectors, query.search))
            found = [
                (point.ts, sid, point.last, rank)
                for rank, sid in enumerate(ranked)
                for point in self._levels[Level.RAW][sid]
                if start <= point.ts < end
            ]
            order = _ORDERS[query.order]
            found.sort(key=lambda row: [row[column] for column in order], reverse=query.descending)
            page = found[query.offset : query.offset + query.limit]
            return answers.page([row[:3] for row in page], self._catalog, min(len(found), COUNT_CAP + 1))

    def exemplars(self, selector: Selector, window: Window, limit: int) -> list[Exemplar]:
        """The slowest calls first. Raises: QueryError, StoreClosed."""
        answers.check_exemplars(limit)
        start, end = micros(window.start), micros(window.end)
        with self._lock:
            self._check()
            found = [
                call
                for call in self._slow
                if start <= micros(call.ts) < end and selector.matches(call.metric.name, call.labels)
            ]
        return sorted(found, key=lambda call: (-call.seconds, -call.ts))[:limit]

    def maintain(self, now: float) -> None:
        """Fold what is older than its level promises into the next one. Raises: StoreClosed."""
        with self._lock:
            self._check()
            steady = levels.micros(self._steady.settle(now))
            for level, cut in retention.cuts(steady, self._settings).items():
                if cut > self._kept[level]:
                    self._expire(level, cut)
                    self._kept[level] = cut
            self._access.expire(retention.audit_cut(steady, self._settings) / MICRO)
            for kept in (self._alerts, self._probes):
                kept.expire(retention.alerts_cut(steady, self._settings) / MICRO)
            self._producers.forget(self._producers.silent(steady))

    def usage(self) -> StoreUsage:
        """Rows per level; there are no bytes to tell."""
        with self._lock:
            self._check()
            problem = self._steady.problem()
            return StoreUsage(
                location="memory",
                file_bytes=0,
                wal_bytes=0,
                free_bytes=None,
                series=len(self._catalog),
                levels=tuple(self._level_usage(level) for level in Level),
                problems=(*([problem] if problem else []), *self._catalog.problems()),
            )

    def override(self, change: Change) -> None:
        """Keep *change*. Raises: StoreClosed."""
        with self._lock:
            self._check()
            self._changes.append(change)

    def overrides(self) -> dict[str, str]:
        """Path -> JSON value of every override in force."""
        with self._lock:
            self._check()
            newest = {change.path: change.value for change in self._changes}
            return {path: value for path, value in newest.items() if value is not None}

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest changes first."""
        with self._lock:
            self._check()
            return self._changes[::-1][:limit]

    def annotate(self, annotation: Annotation) -> None:
        """Keep *annotation*, once. Raises: StoreClosed."""
        with self._lock:
            self._check()
            if annotation not in self._annotations:
                self._annotations.append(annotation)

    def annotations(self, window: Window) -> list[Annotation]:
        """Deploys and notes, the oldest first. Raises: StoreClosed."""
        with self._lock:
            self._check()
            found = [noted for noted in self._annotations if window.start <= noted.ts < window.end]
        return sorted(found, key=lambda noted: (noted.ts, noted.service, noted.kind, noted.title, noted.text))

    def close(self) -> None:
        """Forget everything; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._levels.clear()
            self._shapes.clear()

    def _check(self) -> None:
        if self._closed:
            raise StoreClosed("memory: the store is closed")

    def _points(self, sid: int, plan: Plan) -> list[Point]:
        """Points of *sid* at the plan's level from *plan.before* on, sorted; finer ones folded into it."""
        finer = list(Level)[: list(Level).index(plan.level) + 1]
        rows = [point for level in finer for point in self._levels[level][sid] if plan.before <= point.ts < plan.end]
        return sorted(rows) if plan.level is Level.RAW else folded(rows, levels.width(plan.level))

    def _spread(self, sids: Sequence[int], plan: Plan) -> Spread:
        """Distributions of *sids* by id and step."""
        finer = list(Level)[: list(Level).index(plan.level) + 1]
        found = [
            (sid, levels.floor(shape.ts, plan.step), shape.histogram)
            for sid in sids
            for level in finer
            for shape in self._shapes[level][sid]
            if plan.start <= shape.ts < plan.end
        ]
        keys, steps, histograms = zip(*found, strict=True) if found else ((), (), ())
        return spread(keys, steps, histograms)

    def _kept_call(self, sid: int, call: Exemplar) -> Exemplar:
        """*call* as the series and the clock of a store have it."""
        entry = self._catalog.entry(sid)
        return msgspec.structs.replace(call, ts=micros(call.ts) / MICRO, metric=entry.metric, labels=entry.labels)

    def _expire(self, level: Level, cut: int) -> None:
        if level is Level.RAW:
            self._slow = [call for call in self._slow if micros(call.ts) >= cut]
        if level is Level.HOUR:
            self._annotations = [noted for noted in self._annotations if micros(noted.ts) >= cut]
        coarser = {Level.RAW: Level.MINUTE, Level.MINUTE: Level.HOUR}.get(level)
        for sid, points in self._levels[level].items():
            old = [point for point in points if point.ts < cut]
            points[:] = [point for point in points if point.ts >= cut]
            if coarser is not None:
                kept = self._levels[coarser][sid]
                kept[:] = folded(kept + old, levels.width(coarser))
        for sid, shapes in self._shapes[level].items():
            past = [shape for shape in shapes if shape.ts < cut]
            shapes[:] = [shape for shape in shapes if shape.ts >= cut]
            if coarser is not None:
                all_ = self._shapes[coarser][sid]
                all_[:] = heaped(all_ + past, levels.width(coarser))

    def _level_usage(self, level: Level) -> LevelUsage:
        keep = self._settings.retention
        times = [point.ts for points in self._levels[level].values() for point in points]
        times += [shape.ts for shapes in self._shapes[level].values() for shape in shapes]
        return LevelUsage(
            name=level.value,
            rows=len(times),
            first=min(times) / MICRO if times else None,
            last=max(times) / MICRO if times else None,
            retention={Level.RAW: keep.raw, Level.MINUTE: keep.minute, Level.HOUR: keep.hour}[level],
        )


_ORDERS = {RowOrder.TIME: (0, 3, 2), RowOrder.VALUE: (2, 0, 3), RowOrder.METRIC: (3, 0, 2)}
