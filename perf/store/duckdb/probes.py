"""What probes said, in its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.model import ProbeResult, Spell, Status, UptimeCell, Window
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Database, Row, run
from perf.store.levels import MICRO, micros
from perf.store.probes import HOLD, check_step

_PACKAGE = "perf.store.duckdb"


class DuckDBProbes:
    """A `perf.ports.ProbeStore` in the store's file."""

    def __init__(self, reading: Callable[[], Database], writing: Callable[[], Database]) -> None:
        """*reading* gives the open database, *writing* reopens it first where that is needed."""
        self._reading, self._writing = reading, writing

    def keep(self, results: Sequence[ProbeResult]) -> None:
        """Keep *results* in one transaction. Raises: StoreFull, StoreError."""
        if not results:
            return
        columns: dict[str, object] = {
            "ts": [micros(one.ts) for one in results],
            "probe": [one.name for one in results],
            "status": [one.status.value for one in results],
            "message": [one.message for one in results],
            "seconds": [one.seconds for one in results],
        }
        with self._writing().transaction() as writer:
            run(writer, sql(_PACKAGE, "probe_add"), columns)

    def spells(self, probe: str, window: Window, limit: int = 100) -> list[Spell]:
        """The newest first. Raises: StoreError when it takes longer than 10 s."""
        return [
            Spell(probe=probe, status=Status(status), message=message, start=start / MICRO, end=end / MICRO)
            for status, message, start, end in self._read(
                "probe_spells", _span(window) | {"probe": probe, "count": limit}
            )
        ]

    def uptime(self, window: Window, step: float) -> list[UptimeCell]:
        """By probe and time. Raises: QueryError for a step that is too fine, StoreError when it takes longer than 10 s."""
        check_step(window, step)
        width, begin = micros(step), micros(window.start)
        cells: dict[tuple[str, int], dict[Status, float]] = {}
        for probe, number, status, spent in self._read("probe_uptime", _span(window) | {"step": width}):
            cells.setdefault((probe, number), {})[Status(status)] = spent / MICRO
        return [
            UptimeCell(
                probe=probe,
                start=(begin + number * width) / MICRO,
                seconds={status: cell[status] for status in Status if status in cell},
            )
            for (probe, number), cell in sorted(cells.items())
        ]

    def _read(self, question: str, parameters: dict[str, object]) -> list[Row]:
        with self._reading().reading() as cursor:
            return run(cursor, sql(_PACKAGE, question), parameters)


def _span(window: Window) -> dict[str, object]:
    return {"start": micros(window.start), "end": micros(window.end), "hold": HOLD}
