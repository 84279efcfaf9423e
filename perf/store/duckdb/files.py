"""The file under the store: what may be opened, who has it open, and where a broken one is put. Nothing is ever deleted."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

from perf.errors import StoreError, StoreLocked

_MAGIC = b"DUCK"
_MAGIC_AT = 8
_ASIDE = ".corrupt-"
_open: set[Path] = set()
_open_lock = threading.Lock()


def wal(path: Path) -> Path:
    """The write-ahead log of the database *path*."""
    return path.with_name(path.name + ".wal")


def size(path: Path) -> int:
    """Bytes of *path*, 0 when it isn't there. Never opens it: closing any handle would drop DuckDB's lock."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def free_bytes(path: Path) -> int:
    """Bytes free on the volume of *path*."""
    return shutil.disk_usage(path.parent).free


def claim(path: Path) -> None:
    """Note that this process opens *path*; must be undone by `release`.

    DuckDB would let the same process in twice, and two writers would overwrite each other.

    Raises: StoreLocked when this process has it open already.
    """
    with _open_lock:
        if path in _open:
            raise StoreLocked(f"{path}: this process (pid {os.getpid()}) has the store open already", pid=os.getpid())
        _open.add(path)


def release(path: Path) -> None:
    """Undo `claim`: *path* is closed."""
    with _open_lock:
        _open.discard(path)


def prepare(path: Path) -> None:
    """Make the folder and see that *path* can be a store; call it only after `claim`.

    Raises: StoreError saying what is in the way and what to do, StoreLocked when an empty file is being made by another
    process.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: the store's folder can't be made ({error.strerror}); set store.path") from error
    if path.is_dir():
        raise StoreError(f"{path}: is a folder; store.path must name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder}: can't write there; give this user the right, or set store.path to another folder")
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path}: can't be read and written by this user; change its owner or mode, or set store.path")
    if path.stat().st_size == 0:
        _remove_empty(path)
    elif not _is_duckdb(path):
        raise StoreError(f"{path}: is not a DuckDB file and was left alone; set store.path to another name")


def set_aside(path: Path, now: float) -> Path:
    """Rename a corrupt database and its log to a dated name, which is returned.

    Raises: StoreError when they can't be renamed.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    target = path.with_name(f"{path.name}{_ASIDE}{stamp}")
    number = 1
    while target.exists() or wal(target).exists():
        number += 1
        target = path.with_name(f"{path.name}{_ASIDE}{stamp}-{number}")
    try:
        if path.exists():
            path.rename(target)
        if wal(path).exists():
            wal(path).rename(wal(target))
    except OSError as error:
        raise StoreError(f"{path}: is corrupt and can't be set aside ({error.strerror})") from error
    return target


def count_set_aside(path: Path) -> int:
    """How many databases were put aside by `set_aside` and are still there; a log belongs to its database."""
    begin, log = f"{path.name}{_ASIDE}", wal(path).suffix
    names = (one.name for one in path.parent.iterdir())
    return sum(name.startswith(begin) and not name.endswith(log) for name in names)


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def _remove_empty(path: Path) -> None:
    """An empty file is no database to DuckDB; it holds nothing, so it makes way, unless another process is filling it."""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreLocked(f"{path}: another process is creating the store") from error
        if os.fstat(file.fileno()).st_size == 0:
            path.unlink()
