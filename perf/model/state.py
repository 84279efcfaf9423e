"""How things are: statuses, thresholds, probe results, and what parts of perf say about themselves. Frozen values, free of I/O and cheap to make."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """The state of something watched, from best to worst; UNKNOWN means nobody could look."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @property
    def rank(self) -> int:
        """0 (healthy) to 3 (unhealthy); also the value of the ``probe_status`` metric."""
        return tuple(Status).index(self)

    @classmethod
    def worst(cls, states: list[Status]) -> Status:
        """The worst of *states*; UNKNOWN when there are none."""
        return max(states, key=lambda state: state.rank, default=cls.UNKNOWN)


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a metric in its own unit; above *warning* is degraded, above *critical* unhealthy (None: never)."""

    warning: float
    critical: float | None = None

    def status(self, value: float | None) -> Status:
        """The state of *value*; UNKNOWN without one."""
        if value is None or not math.isfinite(value):
            return Status.UNKNOWN
        if self.critical is not None and value > self.critical:
            return Status.UNHEALTHY
        return Status.DEGRADED if value > self.warning else Status.HEALTHY


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one health check said: *message* for people, *evidence* as numbers, *seconds* it took.

    The checker adds *since* when (Unix seconds) it has said so, and whether it is *critical*: one that isn't degrades only.
    """

    name: str
    status: Status
    message: str
    ts: float
    seconds: float = 0.0
    evidence: dict[str, float] = {}
    since: float | None = None
    critical: bool = True


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The last sign of life of a loop: *last* (monotonic seconds), how often it should come, and its errors so far."""

    name: str
    interval: float
    last: float
    errors: int = 0


class WriterStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start: samples stored, dropped by reason, commits; seconds of the last commit.

    *queued* samples wait now; *last_commit* is monotonic (None before the first); *stuck* says why commits fail at present.
    """

    stored: int
    dropped: dict[str, int]
    commits: int
    commit_seconds: float
    queued: int
    last_commit: float | None
    stuck: str | None


class LevelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One level of the store: rows, and the span of time they cover (Unix seconds; None when empty)."""

    name: str
    rows: int
    first: float | None
    last: float | None
    retention: float


class StoreUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds: sizes in bytes, series, rows per level, what is wrong with it, in sentences, how many questions it is
    answering now, and how many corrupt files lie beside it.
    """

    location: str
    file_bytes: int
    wal_bytes: int
    free_bytes: int | None
    series: int
    levels: tuple[LevelUsage, ...]
    problems: tuple[str, ...] = ()
    cursors: int = 0
    set_aside: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One audited change of a setting at run time; *value* is JSON, None means back to the configured value."""

    ts: float
    path: str
    value: str | None
    author: str = ""
