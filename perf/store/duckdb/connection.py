"""The one DuckDB instance of a store: opening it safely, a cursor for every read, one connection for all writes."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from perf.errors import StoreClosed, StoreError, StoreFull, StoreLocked
from perf.settings import StoreSettings
from perf.sqlfiles import quoted

Cursor: TypeAlias = duckdb.DuckDBPyConnection
Row: TypeAlias = tuple[Any, ...]  # Any: a cell is of whatever type the statement gives it

READ_SECONDS = 10.0
"""No read may take longer."""

_NAME = "store"
_CLOSE_SECONDS = 5.0
_PID = re.compile(r"PID (\d+)")
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_NEWER = re.compile(r"version number|newer version|storage version", re.IGNORECASE)
# Only what says so plainly: a passing failure to read must not set a good file aside.
_CORRUPT = re.compile(
    r"corrupt|checksum|could not read enough bytes|failed to deserialize|serialization error", re.IGNORECASE
)
_log = logging.getLogger(__name__)


class Invalidated(StoreError):
    """DuckDB gave the instance up after a failed checkpoint; it must be reopened."""


class Corrupt(StoreError):
    """The file, or its log, can't be read."""


class Database:
    """An open store file. `writer` belongs to the writing thread; `reading` may be used from any thread."""

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        """Open *path*, which the caller has claimed.

        Raises: StoreLocked, StoreFull, Corrupt, or StoreError when it is of a newer version or can't be opened.
        """
        self.path = path
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._readers: set[Cursor] = set()
        self._root: Cursor | None = None
        self.invalid = False
        try:
            self._root = _opened(path, settings)
            self.writer = _cursor(self._root)
        except (duckdb.Error, OSError) as error:
            if self._root is not None:
                self._root.close()
            raise _open_error(path, error) from error

    @contextlib.contextmanager
    def reading(self, seconds: float = READ_SECONDS) -> Iterator[Cursor]:
        """A cursor for one question, which is stopped after *seconds*.

        Raises: StoreClosed, StoreError when the time is over or the store is being reopened.
        """
        with self._changed:
            if self._root is None:
                raise StoreClosed(f"{self.path}: the store is closed")
            cursor = _cursor(self._root)
            self._readers.add(cursor)
        try:
            run(cursor, f"SET max_execution_time = {max(1, round(seconds * 1000))}")
            yield cursor
        except duckdb.Error as error:
            raise self.translated(error, seconds) from error
        finally:
            cursor.close()
            with self._changed:
                self._readers.discard(cursor)
                self._changed.notify_all()

    def open_cursors(self) -> int:
        """Questions that are being answered now."""
        return len(self._readers)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """The writer inside a transaction, committed at the end, rolled back on any error.

        Raises: StoreFull, Invalidated (then the commit may have happened), StoreError.
        """
        if self._root is None:
            raise StoreClosed(f"{self.path}: the store is closed")
        try:
            run(self.writer, "BEGIN TRANSACTION")
            yield self.writer
            run(self.writer, "COMMIT")
        except BaseException as error:
            with contextlib.suppress(duckdb.Error):
                self.writer.rollback()
            if isinstance(error, duckdb.Error):
                raise self.translated(error) from error
            raise

    def checkpoint(self) -> None:
        """Move the log into the file. Raises: Invalidated, StoreFull or StoreError when that fails."""
        try:
            run(self.writer, "CHECKPOINT")
        except duckdb.Error as error:
            raise self.translated(error) from error

    def close(self) -> None:
        """Stop the readers and let go of the file; never raises."""
        with self._changed:
            root, self._root = self._root, None
            for cursor in self._readers:
                cursor.interrupt()
            self._changed.wait_for(lambda: not self._readers, _CLOSE_SECONDS)
        if root is None:
            return
        for connection in (self.writer, root):
            try:
                run(connection, "USE memory")
                if connection is root:
                    run(connection, f"DETACH {quoted(_NAME)}")
            except duckdb.Error as error:
                _log.warning("%s: closing: %s", self.path, error)
            connection.close()

    def translated(self, error: duckdb.Error, seconds: float = READ_SECONDS) -> StoreError:
        """*error* in the words of the store."""
        text = str(error)
        if isinstance(error, duckdb.FatalException) or "has been invalidated" in text:
            self.invalid = True
            return Invalidated(f"{self.path}: the store has to be reopened: {text}")
        if _FULL.search(text):
            return StoreFull(f"{self.path}: no space left on its volume; free some, or shorten store.retention")
        if isinstance(error, duckdb.InterruptException):
            if self._root is None:
                return StoreClosed(f"{self.path}: the store was closed meanwhile")
            return StoreError(f"{self.path}: the question took longer than {seconds:g} s; ask for less")
        if isinstance(error, duckdb.OutOfMemoryException):
            return StoreError(f"{self.path}: the question needs more memory than store.memory_limit: {text}")
        return StoreError(f"{self.path}: {text}")

    def check_process(self) -> None:
        """Refuse use after a fork: two processes would write to one file.

        Raises: StoreError in a forked child.
        """
        if os.getpid() != self._pid:
            raise StoreError(f"{self.path}: opened by process {self._pid}; open it after the fork, or use spawn")

    def forsake(self) -> None:
        """In a forked child: never let the destructors run, they would write to the parent's file."""
        for connection in (self._root, self.writer, *self._readers):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def is_corruption(error: StoreError) -> bool:
    """Whether *error*, met while opening, means that the file or its log is damaged."""
    return isinstance(error, Corrupt) or _CORRUPT.search(str(error)) is not None


def run(cursor: Cursor, text: str, parameters: dict[str, object] | None = None) -> list[Row]:
    """Execute and drain: an undrained result blocks every later checkpoint."""
    return cursor.execute(text, parameters).fetchall()


def _cursor(root: Cursor) -> Cursor:
    # A connection refuses concurrent calls; a cursor is a cheap connection, but starts in the default catalog.
    cursor = root.cursor()
    run(cursor, f"USE {quoted(_NAME)}")
    return cursor


def _opened(path: Path, settings: StoreSettings) -> Cursor:
    folder = path.parent
    root = duckdb.connect(
        ":memory:",
        config={
            "threads": settings.threads,
            "memory_limit": f"{settings.memory_limit}B",
            "preserve_insertion_order": False,
            "storage_compatibility_version": "v1.5.0",
            # Checkpoints are made by the upkeep, where a failed one leaves no doubt about a commit; this is the net below.
            "wal_autocheckpoint": f"{max(4 * settings.wal_limit, 2**20)}B",
            "temp_directory": str(folder / "tmp"),
            "max_temp_directory_size": "1GB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        # Attached under a name of ours: a catalog called perf (from perf.duckdb) would hide the schema perf.
        run(root, f"ATTACH {_text(str(path))} AS {quoted(_NAME)}")
        allowed = ", ".join(_text(f"{folder / name}/") for name in ("exports", "backups"))
        for setting in (
            "GLOBAL TimeZone = 'UTC'",
            "allowed_configs = ['max_execution_time']",
            f"allowed_directories = [{allowed}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            run(root, f"SET {setting}")
    except BaseException:
        root.close()
        raise
    return root


def _text(value: str) -> str:
    """*value* as a SQL text literal, where DuckDB takes no parameters."""
    return "'" + value.replace("'", "''") + "'"


def _open_error(path: Path, error: Exception) -> StoreError:
    text = str(error)
    if "Could not set lock" in text or "Unique file handle conflict" in text:
        found = _PID.search(text)
        pid = int(found[1]) if found else 0
        owner = f"process {pid}" if pid else "another process"
        return StoreLocked(f"{path}: {owner} has the store open; ask it, stop it, or set another store.path", pid=pid)
    if _FULL.search(text):
        return StoreFull(f"{path}: no space left on its volume to open the store")
    if _NEWER.search(text):
        return StoreError(f"{path}: written by a newer DuckDB and left alone; upgrade duckdb ({text})")
    if _CORRUPT.search(text) or isinstance(error, duckdb.InternalException):
        return Corrupt(f"{path}: {text}")
    return StoreError(f"{path}: can't be opened: {text}")
