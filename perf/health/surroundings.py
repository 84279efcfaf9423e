"""What a configured probe is given: a clock, its time, and the one file that it must not open."""

from __future__ import annotations

from pathlib import Path

import msgspec

from perf.errors import PerfError
from perf.ports import Clock


class OwnFile(PerfError):
    """A probe was told to open perf's own store: closing that handle would drop the lock on it."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """*timeout* in seconds is what a run may take; *store* is the file of perf's own store, if it has one."""

    clock: Clock
    timeout: float
    store: Path | None = None

    def other(self, path: Path) -> Path:
        """*path*, which may be opened. Raises: OwnFile."""
        own = self.store
        if own is not None and own.exists() and path.exists() and path.samefile(own):
            raise OwnFile(f"{path} is perf's own store: the probe 'store' watches it")
        return path
