"""What perf says about itself: the store's size, the writer's commits and drops, the age of its loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from perf.model import Beat, Kind, Labels, Metric, Sample, StoreUsage, WriterStats
from perf.ports import Clock

FILE = Metric("perf_store_file_bytes", Kind.GAUGE, "By", "Size of the store's file.")
WAL = Metric("perf_store_wal_bytes", Kind.GAUGE, "By", "Size of the store's write-ahead log.")
FREE = Metric("perf_store_free_bytes", Kind.GAUGE, "By", "Free space on the store's volume.")
SERIES = Metric("perf_store_series", Kind.GAUGE, "1", "Series in the store.")
CURSORS = Metric(
    "perf_store_cursors", Kind.GAUGE, "1", "Questions that the store is answering; one that stays open holds the log."
)
SET_ASIDE = Metric(
    "perf_store_set_aside_files", Kind.GAUGE, "1", "Corrupt files of the store that were set aside and still lie there."
)
ROWS = Metric("perf_store_rows", Kind.GAUGE, "1", "Rows in one level of the store.")
STORED = Metric("perf_samples_stored_total", Kind.COUNTER, "1", "Samples committed since the start.")
DROPPED = Metric("perf_samples_dropped_total", Kind.COUNTER, "1", "Samples dropped since the start, by reason.")
QUEUED = Metric("perf_writer_queued_samples", Kind.GAUGE, "1", "Samples that wait for the writer.")
COMMIT = Metric("perf_store_commit_seconds", Kind.GAUGE, "s", "Duration of the newest commit.")
LATE = Metric("perf_loop_age_seconds", Kind.GAUGE, "s", "Time since a loop's last turn.")
ERRORS = Metric("perf_loop_errors_total", Kind.COUNTER, "1", "Turns of a loop that raised.")


class OwnSource:
    """Turns the parts' own counts into samples. The three callables are cheap and safe from any thread."""

    def __init__(
        self,
        clock: Clock,
        usage: Callable[[], StoreUsage] | None,
        stats: Callable[[], WriterStats],
        beats: Callable[[], Sequence[Beat]],
    ) -> None:
        """Without *usage* nothing is told of the store: it is another process's."""
        self._clock = clock
        self._usage = usage
        self._stats = stats
        self._beats = beats

    def collect(self, ts: float) -> Iterable[Sample]:
        """Samples of the store, the writer and the loops, stamped *ts*."""
        yield from self._store(ts)
        yield from self._writer(ts)
        now = self._clock.monotonic()
        for beat in self._beats():
            labels: Labels = (("loop", beat.name),)
            yield Sample(ts, LATE, labels, round(max(0.0, now - beat.last), 3))
            yield Sample(ts, ERRORS, labels, float(beat.errors))

    def _store(self, ts: float) -> Iterable[Sample]:
        if self._usage is None:
            return
        usage = self._usage()
        yield Sample(ts, FILE, (), float(usage.file_bytes))
        yield Sample(ts, WAL, (), float(usage.wal_bytes))
        yield Sample(ts, SERIES, (), float(usage.series))
        yield Sample(ts, CURSORS, (), float(usage.cursors))
        yield Sample(ts, SET_ASIDE, (), float(usage.set_aside))
        if usage.free_bytes is not None:
            yield Sample(ts, FREE, (), float(usage.free_bytes))
        for level in usage.levels:
            yield Sample(ts, ROWS, (("level", level.name),), float(level.rows))

    def _writer(self, ts: float) -> Iterable[Sample]:
        stats = self._stats()
        yield Sample(ts, STORED, (), float(stats.stored))
        yield Sample(ts, QUEUED, (), float(stats.queued))
        if stats.commits:
            yield Sample(ts, COMMIT, (), round(stats.commit_seconds, 6))
        for reason in ("unstorable", "queue_full", "store_failed"):
            yield Sample(ts, DROPPED, (("reason", reason),), float(stats.dropped.get(reason, 0)))
