"""Batches that wait for their receiver: a bounded SQLite file that several processes share, oldest first.

A file and not memory: what a process had to say survives its end, and another one sends it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec

from perf.errors import PerfError
from perf.ports import Clock

MAX_BYTES = 64 * 2**20
LEASE_SECONDS = 10.0
BUSY_SECONDS = 2.0
FORK_SECONDS = 0.5
"""How long a fork waits for what is being written or read."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (
  id INTEGER PRIMARY KEY AUTOINCREMENT, producer TEXT NOT NULL, seq INTEGER NOT NULL, ts REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS drainer (one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, until REAL NOT NULL);
"""
_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process: closing one here would drop the parent's locks."""


class SpoolError(PerfError):
    """The file can't be used: no space, no permission, not a spool."""


class Batch(msgspec.Struct, frozen=True):
    """A request that waits: its sender, its number there, when it was made (Unix seconds), and its body."""

    id: int
    producer: str
    seq: int
    ts: float
    body: bytes


class Spool:
    """The file at *path*; made at first use. Thread-safe; a forked child opens it anew."""

    def __init__(self, path: Path | str, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = Path(path)
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._pid = 0
        self._held = False
        _spools.add(self)

    def append(self, producer: str, seq: int, body: bytes) -> int:
        """Keep a batch behind all others; returns how many of the oldest were dropped for it. Raises: SpoolError."""
        with self._lock:
            try:
                return self._append(self._open(), producer, seq, body)
            except (sqlite3.Error, OSError) as error:
                raise SpoolError(f"spool {self._path}: {error}") from error

    def oldest(self, drainer: str) -> Batch | None:
        """The batch to send next, for *drainer* alone during `LEASE_SECONDS`; None when there is none, or another drains.

        Raises: SpoolError.
        """
        with self._lock:
            try:
                db = self._open()
                if not self._leased(db, drainer):
                    return None
                row = db.execute("SELECT id, producer, seq, ts, body FROM batch ORDER BY id LIMIT 1").fetchone()
            except (sqlite3.Error, OSError) as error:
                raise SpoolError(f"spool {self._path}: {error}") from error
        return Batch(*row) if row else None

    def remove(self, batch: Batch) -> None:
        """*batch* has been dealt with. Raises: SpoolError."""
        with self._lock:
            try:
                self._open().execute("DELETE FROM batch WHERE id = ?", (batch.id,))
            except (sqlite3.Error, OSError) as error:
                raise SpoolError(f"spool {self._path}: {error}") from error

    def waiting(self, producer: str | None = None) -> int:
        """How many batches wait, of all or of one *producer*. Raises: SpoolError."""
        with self._lock:
            if self._db is None and not self._path.exists():
                return 0
            try:
                db = self._open()
                query = "SELECT count(*) FROM batch WHERE ?1 IS NULL OR producer = ?1"
                return int(db.execute(query, (producer,)).fetchone()[0])
            except (sqlite3.Error, OSError) as error:
                raise SpoolError(f"spool {self._path}: {error}") from error

    def release(self, drainer: str) -> None:
        """*drainer* takes no more: another needn't wait until its lease ends. Raises: SpoolError."""
        with self._lock:
            if self._db is None or self._pid != os.getpid():
                return
            try:
                self._db.execute("DELETE FROM drainer WHERE owner = ?", (drainer,))
            except sqlite3.Error as error:
                raise SpoolError(f"spool {self._path}: {error}") from error

    def close(self) -> None:
        """Let go of the file; a later call opens it again."""
        with self._lock:
            if self._db is not None and self._pid == os.getpid():
                self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._db is not None and self._pid == os.getpid():
            return self._db
        if self._db is not None:
            _inherited.append(self._db)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            # An acknowledged batch may be lost with the machine, not with the process.
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute(f"PRAGMA journal_size_limit={2**20}")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._pid = db, os.getpid()
        return db

    def hold(self) -> None:
        """Before a fork: SQLite's own locks must not be taken then, or the child waits for them for ever."""
        self._held = self._lock.acquire(timeout=FORK_SECONDS)

    def go_on(self) -> None:
        """After a fork, in the parent."""
        if self._held:
            self._lock.release()

    def begin_anew(self) -> None:
        """After a fork, in the child: the parent's lock and connection are not ours."""
        if self._db is not None:
            _inherited.append(self._db)
        self._lock = threading.Lock()
        self._db = None

    def _append(self, db: sqlite3.Connection, producer: str, seq: int, body: bytes) -> int:
        db.execute("BEGIN IMMEDIATE")
        try:
            size = db.execute("SELECT coalesce(sum(length(body)), 0) FROM batch").fetchone()[0] + len(body)
            dropped = 0
            while size > self._max_bytes:
                row = db.execute(
                    "DELETE FROM batch WHERE id = (SELECT min(id) FROM batch) RETURNING length(body)"
                ).fetchone()
                if row is None:
                    break
                size -= row[0]
                dropped += 1
            db.execute(
                "INSERT INTO batch (producer, seq, ts, body) VALUES (?, ?, ?, ?)",
                (producer, seq, self._clock.now(), body),
            )
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return dropped

    def _leased(self, db: sqlite3.Connection, drainer: str) -> bool:
        """Take or renew the lease. The wall clock, since processes share it; a jump only lets two drain at once, harmlessly."""
        now = self._clock.now()
        taken = db.execute(
            "INSERT INTO drainer VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE SET owner = ?1, until = ?2"
            " WHERE owner = ?1 OR until < ?3 OR until > ?3 + ?4",
            (drainer, now + LEASE_SECONDS, now, 2 * LEASE_SECONDS),
        )
        return taken.rowcount > 0


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _all(step: Callable[[Spool], None]) -> None:
    for spool in list(_spools):
        step(spool)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _all(Spool.hold),
        after_in_parent=lambda: _all(Spool.go_on),
        after_in_child=lambda: _all(Spool.begin_anew),
    )
