"""The default store on one DuckDB file: puts reading, writing and upkeep together and survives a reopened instance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perf.errors import StoreClosed, StoreError, StoreFull, StoreLocked
from perf.model import (
    Annotation,
    Batch,
    Change,
    Distributions,
    Exemplar,
    Measurement,
    RangeQuery,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    SqlResult,
    StoreUsage,
    Window,
)
from perf.ports import AccessStore, AlertStore, Clock, ProbeStore
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store.catalog import SeriesCatalog
from perf.store.duckdb import append, console, exemplars, files, forks, known, notes, read, rows, schema, usage
from perf.store.duckdb.access import DuckDBAccess
from perf.store.duckdb.alerts import DuckDBAlerts
from perf.store.duckdb.connection import Database, Invalidated, is_corruption, run
from perf.store.duckdb.overrides import DuckDBOverrides
from perf.store.duckdb.probes import DuckDBProbes
from perf.store.duckdb.upkeep import DuckDBUpkeep
from perf.store.levels import MICRO, micros
from perf.store.producers import Producers, highest
from perf.store.retention import SteadyTime
from perf.store.tail import Tail

_PACKAGE = "perf.store.duckdb"
_log = logging.getLogger(__name__)


class DuckDBStore:
    """A `perf.ports.MetricStore` in one file. `append`, `maintain`, `override`, `annotate` and `close` belong to one thread."""

    def __init__(self, settings: StoreSettings, clock: Clock, *, tail: bool = True) -> None:
        """Open *settings.path*, or make it. A corrupt file is set aside, never deleted, and a fresh one begun.

        Without *tail* every answer comes from the file.

        Raises: StoreLocked when another process has it open, StoreError when it can't or mustn't be used.
        """
        self._settings = settings
        self._clock = clock
        self._path = Path(settings.path).expanduser().resolve()
        self._events: list[str] = []
        self._doubt: tuple[Sequence[Measurement], int] | None = None
        self._landed: Sequence[Measurement] | None = None
        self._open = False
        self.alerts: AlertStore = DuckDBAlerts(self._check, self._sound, clock)
        self.access: AccessStore = DuckDBAccess(self._check, self._sound)
        self.probes: ProbeStore = DuckDBProbes(self._check, self._sound)
        files.claim(self._path)
        try:
            files.prepare(self._path)
            self._load_or_set_aside()
        except BaseException:
            files.release(self._path)
            raise
        newest = self._catalog.newest / MICRO if len(self._catalog) and self._catalog.newest > 0 else None
        self._steady.anchor(newest)
        self._tail = Tail(self._catalog.newest) if tail else None
        self._open = True
        forks.guard(self)

    def append(self, samples: Sequence[Measurement], batches: Sequence[Batch] = ()) -> None:
        """Commit *samples* and the numbers of their *batches*.

        Raises: StoreFull (try the same list again: it is stored once), StoreError.
        """
        if not samples and not batches:
            return
        self._sound()
        if self._take_landed(samples):
            return
        before = self._upkeep.new_rows
        try:
            self._commit(samples, batches)
        except Invalidated:
            # Numbers of batches alone can be written again.
            self._doubt = (samples, before) if samples else None
            self._recover()
            if not self._take_landed(samples):
                self._commit(samples, batches)

    def producers(self) -> dict[str, int]:
        """Producer -> highest sequence number stored; who was silent for longest first."""
        self._check()
        return self._producers.highest()

    def series(self) -> list[SeriesInfo]:
        """Every known series, by id; from memory."""
        self._check()
        return self._catalog.infos()

    def read(self, query: RangeQuery) -> list[Series]:
        """Answer *query*. Raises: QueryError, StoreError when it takes longer than 10 s."""
        self._check()
        return read.read(self._database, self._catalog, self._upkeep.marks, query, self._tail)

    def distributions(self, query: RangeQuery, *, shape: bool = True) -> list[Distributions]:
        """What distributions observed. Raises: QueryError, StoreError when it takes longer than 10 s."""
        self._check()
        return read.distributions(self._database, self._catalog, self._upkeep.marks, query, shape=shape)

    def rows(self, query: RowsQuery) -> Rows:
        """One page of raw samples. Raises: QueryError, StoreError when it takes longer than 10 s."""
        self._check()
        return rows.rows(self._database, self._catalog, query)

    def exemplars(self, selector: Selector, window: Window, limit: int) -> list[Exemplar]:
        """The slowest calls first. Raises: QueryError, StoreError when it takes longer than 10 s."""
        self._check()
        return exemplars.exemplars(self._database, self._catalog, selector, window, limit)

    def sql(self, text: str, *, max_rows: int = 10_000, seconds: float = 10.0) -> SqlResult:
        """Run one statement that reads; the documented tables are the views of schema ``perf``.

        Raises: QueryError when it is anything else, fails, or takes longer than *seconds*.
        """
        self._check()
        return console.execute(self._database, text, max_rows=max_rows, seconds=seconds)

    def maintain(self, now: float) -> None:
        """Do the upkeep due at *now* for at most about half a second. Raises: StoreFull, StoreError."""
        self._sound()
        try:
            self._upkeep.turn(now)
            self._forget(self._producers.silent(micros(self._steady.settle(now))))
        except Invalidated:
            self._recover()

    def usage(self) -> StoreUsage:
        """Sizes, rows and problems."""
        self._check()
        problems = [*self._events, *self._upkeep.problems(), *self._catalog.problems()]
        return usage.usage(self._database, self._settings, len(self._catalog), problems)

    def override(self, change: Change) -> None:
        """Record *change*. Raises: StoreFull, StoreError."""
        self._sound()
        self._overrides.record(change)

    def overrides(self) -> dict[str, str]:
        """Path -> JSON value of every override in force."""
        self._check()
        return self._overrides.in_force()

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest changes first."""
        self._check()
        return self._overrides.changes(limit)

    def annotate(self, annotation: Annotation) -> None:
        """Keep *annotation*. Raises: StoreFull, StoreError."""
        self._sound()
        notes.add(self._database, annotation)

    def annotations(self, window: Window) -> list[Annotation]:
        """Deploys and notes, the oldest first."""
        self._check()
        return notes.between(self._database, window)

    def close(self) -> None:
        """Checkpoint and let go of the file; a second call does nothing."""
        if not self._open:
            return
        self._database.check_process()
        self._open = False
        try:
            self._database.checkpoint()
        except StoreError as error:
            _log.warning("the last checkpoint failed, the log keeps everything: %s", error)
        self._database.close()
        files.release(self._path)

    def forsake(self) -> None:
        """In a forked child: make sure that nothing here ever touches the parent's file."""
        if self._open:
            self._database.forsake()

    def _check(self) -> Database:
        if not self._open:
            raise StoreClosed(f"{self._path}: the store is closed")
        self._database.check_process()
        return self._database

    def _sound(self) -> Database:
        """Before a write: reopen an instance that DuckDB gave up."""
        self._check()
        if self._database.invalid:
            self._recover()
        return self._database

    def _commit(self, samples: Sequence[Measurement], batches: Sequence[Batch]) -> None:
        columns, now = self._catalog.columns(samples), micros(self._clock.now())
        append.append(self._database, columns, self._upkeep.marks, highest(batches), now)
        self._upkeep.new_rows += len(samples)
        self._catalog.commit(columns)
        self._producers.note(batches, now)
        if self._tail is not None:
            self._tail.add(columns)

    def _forget(self, silent: list[str]) -> None:
        if silent:
            with self._database.transaction() as writer:
                run(writer, sql(_PACKAGE, "producers_drop"), {"producers": silent})
            self._producers.forget(silent)

    def _take_landed(self, samples: Sequence[Measurement]) -> bool:
        """Whether *samples*, whose commit ended in doubt, turned out to be stored: the row count told when reopening."""
        landed, self._landed = self._landed is samples, None
        return landed

    def _load_or_set_aside(self) -> None:
        self._steady = SteadyTime(self._clock)
        try:
            self._load()
        except (StoreLocked, StoreFull):
            raise
        except StoreError as error:
            if not is_corruption(error):
                raise
            aside = files.set_aside(self._path, self._clock.now())
            self._events.append(f"The store was corrupt: it was set aside as {aside} and a new one begun ({error}).")
            _log.critical("the store was corrupt and was set aside as %s: %s", aside, error)
            self._load()

    def _load(self) -> None:
        """Open the database and read what is kept in memory."""
        self._database = Database(self._path, self._settings)
        try:
            schema.migrate(self._database)
            with self._database.reading(seconds=60.0) as cursor:
                self._catalog = SeriesCatalog(known.entries(cursor))
                recent = run(cursor, sql(_PACKAGE, "recent")) if len(self._catalog) else []
                self._producers = Producers(run(cursor, sql(_PACKAGE, "producers")))
            columns = np.array(recent, np.float64).reshape(-1, 3)
            self._catalog.seen(columns[:, 0].astype(np.int32), columns[:, 1].astype(np.int64), columns[:, 2])
            self._upkeep = DuckDBUpkeep(self._database, self._settings, self._steady)
            self._overrides = DuckDBOverrides(self._database)
        except BaseException:
            self._database.close()
            self._database.invalid = True
            raise

    def _recover(self) -> None:
        """Reopen after DuckDB gave the instance up: the log has every commit. Raises: StoreError when that fails too."""
        _log.error("%s: the instance was given up after a failed checkpoint; reopening it", self._path)
        self._database.invalid = True
        self._database.close()
        self._load()
        if self._doubt is not None:
            samples, before = self._doubt
            self._doubt = None
            if self._upkeep.new_rows == before + len(samples):
                self._landed = samples
        moment = self._clock.now()
        self._events.append(
            f"A checkpoint failed and the store was reopened at Unix time {moment:.0f}; nothing was lost."
        )
