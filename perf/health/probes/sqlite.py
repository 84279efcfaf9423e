"""Can an SQLite file be opened and read, how soon, and is it whole?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Annotated
from urllib.parse import quote

from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says

_STEPS = 1_000
"""Instructions of SQLite's machine between two looks at the clock: about 20 µs."""


class SQLiteOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which file, and what to ask it."""

    path: Annotated[str, says("the file")]
    query: Annotated[str, says("a statement that reads and must not fail")] = "SELECT count(*) FROM sqlite_schema"
    integrity: Annotated[bool, says("true: also PRAGMA quick_check, which reads the whole file")] = False
    slow: Annotated[Seconds, says("degraded when it takes longer")] | None = None


class SQLiteProbe:
    """Opened for reading each time; a statement that takes too long is stopped."""

    Options = SQLiteOptions

    def __init__(self, options: SQLiteOptions, around: Surroundings) -> None:
        self._options, self._around = options, around

    def check(self) -> ProbeResult:
        """Unhealthy when it can't be read or isn't whole; degraded when it is slow."""
        path, clock, began = Path(self._options.path).expanduser(), self._around.clock, perf_counter()
        if not path.is_file():
            return failed(Status.UNHEALTHY, f"{path} is not there", clock)
        found = Findings()
        try:
            with closing(opened(path, began + self._around.timeout, self._around.timeout)) as connection:
                connection.execute(self._options.query).fetchone()
                seconds = perf_counter() - began
                if self._options.integrity:
                    said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                    if said != "ok":
                        found.add(Status.UNHEALTHY, f"damaged: {said}")
        except sqlite3.Error as error:
            late = f"took longer than {self._around.timeout:g} s" if "interrupted" in str(error) else str(error)
            return failed(Status.UNHEALTHY, f"{path}: {late}", clock)
        found.evidence |= {"seconds": seconds, "file_bytes": float(path.stat().st_size)}
        found.slow(seconds, self._options.slow)
        return found.result(f"answered in {1e3 * seconds:.1f} ms", clock)


def opened(path: Path, deadline: float, timeout: float) -> sqlite3.Connection:
    """*path* for reading; statements stop at *deadline* (as of perf_counter). Raises: sqlite3.Error."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=timeout)
    connection.set_progress_handler(lambda: perf_counter() > deadline, _STEPS)
    return connection
