"""Does the store answer, and does what is measured arrive in it?"""

from __future__ import annotations

from collections.abc import Callable

from perf.errors import PerfError
from perf.health.growth import Growth
from perf.model import ProbeResult, Rows, RowsQuery, Status, StoreUsage, Window, WriterStats
from perf.ports import Clock

COMMIT_LATE, COMMIT_OVERDUE = 30.0, 120.0
"""Seconds since the last commit that make it degraded and unhealthy; perf's own metrics come every ten seconds."""

QUEUE_HIGH, QUEUE_FULL = 0.5, 0.95
"""Shares of the queue that make it degraded and unhealthy: a full queue drops samples."""


class StoreProbe:
    """A row can be read, commits come, the queue is short and the write-ahead log is small.

    *rows* is the store's. *wal_limit* in bytes: four times as much is degraded. *capacity*: how many samples may wait.
    """

    def __init__(
        self,
        rows: Callable[[RowsQuery], Rows],
        usage: Callable[[], StoreUsage],
        writer: Callable[[], WriterStats],
        clock: Clock,
        *,
        wal_limit: int,
        capacity: int,
    ) -> None:
        self._rows, self._usage, self._writer, self._clock = rows, usage, writer, clock
        self._wal_limit, self._capacity = wal_limit, capacity
        self._started = clock.monotonic()
        self._drops = Growth()

    def check(self) -> ProbeResult:
        """Unhealthy when it can't be read or written; degraded when either is slow or the store reports a problem."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        try:
            self._rows(RowsQuery(window=Window(now - 60.0, now + 1.0), limit=1))
            usage = self._usage()
        except (PerfError, OSError) as error:
            message = f"the store can't be read: {error}"
            return ProbeResult(name="store", status=Status.UNHEALTHY, message=message, ts=now)
        writer = self._writer()
        age = max(0.0, monotonic - (self._started if writer.last_commit is None else writer.last_commit))
        found = [*self._commits(age, writer), *self._lost(writer, monotonic), *self._log(usage)]
        found += [(Status.DEGRADED, problem) for problem in usage.problems]
        return ProbeResult(
            name="store",
            status=Status.worst([Status.HEALTHY, *(status for status, _ in found)]),
            message="; ".join(reason for _, reason in found) or f"reads answer, last commit {age:.0f} s ago",
            ts=now,
            evidence={
                "commit_age_seconds": age,
                "queued_samples": float(writer.queued),
                "wal_bytes": float(usage.wal_bytes),
                "file_bytes": float(usage.file_bytes),
            },
        )

    def _commits(self, age: float, writer: WriterStats) -> list[tuple[Status, str]]:
        found: list[tuple[Status, str]] = []
        if writer.stuck is not None:
            found.append((Status.UNHEALTHY, f"nothing can be written: {writer.stuck}"))
        elif age > COMMIT_LATE:
            status = Status.UNHEALTHY if age > COMMIT_OVERDUE else Status.DEGRADED
            found.append((status, f"nothing was written for {age:.0f} s"))
        share = writer.queued / self._capacity
        if share > QUEUE_HIGH:
            status = Status.UNHEALTHY if share > QUEUE_FULL else Status.DEGRADED
            found.append((status, f"{writer.queued} samples wait to be written, {self._capacity} fit"))
        return found

    def _lost(self, writer: WriterStats, monotonic: float) -> list[tuple[Status, str]]:
        return [
            (Status.DEGRADED, f"samples are being dropped ({reason}: {count} so far)")
            for reason, count in sorted(writer.dropped.items())
            if self._drops.recent(reason, count, monotonic)
        ]

    def _log(self, usage: StoreUsage) -> list[tuple[Status, str]]:
        if usage.wal_bytes <= 4 * self._wal_limit:
            return []
        size, limit = usage.wal_bytes / 2**20, self._wal_limit / 2**20
        return [(Status.DEGRADED, f"the write-ahead log has {size:.0f} MiB, four times its limit of {limit:.0f} MiB")]
