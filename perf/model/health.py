"""What is remembered of health checks: in which state a probe was, and for how long."""

from __future__ import annotations

import msgspec

from perf.model.state import Status


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch from *start* to *end* (Unix seconds) in which *probe* was in one state; *message* is the last it gave."""

    probe: str
    status: Status
    message: str
    start: float
    end: float


class UptimeCell(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that *probe* spent in each state within one step that begins at *start*; what is missing, nobody watched."""

    probe: str
    start: float
    seconds: dict[Status, float]
