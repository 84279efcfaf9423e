"""Does this process have threads, open files and room in its queues left? Who uses it, and is what programs record lost?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import psutil

from perf.health.findings import Findings
from perf.health.growth import Growth
from perf.model import Match, ProbeResult, Selector, SeriesInfo, Status, WriterStats
from perf.ports import Clock

THREADS = (400.0, 2_000.0)
FILES_PERCENT = (80.0, 95.0)
QUEUE_PERCENT = (50.0, 95.0)
"""What makes it degraded and unhealthy."""
COUNTED = {
    "sessions": "streamlit_sessions",
    "requests": "http_server_active_requests",
    "jobs": "job_running",
    "cache_writes_waiting": "cache_queue_depth",
}
"""What programs tell of themselves; all of them together."""
LOST = {
    "recording_errors": (
        Selector("perf_record_dropped_total", (("reason", "errors"),)),
        "recording failed inside perf",
    ),
    "lost_batches": (
        Selector("perf_send_batches_total", tests=(Match("result", "sent|spooled", pattern=True, negated=True),)),
        "batches that a program sent were lost",
    ),
}
"""Counts that are zero while all is well, and what it means that they grow."""
_FRESH = 60.0


class ApplicationProbe:
    """Counts what may run out. *latest* answers the series of a selector with their newest values; *capacity*: how many
    samples may wait for the writer.
    """

    def __init__(
        self,
        latest: Callable[[Selector], Sequence[SeriesInfo]],
        writer: Callable[[], WriterStats],
        clock: Clock,
        *,
        capacity: int,
    ) -> None:
        self._latest, self._writer, self._clock, self._capacity = latest, writer, clock, capacity
        self._process = psutil.Process()
        self._began = clock.now()
        self._growth = Growth()
        self._known: set[str] = set()

    def check(self) -> ProbeResult:
        """Degraded or unhealthy by the limits above, degraded while something is lost; numbers of programs are only told."""
        found = Findings()
        threads = float(threading.active_count())
        found.evidence["threads"] = threads
        found.above(threads, *THREADS, f"{threads:.0f} threads run")
        self._files(found)
        queued = self._writer().queued
        found.evidence["samples_waiting"] = float(queued)
        reason = f"{queued} samples wait to be written, {self._capacity} fit"
        found.above(100 * queued / self._capacity, *QUEUE_PERCENT, reason)
        for name, (selector, reason) in LOST.items():
            self._lost(found, name, selector, reason)
        for name, metric in COUNTED.items():
            values = self._values(metric)
            if values:
                found.evidence[name] = sum(values)
        told = [f"{name.replace('_', ' ')}: {found.evidence[name]:.0f}" for name in COUNTED if found.evidence.get(name)]
        return found.result(", ".join([f"{threads:.0f} threads", *told]), self._clock)

    def _lost(self, found: Findings, name: str, selector: Selector, reason: str) -> None:
        """Counts of *selector* that grew lately; those of before this probe began are no news."""
        total, growing = 0.0, False
        for info in self._latest(selector):
            key, count = f"{info.metric.name}{info.labels}", int(info.last_value or 0.0)
            if key not in self._known and info.first_seen < self._began:
                self._growth.seen(key, count)
            self._known.add(key)
            growing = self._growth.recent(key, count, self._clock.monotonic()) or growing
            total += count
        if total:
            found.evidence[name] = total
        if growing:
            found.add(Status.DEGRADED, f"{reason} ({total:.0f} so far)")

    def _files(self, found: Findings) -> None:
        """Open files against the limit, on systems that have one."""
        if not hasattr(self._process, "num_fds"):
            return
        import resource  # not on Windows, where there is no such limit either

        files, most = float(self._process.num_fds()), float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        found.evidence |= {"open_files": files, "max_open_files": most}
        if most > 0:
            found.above(100 * files / most, *FILES_PERCENT, f"{files:.0f} of {most:.0f} open files are in use")

    def _values(self, metric: str) -> list[float]:
        now = self._clock.now()
        return [
            info.last_value
            for info in self._latest(Selector(metric))
            if info.last_value is not None and info.last_ts is not None and now - info.last_ts <= _FRESH
        ]
