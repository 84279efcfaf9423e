"""Which results are kept: every change of state at once, and otherwise one a minute, so that silence means nobody watched."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from perf.model import ProbeResult, Status

EVERY = 60.0


class Keeping:
    """Remembers what was kept last of each probe."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Status, float]] = {}

    def due(self, results: Iterable[ProbeResult], now: float) -> list[ProbeResult]:
        """Those of *results* that are to be kept at *now* (Unix seconds): changed ones as of when they were found, though not
        before what was kept last; others as of now, for they still hold.
        """
        found: list[ProbeResult] = []
        for result in results:
            status, kept = self._last.get(result.name, (None, 0.0))
            if status is not result.status:
                ts = max(result.ts, kept) if kept <= now else result.ts
                found.append(msgspec.structs.replace(result, ts=ts))
            elif not 0.0 <= now - kept < EVERY:
                found.append(msgspec.structs.replace(result, ts=now))
        return found

    def kept(self, results: Iterable[ProbeResult]) -> None:
        """*results* are stored."""
        self._last |= {result.name: (result.status, result.ts) for result in results}
