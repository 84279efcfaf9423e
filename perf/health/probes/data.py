"""Are data there, fresh, readable, as many as they should be, and of the right columns? CSV, Parquet, SQLite and DuckDB."""

from __future__ import annotations

import glob
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Annotated, TypeAlias

import duckdb
import msgspec

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.probes import duckdb as duckdbfile
from perf.health.probes import sqlite
from perf.health.surroundings import OwnFile, Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Bytes, Seconds, says

MOST_FILES = 1_000
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".duckdb": "duckdb",
}
_FILES = {"csv": "read_csv($files)", "parquet": "read_parquet($files)"}
_Columns: TypeAlias = dict[str, str]
"""Name -> type, as the format has it."""


class DataOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which files, and what they should be."""

    path: Annotated[str, says("a file, or a pattern such as exports/*.csv")]
    format: Annotated[str, says("csv, parquet, sqlite, duckdb, or file (not opened); else by the ending")] = ""
    table: Annotated[str, says("which one, of a database")] = ""
    max_age: Annotated[Seconds, says("unhealthy when the newest file is older")] | None = None
    min_bytes: Annotated[Bytes, says("unhealthy when all together are smaller")] = 1
    min_files: Annotated[int, msgspec.Meta(ge=1), says("unhealthy with fewer")] = 1
    min_rows: Annotated[int, msgspec.Meta(ge=0), says("unhealthy with fewer")] | None = None
    max_rows: Annotated[int, msgspec.Meta(ge=0), says("degraded with more")] | None = None
    columns: Annotated[tuple[str, ...], says("what there must be: a name, or name:TYPE")] = ()
    interval: Annotated[Seconds, says("how often it runs")] | None = 60.0
    timeout: Annotated[Seconds, says("longest time for one run")] | None = 10.0


class DataProbe:
    """Looks at the files, then reads them as their users do."""

    Options = DataOptions

    def __init__(self, options: DataOptions, around: Surroundings) -> None:
        """Raises: SettingsError for a format that isn't known, or a database without a table."""
        self._options, self._around = options, around
        known = sorted({*_FORMATS.values(), "file"})
        self._format = options.format or _FORMATS.get(Path(options.path).suffix.lower(), "file")
        if self._format not in known:
            raise SettingsError(f"format: {options.format!r}; known: {', '.join(known)}")
        if self._format in ("sqlite", "duckdb") and not options.table:
            raise SettingsError(f"table: say which one; {self._format} files hold many")
        if self._format == "file" and (options.columns or options.min_rows is not None or options.max_rows is not None):
            raise SettingsError("format: rows and columns need one of " + ", ".join(known))

    def check(self) -> ProbeResult:
        """Unhealthy when something that should be there isn't; degraded with more rows than expected."""
        clock = self._around.clock
        pattern = str(Path(self._options.path).expanduser())
        files = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207 - a whole pattern, absolute ones too
        if len(files) < self._options.min_files:
            missing = f"{len(files)} files match {pattern}, {self._options.min_files} should"
            return failed(Status.UNHEALTHY, missing if files else f"{pattern} is not there", clock)
        if len(files) > MOST_FILES:
            return failed(Status.UNKNOWN, f"more than {MOST_FILES} files match {pattern}", clock)
        found = Findings()
        try:
            words = [*self._look(files, found), *self._count(files, found)]
        except OwnFile as error:
            return failed(Status.UNKNOWN, str(error), clock)
        except duckdb.Error as error:
            return duckdbfile.refused(files[0], error, self._around)
        except (OSError, sqlite3.Error) as error:
            return failed(Status.UNHEALTHY, f"{files[0]}: {error}", clock)
        return found.result(", ".join(words), clock)

    def _look(self, files: list[Path], found: Findings) -> list[str]:
        """From outside: age and size."""
        stats = [file.stat() for file in files]
        age = self._around.clock.now() - max(stat.st_mtime for stat in stats)
        size = sum(stat.st_size for stat in stats)
        found.evidence |= {"files": float(len(files)), "bytes": float(size), "age_seconds": age}
        if self._options.max_age is not None and age > self._options.max_age:
            found.add(Status.UNHEALTHY, f"the newest is {_span(age)} old (limit {_span(self._options.max_age)})")
        if size < self._options.min_bytes:
            found.add(Status.UNHEALTHY, f"{size} bytes, {self._options.min_bytes} should be there")
        return [f"{len(files)} files" if len(files) > 1 else files[0].name, f"changed {_span(max(age, 0.0))} ago"]

    def _count(self, files: list[Path], found: Findings) -> list[str]:
        """From inside: rows and columns."""
        if self._format == "file":
            return []
        read = {"sqlite": self._sqlite, "duckdb": self._duckdb}.get(self._format, self._flat)
        rows, columns = read(files)
        found.evidence |= {"rows": float(rows), "columns": float(len(columns))}
        least, most = self._options.min_rows, self._options.max_rows
        if least is not None and rows < least:
            found.add(Status.UNHEALTHY, f"{rows:,} rows, at least {least:,} should be there")
        if most is not None and rows > most:
            found.add(Status.DEGRADED, f"{rows:,} rows, at most {most:,} are expected")
        for wanted in self._options.columns:
            name, _, kind = wanted.partition(":")
            if name not in columns:
                found.add(Status.UNHEALTHY, f"column {name!r} is missing; there are: {', '.join(columns)}")
            elif kind and columns[name].upper() != kind.upper():
                found.add(Status.UNHEALTHY, f"column {name!r} is {columns[name]}, not {kind}")
        return [f"{rows:,} rows"]

    def _flat(self, files: list[Path]) -> tuple[int, _Columns]:
        source, named = _FILES[self._format], {"files": [str(file) for file in files]}
        with closing(duckdbfile.opened(None, self._around.timeout)) as connection:
            rows = connection.execute(f"SELECT count(*) FROM {source}", named).fetchall()[0][0]  # noqa: S608 - one of two texts above
            described = connection.execute(f"DESCRIBE SELECT * FROM {source}", named).fetchall()  # noqa: S608
        return int(rows), {row[0]: row[1] for row in described}

    def _duckdb(self, files: list[Path]) -> tuple[int, _Columns]:
        rows, columns = 0, {}
        for file in files:
            with closing(duckdbfile.opened(self._around.other(file), self._around.timeout)) as connection:
                table = connection.table(_quoted(self._options.table))
                rows += len(table)
                columns = dict(zip(table.columns, map(str, table.types), strict=True))
        return rows, columns

    def _sqlite(self, files: list[Path]) -> tuple[int, _Columns]:
        rows, columns, name = 0, {}, self._options.table
        deadline = perf_counter() + self._around.timeout
        for file in files:
            with closing(sqlite.opened(file, deadline, self._around.timeout)) as connection:
                rows += int(connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0])  # noqa: S608 - quoted
                columns = dict(connection.execute("SELECT name, type FROM pragma_table_info(?)", [name]).fetchall())
        return rows, columns


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _span(seconds: float) -> str:
    """Rounded: ``26 h``, ``90 s``."""
    for width, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * width:
            return f"{seconds / width:.0f} {unit}"
    return f"{seconds:.0f} s"
