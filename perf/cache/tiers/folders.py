"""The folder of the file tier: 256 folders of entries, drafts, locks and a quarantine. It touches nothing else, and follows no link."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import xxhash

from perf.cache.tiers.generations import FOLDERS, Generations

QUARANTINED = 16
"""Broken files that are kept for a look; the oldest go."""

_BLOCK = 4096
"""A file takes whole blocks of the disk."""
_STRIPES = 16
_TRIES = 200
_PAUSE = 0.001
_SAMPLE = 4096
"""Entries that are looked at to find the oldest."""
_NAME = 30
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NEVER = Event()


class Folders:
    """The files below *root*. Raises: OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("drafts", "locks", "quarantine"):
            _folder(root / name)
        self.table_path = root / "generations"
        self.table = Generations(self.table_path)
        self._inode = self.table_path.lstat().st_ino
        self._prefix = f"{root}/"
        self._next = 0
        self.sweep()

    def present(self) -> bool:
        """Whether the table that we look at is still the one that others find."""
        try:
            return self.table_path.lstat().st_ino == self._inode
        except OSError:
            return False

    def path(self, key: bytes) -> str:
        """Where the entry of *key* is."""
        name = xxhash.xxh3_128_hexdigest(key)
        return f"{self._prefix}{name[:2]}/{name[2:]}"

    def put(self, path: str, *parts: bytes | memoryview) -> None:
        """Make *parts* the file at *path*, at once and as a whole."""
        _folder(Path(path).parent)
        try:
            self._put(path, parts)
        except FileNotFoundError:
            # Somebody swept the draft in the moment between its making and its locking.
            self._put(path, parts)

    def drop(self, path: str) -> bool:
        """Remove the file at *path*; whether there was one."""
        folder = _number(path)
        if not _real(Path(path).parent):
            return False
        with self._locked(folder):
            before = _charge(path)
            if before is None:
                return False
            os.unlink(path)  # noqa: PTH108 - a Path costs as much as the call
            self.table.add(folder, -before, -1)
        return True

    def quarantine(self, path: str, largest: int) -> None:
        """Take a file that is no entry out of the way: to the quarantine, or away when it has more than *largest* bytes."""
        charge = _charge(path)
        if charge is None or not _real(Path(path).parent):
            return
        folder = _number(path)
        kept = self.root / "quarantine"
        with self._locked(folder):
            if charge > largest and not _real(Path(path)):
                Path(path).unlink(missing_ok=True)
            else:
                os.replace(path, kept / f"{Path(path).name}.{os.urandom(4).hex()}")  # noqa: PTH105 - as above
            self.table.add(folder, -charge, -1)
        for _, old in sorted((entry.stat(follow_symlinks=False).st_ctime_ns, entry.path) for entry in os.scandir(kept))[
            :-QUARANTINED
        ]:
            Path(old).unlink(missing_ok=True)

    def shrink(self, bound: int) -> int:
        """Remove the entries that were not used for longest until at most *bound* bytes are left; how many went.

        Looks at about `_SAMPLE` entries at a time, of folders in turn: what is oldest among these is old enough.
        """
        removed = looked = 0
        while self.table.size() > bound and looked < 2 * FOLDERS:
            some = min(FOLDERS, max(1, FOLDERS * _SAMPLE // max(1, self.table.count())))
            looked += some
            found: list[tuple[int, str]] = []
            for _ in range(some):
                found.extend(self._look(self._next))
                self._next = (self._next + 1) % FOLDERS
            for _, path in sorted(found)[: len(found) if some == FOLDERS else len(found) // 2 + 1]:
                if self.table.size() <= bound:
                    break
                removed += self.drop(path)
        return removed

    def touch(self, paths: set[str]) -> None:
        """Note that the entries at *paths* were used."""
        for path in paths:
            with contextlib.suppress(OSError):
                os.utime(path, follow_symlinks=False)

    def clear(self) -> int:
        """Remove every entry; how many there were."""
        return sum(self.drop(path) for folder in range(FOLDERS) for _, path in self._look(folder))

    def sweep(self) -> None:
        """Remove what killed writers left behind."""
        for entry in os.scandir(self.root / "drafts"):
            with contextlib.suppress(OSError):
                fd = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()
                finally:
                    os.close(fd)

    def _put(self, path: str, parts: Sequence[bytes | memoryview]) -> None:
        draft = f"{self._prefix}drafts/{os.getpid()}.{os.urandom(8).hex()}"
        fd = os.open(draft, _WRITE, 0o600)
        try:
            # Held until it has its place: who sweeps takes an unlocked draft for that of a dead writer.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in parts:
                _write(fd, part)
            folder = _number(path)
            with self._locked(folder):
                before = _charge(path)
                os.replace(draft, path)  # noqa: PTH105 - a Path costs as much as the call
                self.table.add(folder, _blocks(sum(map(len, parts))) - (before or 0), before is None)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(draft)  # noqa: PTH108 - as above
            raise
        finally:
            os.close(fd)

    def _look(self, folder: int) -> list[tuple[int, str]]:
        """When the entries of *folder* were used last, and their paths; puts its account right."""
        path = f"{self._prefix}{folder:02x}"
        if not _real(Path(path)):
            self.table.counted(folder, 0, 0)
            return []
        with self._locked(folder):
            found = []
            for entry in os.scandir(path):
                if len(entry.name) == _NAME:
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.stat(follow_symlinks=False), entry.path))
            self.table.counted(folder, sum(_blocks(status.st_size) for status, _ in found), len(found))
        return [(status.st_mtime_ns, path) for status, path in found]

    @contextlib.contextmanager
    def _locked(self, folder: int) -> Iterator[None]:
        """Only we change *folder* and its account. A dead holder's lock is free; a frozen one is not waited for longer than 0.2 s:
        the account is off then, until the folder is looked at.
        """
        # Opened each time: threads and forked children that share an open file would share its lock.
        fd = os.open(f"{self._prefix}locks/{folder % _STRIPES:x}", _LOCK, 0o600)
        try:
            for _ in range(_TRIES):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                _NEVER.wait(_PAUSE)
            yield
            # Not left to close: a child that was forked meanwhile has it open, too.
            fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)


def _folder(path: Path) -> None:
    """A folder of ours at *path*; something else by that name is moved aside."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if _real(path):
            return
        path.rename(path.with_name(f"{path.name}.foreign.{os.urandom(4).hex()}"))
        path.mkdir(mode=0o700)


def _number(path: str) -> int:
    """Of the folder of an entry."""
    return int(path[-_NAME - 3 : -_NAME - 1], 16)


def _real(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _charge(path: str) -> int | None:
    try:
        return _blocks(os.lstat(path).st_size)
    except OSError:
        return None


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _write(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
