"""Keeps the store small and fast, a slice at a time: roll-up, sealing, retention, room on a full disk, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from perf.model import Level
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store import levels, retention
from perf.store.duckdb import files, marks
from perf.store.duckdb.connection import Cursor, Database, Row, run
from perf.store.duckdb.marks import Marks
from perf.store.levels import LATENESS, MICRO
from perf.store.retention import SteadyTime

BUDGET_SECONDS = 0.2
"""No new slice is begun after this; one takes at most about as long again."""

_PACKAGE = "perf.store.duckdb"
_MINUTE = 60 * MICRO
_HOUR = 3_600 * MICRO
_DAY = 24 * _HOUR
_ROLL_MINUTES = 10 * _MINUTE
_SEAL_ROWS = 4 * 122_880  # Row groups of DuckDB: a slice ends with one that is nearly full.
_TABLES = {Level.RAW: ("samples", "hot"), Level.MINUTE: ("roll_1m",), Level.HOUR: ("roll_1h",)}
_KEPT = {Level.RAW: "kept_raw", Level.MINUTE: "kept_minute", Level.HOUR: "kept_hour"}


class DuckDBUpkeep:
    """Everything here runs on the writing thread; `marks` and `hot_rows` are what others may look at."""

    def __init__(self, database: Database, settings: StoreSettings, steady: SteadyTime) -> None:
        """*steady* outlives a reopened *database*."""
        self._database = database
        self._settings = settings
        self._steady = steady
        self._seal_every = max(round(settings.seal_every), 60) * MICRO
        self._bulk = False
        self._slices: list[list[int]] = []
        self.short_of_room = False
        with database.reading() as cursor:
            self.marks: Marks = marks.load(cursor)
            self.hot_rows = _number(cursor, "SELECT count(*) FROM hot")

    def turn(self, now: float) -> None:
        """Do what is due at *now* (Unix seconds) for about 0.2 s; the rest waits for the next turn.

        Raises: StoreFull, Invalidated, StoreError.
        """
        deadline = perf_counter() + BUDGET_SECONDS
        steady = levels.micros(self._steady.settle(now))
        work: tuple[Callable[[int, float], bool], ...] = (
            self._make_room,
            self._roll_minutes,
            self._roll_hours,
            self._seal,
            self._expire,
        )
        all(task(steady, deadline) for task in work)
        if self._bulk or files.size(files.wal(self._database.path)) > self._settings.wal_limit:
            self._database.checkpoint()
            self._bulk = False

    def problems(self) -> list[str]:
        """What keeps the upkeep from its work, as sentences."""
        found = [self._steady.problem()] if self._steady.problem() else []
        if self.short_of_room:
            found.append(
                f"Less than {self._settings.free_space_floor:,} bytes are free on the store's volume: "
                "the oldest samples are deleted to make room for new ones."
            )
        return [sentence for sentence in found if sentence]

    def _roll_minutes(self, now: int, deadline: float) -> bool:
        """Roll up closed minutes; whether all are."""
        to = levels.floor(now - LATENESS, _MINUTE)
        return self._roll(Level.MINUTE, "rolled_minute", to, _ROLL_MINUTES, deadline)

    def _roll_hours(self, _now: int, deadline: float) -> bool:
        """Roll up hours whose minutes are; whether all are."""
        to = levels.floor(self.marks.rolled_minute, _HOUR)
        return self._roll(Level.HOUR, "rolled_hour", to, _DAY, deadline)

    def _roll(self, level: Level, field: str, to: int, slice_: int, deadline: float) -> bool:
        source = "hot" if level is Level.MINUTE else "roll_1m"
        while (mark := int(getattr(self.marks, field))) < to:
            if perf_counter() > deadline:
                return False
            with self._database.transaction() as writer:
                oldest = _oldest(writer, source, mark)
                end = to if oldest is None else min(to, levels.floor(oldest, levels.width(level)) + slice_)
                if oldest is not None and oldest < end:
                    run(writer, sql(_PACKAGE, f"roll_{level.value}"), {"start": mark, "end": end})
                marks.save(writer, field, end)
            self.marks = self.marks.moved(field, end)
        return True

    def _seal(self, now: int, deadline: float) -> bool:
        """Move hot rows before the last boundary into a sorted run, some series at a time; whether all are moved."""
        cut = levels.floor(now, self._seal_every)
        if cut <= self.marks.sealed or cut > self.marks.rolled_minute:
            return True
        while perf_counter() <= deadline:
            if not self._slices:
                with self._database.transaction() as writer:
                    self._slices = _sliced(run(writer, sql(_PACKAGE, "seal_due"), {"cut": cut}))
                    if not self._slices:
                        marks.save(writer, "sealed", cut)
            if not self._slices:
                self.marks = self.marks.moved("sealed", cut)
                return True
            with self._database.transaction() as writer:
                parameters: dict[str, object] = {"cut": cut, "sids": self._slices[0]}
                run(writer, sql(_PACKAGE, "seal_copy"), parameters)
                moved = _number(writer, sql(_PACKAGE, "seal_drop"), parameters)
            self._slices.pop(0)
            self.hot_rows -= moved
            self._bulk = True
        return False

    def _expire(self, now: int, deadline: float) -> bool:
        """Delete what is older than its level promises; whether all is gone."""
        for level, promised in retention.cuts(now, self._settings).items():
            # A row must have been counted at the next level before it may go.
            counted = {Level.RAW: self.marks.rolled_minute, Level.MINUTE: self.marks.rolled_hour}
            cut = min(promised, counted.get(level, promised))
            while getattr(self.marks, _KEPT[level]) < cut:
                if perf_counter() > deadline:
                    return False
                self._delete(level, cut, self._seal_every if level is Level.RAW else _DAY)
        return True

    def _make_room(self, _now: int, deadline: float) -> bool:
        """On a nearly full volume delete the oldest raw samples until the file has room inside; always done."""
        missing = self._settings.free_space_floor - files.free_bytes(self._database.path)
        self.short_of_room = missing > 0
        if not self.short_of_room:
            return True
        # What the volume lacks must be free inside the file: a checkpoint writes new blocks before it frees old ones.
        reserve = missing + 2 * self._settings.wal_limit
        while perf_counter() <= deadline and self._free_inside() < reserve:
            cut = self._oldest_slice()
            if cut is None:
                return True
            self._delete(Level.RAW, cut, cut)
            self._database.checkpoint()
        return True

    def _oldest_slice(self) -> int | None:
        """End of the oldest run, or of the oldest twentieth when all is hot; None when nothing may go."""
        with self._database.transaction() as writer:
            ends = run(writer, "SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM (FROM hot UNION ALL FROM samples)")
        if ends[0][0] is None:
            return None
        oldest, newest = ends[0]
        cut = levels.floor(oldest, self._seal_every) + self._seal_every
        if cut > self.marks.sealed:
            cut = levels.floor(oldest + max((newest - oldest) // 20, _MINUTE), _MINUTE)
        cut = min(cut, self.marks.rolled_minute)
        return cut if cut > oldest else None

    def _free_inside(self) -> int:
        """Bytes in the file that new rows can take."""
        with self._database.transaction() as writer:
            return _number(
                writer,
                "SELECT free_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()",
            )

    def _delete(self, level: Level, cut: int, align: int) -> None:
        """Delete rows of *level* before *cut*, at most one *align* of time beyond the oldest, and move its mark."""
        field = _KEPT[level]
        with self._database.transaction() as writer:
            oldest = [
                found for table in _TABLES[level] if (found := _oldest(writer, table, levels.BEGINNING)) is not None
            ]
            end = min(cut, levels.floor(min(oldest), align) + align) if oldest else cut
            end = cut if oldest and min(oldest) >= cut else end
            deleted = {
                table: _number(writer, f"DELETE FROM {table} WHERE ts < make_timestamp($cut)", {"cut": end})  # noqa: S608
                for table in _TABLES[level]
            }
            end = max(end, int(getattr(self.marks, field)))
            marks.save(writer, field, end)
        self.hot_rows -= deleted.get("hot", 0)
        self.marks = self.marks.moved(field, end)
        self._bulk = self._bulk or any(deleted.values())


def _sliced(due: list[Row]) -> list[list[int]]:
    """Ids in slices of at most `_SEAL_ROWS` rows where one series allows it; *due* holds (id, rows) in order to seal."""
    slices: list[list[int]] = []
    filled = _SEAL_ROWS + 1
    for sid, count in due:
        if filled + count > _SEAL_ROWS:
            slices.append([])
            filled = 0
        slices[-1].append(sid)
        filled += count
    return slices


def _oldest(cursor: Cursor, table: str, since: int) -> int | None:
    found = run(cursor, f"SELECT epoch_us(min(ts)) FROM {table} WHERE ts >= make_timestamp($since)", {"since": since})  # noqa: S608
    return None if found[0][0] is None else int(found[0][0])


def _number(cursor: Cursor, text: str, parameters: dict[str, object] | None = None) -> int:
    return int(run(cursor, text, parameters)[0][0])
