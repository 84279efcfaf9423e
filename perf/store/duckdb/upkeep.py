"""Keeps the store small and fast, a slice at a time: roll-up, sealing, retention, room on a full disk, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter

from perf.model import Level
from perf.settings import StoreSettings
from perf.sqlfiles import sql
from perf.store import levels, retention
from perf.store.duckdb import files, marks
from perf.store.duckdb.append import merging
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
_ROLL_MINUTES = 60 * _MINUTE
_ROLL_WIDE = 20_000  # Distributions merged at a time: about a million buckets, 0.3 s.
_SEAL_ROWS = 4 * 122_880  # Row groups of DuckDB: a slice ends with one that is nearly full.
_SEAL_WIDE = 61_440  # Half a row group: a distribution takes as much memory as twenty samples while it is sorted.
_TABLES = {
    Level.RAW: ("samples", "hot", "hist", "hot_hist", "exemplars"),
    Level.MINUTE: ("roll_1m", "roll_1m_hist"),
    Level.HOUR: ("roll_1h", "roll_1h_hist", "annotations"),
}
_ALERTS = ("incidents", "transitions", "deliveries", "outbox", "probe_results")
"""In this order: each looks at what the one before left."""
_HOT = ("hot", "hot_hist")
_NEW = (*_HOT, "exemplars")
_KEPT = {Level.RAW: "kept_raw", Level.MINUTE: "kept_minute", Level.HOUR: "kept_hour"}


class DuckDBUpkeep:
    """Everything here runs on the writing thread; `marks` and `new_rows`, the rows of the tables that a commit adds to, are what
    others may look at.
    """

    def __init__(self, database: Database, settings: StoreSettings, steady: SteadyTime) -> None:
        """*steady* outlives a reopened *database*."""
        self._database = database
        self._settings = settings
        self._steady = steady
        self._seal_every = max(round(settings.seal_every), 60) * MICRO
        self._bulk = False
        self._kept_alerts = self._kept_audit = levels.BEGINNING
        self._slices: list[tuple[str, list[int]]] = []
        self.short_of_room = False
        with database.reading() as cursor:
            self.marks: Marks = marks.load(cursor)
            self.new_rows = sum(_number(cursor, f"SELECT count(*) FROM {table}") for table in _NEW)  # noqa: S608

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
            self._expire_alerts,
            self._expire_audit,
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
        sources = _HOT if level is Level.MINUTE else _TABLES[Level.MINUTE]
        while (mark := int(getattr(self.marks, field))) < to:
            if perf_counter() > deadline:
                return False
            with self._database.transaction() as writer:
                oldest = _oldest_of(writer, sources, mark)
                end = to if oldest is None else min(to, _slice_end(writer, level, oldest, slice_))
                if oldest is not None and oldest < end:
                    span: dict[str, object] = {"start": mark, "end": end}
                    run(writer, sql(_PACKAGE, f"roll_{level.value}"), span)
                    run(writer, merging(f"roll_{level.value}_hist", f"hist_roll_{level.value}"), span)
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
                    self._slices = [
                        (kind, sids)
                        for kind, rows in (("seal", _SEAL_ROWS), ("hist_seal", _SEAL_WIDE))
                        for sids in _sliced(run(writer, sql(_PACKAGE, f"{kind}_due"), {"cut": cut}), rows)
                    ]
                    if not self._slices:
                        marks.save(writer, "sealed", cut)
            if not self._slices:
                self.marks = self.marks.moved("sealed", cut)
                return True
            kind, sids = self._slices[0]
            with self._database.transaction() as writer:
                parameters: dict[str, object] = {"cut": cut, "sids": sids}
                run(writer, sql(_PACKAGE, f"{kind}_copy"), parameters)
                moved = _number(writer, sql(_PACKAGE, f"{kind}_drop"), parameters)
            self._slices.pop(0)
            self.new_rows -= moved
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

    def _expire_alerts(self, now: int, _deadline: float) -> bool:
        """Forget incidents that are over, and what became of notifications, once they are old; always done."""
        cut = retention.alerts_cut(now, self._settings)
        if cut - self._kept_alerts >= _HOUR:
            with self._database.transaction() as writer:
                for table in _ALERTS:
                    run(writer, sql(_PACKAGE, f"{table}_expire"), {"cut": cut} if table != "outbox" else None)
            self._kept_alerts = cut
        return True

    def _expire_audit(self, now: int, _deadline: float) -> bool:
        """Forget old entries of the audit log; always done."""
        cut = retention.audit_cut(now, self._settings)
        if cut - self._kept_audit >= _HOUR:
            with self._database.transaction() as writer:
                run(writer, sql(_PACKAGE, "audit_expire"), {"cut": cut})
            self._kept_audit = cut
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
            tables = " UNION ALL ".join(f"SELECT ts FROM {table}" for table in _TABLES[Level.RAW])  # noqa: S608
            ends = run(writer, f"SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM ({tables})")  # noqa: S608
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
            oldest = _oldest_of(writer, _TABLES[level], levels.BEGINNING)
            end, tables = cut, _TABLES[level]
            if oldest is None or oldest >= cut:
                tables = ()  # most turns only move the mark
            else:
                end = min(cut, levels.floor(oldest, align) + align)
            deleted = {
                table: _number(writer, f"DELETE FROM {table} WHERE ts < make_timestamp($cut)", {"cut": end})  # noqa: S608
                for table in tables
            }
            end = max(end, int(getattr(self.marks, field)))
            marks.save(writer, field, end)
        self.new_rows -= sum(deleted.get(table, 0) for table in _NEW)
        self.marks = self.marks.moved(field, end)
        self._bulk = self._bulk or any(deleted.values())


def _sliced(due: list[Row], limit: int) -> list[list[int]]:
    """Ids in slices of at most *limit* rows where one series allows it; *due* holds (id, rows) in order to seal."""
    slices: list[list[int]] = []
    filled = limit + 1
    for sid, count in due:
        if filled + count > limit:
            slices.append([])
            filled = 0
        slices[-1].append(sid)
        filled += count
    return slices


def _slice_end(cursor: Cursor, level: Level, oldest: int, slice_: int) -> int:
    """Where a slice of roll-up to *level* from *oldest* on ends: after *slice_*, or sooner where distributions are many."""
    row = levels.width(level)
    begin = levels.floor(oldest, row)
    table = "hot_hist" if level is Level.MINUTE else "roll_1m_hist"
    text = f"SELECT count(*) FROM {table} WHERE ts >= make_timestamp($start) AND ts < make_timestamp($end)"  # noqa: S608
    wide = _number(cursor, text, {"start": begin, "end": begin + slice_})
    return begin + max(levels.floor(slice_ * _ROLL_WIDE // max(wide, _ROLL_WIDE), row), row)


def _oldest_of(cursor: Cursor, tables: Iterable[str], since: int) -> int | None:
    return min((found for table in tables if (found := _oldest(cursor, table, since)) is not None), default=None)


def _oldest(cursor: Cursor, table: str, since: int) -> int | None:
    found = run(cursor, f"SELECT epoch_us(min(ts)) FROM {table} WHERE ts >= make_timestamp($since)", {"since": since})  # noqa: S608
    return None if found[0][0] is None else int(found[0][0])


def _number(cursor: Cursor, text: str, parameters: dict[str, object] | None = None) -> int:
    return int(run(cursor, text, parameters)[0][0])
