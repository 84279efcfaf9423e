"""Can a DuckDB file be opened and read, and how soon? For files of others: perf's own is watched by the probe of the store."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Annotated

import duckdb

from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import OwnFile, Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says

_PID = re.compile(r"PID (\d+)")


class DuckDBOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which file, and what to ask it."""

    path: Annotated[str, says("the file")]
    query: Annotated[str, says("a statement that reads and must not fail")] = "SELECT count(*) FROM duckdb_tables()"
    slow: Annotated[Seconds, says("degraded when it takes longer")] | None = None


class DuckDBProbe:
    """Opened for reading each time; a statement that takes too long is stopped."""

    Options = DuckDBOptions

    def __init__(self, options: DuckDBOptions, around: Surroundings) -> None:
        self._options, self._around = options, around

    def check(self) -> ProbeResult:
        """Unhealthy when it can't be read; unknown while another process writes to it; degraded when it is slow."""
        clock, began = self._around.clock, perf_counter()
        path = Path(self._options.path).expanduser()
        if not path.is_file():
            return failed(Status.UNHEALTHY, f"{path} is not there", clock)
        try:
            with closing(opened(self._around.other(path), self._around.timeout)) as connection:
                connection.execute(self._options.query).fetchall()
        except OwnFile as error:
            return failed(Status.UNKNOWN, str(error), clock)
        except duckdb.Error as error:
            return refused(path, error, self._around)
        seconds = perf_counter() - began
        found = Findings()
        found.evidence |= {"seconds": seconds, "file_bytes": float(path.stat().st_size)}
        found.slow(seconds, self._options.slow)
        return found.result(f"answered in {1e3 * seconds:.1f} ms", clock)


def opened(path: Path | None, timeout: float) -> duckdb.DuckDBPyConnection:
    """*path* for reading (None: an empty database in memory), small, and stopped after *timeout*. Raises: duckdb.Error."""
    small: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "256MB",
        "autoinstall_known_extensions": False,
    }
    connection = duckdb.connect(":memory:" if path is None else str(path), read_only=path is not None, config=small)
    connection.execute(f"SET max_execution_time = {max(1, round(timeout * 1000))}")
    return connection


def refused(path: Path, error: duckdb.Error, around: Surroundings) -> ProbeResult:
    """What *error*, met with *path*, means."""
    text = str(error)
    if "Could not set lock" in text:
        pid = _PID.search(text)
        owner = f"process {pid[1]}" if pid else "another process"
        return failed(Status.UNKNOWN, f"{path}: {owner} has it open for writing", around.clock)
    late = isinstance(error, duckdb.InterruptException)
    said = f"took longer than {around.timeout:g} s" if late else text.splitlines()[0]
    return failed(Status.UNHEALTHY, f"{path}: {said}", around.clock)
