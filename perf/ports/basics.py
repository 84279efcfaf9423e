"""What the core expects of clocks, sources and probes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from perf.model import (
    ProbeResult,
    Sample,
)


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Wall time in Unix seconds; may jump."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back. For durations."""


class Source(Protocol):
    """Something that is read at an interval."""

    def collect(self, ts: float) -> Iterable[Sample]:
        """Read once; every sample is stamped *ts*. A value that needs two readings is absent from the first one."""


class Probe(Protocol):
    """One health check."""

    def check(self) -> ProbeResult:
        """Do the real thing once. Never raises: a failure is a result."""
