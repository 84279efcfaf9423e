"""The tier on disk: one file per entry, shared by the processes of a machine, bounded in bytes. Needs no server."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from perf.cache.tiers import fileformat
from perf.cache.tiers.fileformat import Broken, Moment
from perf.cache.tiers.folders import Folders
from perf.cache.tiers.generations import packed, unpacked
from perf.cache.tiers.leases import Leases
from perf.errors import TierError
from perf.model import Held, TierUsage
from perf.ports import Clock

LARGEST_SHARE = 0.25
"""Of the bound, what one entry may take at most."""

_LOW_WATER = 0.95
_AFTER_FULL = 0.8
"""Of the bound and of what is there: how far to make room at once, and when the disk is full."""
_REST, _LONGEST_REST = 5.0, 60.0
"""Seconds after which a disk that refused is tried again; doubled each time up to the second."""
_USED = 4096
_FLUSH = 256
"""Entries whose use is remembered before it is noted on disk, at most and usually."""
_QUARANTINE_SHARE = 1 / 160
_KEY = 1
"""Which of the slots of an entry is that of its key."""


class FileTier:
    """Entries in *folder*, at most about *max_bytes* in blocks of the disk. Nothing is opened before the first use."""

    name = "file"
    locks_are_cheap = True
    """Whether a lock costs little enough for every load."""

    def __init__(self, folder: Path | str, max_bytes: int, clock: Clock) -> None:
        self._root = Path(folder).absolute()
        self._bound = max_bytes
        self._clock = clock
        self._boot = fileformat.boot()
        self._opened: Folders | None = None
        self._opening = threading.Lock()
        self._trouble = ""
        self._rest = _REST
        self._again = -1.0
        self._closed = False
        self._missed = False
        self._used: set[str] = set()
        self._leases = Leases(self._root / "locks" / "leases", clock)
        self._evictions: dict[str, int] = {}

    def read(self, key: str) -> Held | None:
        """What is held under *key*, verified. Raises: TierError."""
        folders = self._opened or self._folders()
        if folders is None:
            return None
        name = key.encode("utf-8", "surrogatepass")
        path = folders.path(name)
        try:
            data, marks, fresh, stale = fileformat.read(path, name, self._boot, self._clock, self._bound)
        except FileNotFoundError:
            return None
        except Broken as error:
            self._broken(folders, path, error.reason)
            return None
        except OSError as error:
            raise TierError(f"{path} can't be read: {error}") from error
        if stale <= 0.0 or folders.table.moved(marks):
            self._void(folders, path, "expired" if stale <= 0.0 else "invalidated")
            return None
        if len(self._used) < _USED:
            self._used.add(path)
        return Held(data, fresh, stale)

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        """Hold it; False when a generation moved since *fence*, when it is larger than a quarter of the bound, and while the disk
        refuses. Raises: TierError at the first refusal, and when the disk was tried again and still refuses.
        """
        folders = self._folders()
        if folders is None or self._clock.monotonic() < self._again:
            return False
        if len(held.data) > self._bound * LARGEST_SHARE:
            self._count("oversize")
            return False
        slots = folders.table.slots((f"k:{key}", *(f"t:{tag}" for tag in tags)))
        marks = self._fenced(folders, slots, fence, replaces=replaces)
        if marks is None:
            return False
        name = key.encode("utf-8", "surrogatepass")
        now = Moment(self._boot, self._clock.now(), self._clock.monotonic())
        head = fileformat.written(name, marks, now, (held.fresh, held.stale), held.data)
        try:
            self._put(folders, name, head, held.data)
        except OSError as error:
            raise self._refused(folders, error) from error
        self._trouble, self._rest = "", _REST
        return True

    def fence(self, names: Sequence[str]) -> bytes:
        """The present generations of *names*. Raises: TierError."""
        folders = self._folders()
        return b"" if folders is None else packed(folders.table.marks(folders.table.slots(names)))

    def invalidate(self, names: Sequence[str]) -> None:
        """Move the generations of *names*, and drop those keys. Raises: TierError."""
        folders = self._reached()
        folders.table.move(folders.table.slots(names)[1:])
        for name in names:
            if name.startswith("k:"):
                self._void(folders, folders.path(name[2:].encode("utf-8", "surrogatepass")), "invalidated")

    def clear(self) -> None:
        """Drop everything. Raises: TierError."""
        folders = self._reached()
        folders.table.move(folders.table.slots(())[:1])
        with contextlib.suppress(OSError):
            # What can't be removed is void all the same.
            folders.clear()

    def lock(self, key: str, lease: float) -> bytes | None:
        """A token when the caller may load *key*, None while another process does. Raises: TierError."""
        if self._folders() is None:
            return b""
        try:
            return self._leases.lock(key, lease)
        except OSError as error:
            raise TierError(f"{self._root} can't lock: {error}") from error

    def unlock(self, _key: str, token: bytes) -> None:
        """Let the next one load."""
        self._leases.unlock(token)

    def usage(self) -> TierUsage:
        """What all processes hold in the folder; *evictions* are those of this one."""
        table = self._opened.table if self._opened is not None else None
        return TierUsage(
            name=self.name,
            entries=table.count() if table else 0,
            bytes=table.size() if table else 0,
            bound=self._bound,
            evictions=dict(self._evictions),
            state=f"read-only: {self._trouble}" if self._trouble else "",
        )

    def close(self) -> None:
        """Note what was used. Reads find nothing from now on, and writes are refused."""
        self._closed = True
        folders, self._opened = self._opened, None
        if folders is not None:
            folders.touch(self._used)

    def _folders(self, *, missed: bool = False) -> Folders | None:
        """The folder, opened or opened anew when somebody removed it; None when it is closed or can't be. *missed*: something is
        invalid there, whether it can be opened or not. Raises: TierError, when it was tried.
        """
        folders = self._opened
        if folders is not None and folders.present():
            return folders
        with self._opening:
            if self._opened is not folders:
                self._missed |= missed and self._opened is None
                return self._opened  # another thread was here first
            void, self._missed = self._missed, self._missed or missed
            if self._closed or (folders is None and self._clock.monotonic() < self._again):
                return None
            try:
                self._opened = Folders(self._root)
            except OSError as error:
                self._opened = None
                raise self._refused(None, error) from error
            if void:  # Who knows what of it.
                self._opened.table.move(self._opened.table.slots(()))
            self._missed = False
            self._trouble = ""
            return self._opened

    def _reached(self) -> Folders:
        """The folder, to invalidate there; when it can't be opened now, that is made up for once it can. Raises: TierError."""
        folders = self._folders(missed=True)
        if folders is None:
            raise TierError(f"{self._root} is not open: {self._trouble or 'closed'}")
        return folders

    @staticmethod
    def _fenced(folders: Folders, slots: list[int], fence: bytes | None, *, replaces: bool) -> list[int] | None:
        """Slots and generations that the entry is marked with; None when one moved since *fence*.

        Those of the fence, and not the present ones: what moves between this and the rename makes the entry void.
        """
        known = folders.table.marks(slots) if fence is None else unpacked(fence)
        if not known or folders.table.moved(known):
            return None
        then = dict(zip(known[::2], known[1::2], strict=True))
        if replaces:
            key = slots[_KEY]
            then[key] = folders.table.turned(key, then.get(key, folders.table.words[key]))
        return [number for one in slots for number in (one, then.get(one, folders.table.words[one]))]

    def _put(self, folders: Folders, name: bytes, head: bytes, data: bytes | memoryview) -> None:
        folders.put(folders.path(name), head, data)
        if len(self._used) >= _FLUSH:
            used, self._used = self._used, set()
            folders.touch(used)
        if folders.table.size() > self._bound:
            used, self._used = self._used, set()
            folders.touch(used)
            self._count("size", folders.shrink(int(self._bound * _LOW_WATER)))

    def _refused(self, folders: Folders | None, error: OSError) -> TierError:
        """The disk is left alone for a while, longer each time."""
        self._trouble = os.strerror(error.errno) if error.errno else str(error)
        self._again = self._clock.monotonic() + self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)
        if folders is not None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            with contextlib.suppress(OSError):
                self._count("size", folders.shrink(int(folders.table.size() * _AFTER_FULL)))
        return TierError(f"{self._root} refuses: {self._trouble}")

    def _void(self, folders: Folders, path: str, reason: str) -> None:
        # When the folder was removed and made anew by others, our table knows nothing of their entries.
        with contextlib.suppress(OSError):
            if folders.present() and folders.drop(path):
                self._count(reason)

    def _broken(self, folders: Folders, path: str, reason: str) -> None:
        self._count(reason)
        with contextlib.suppress(OSError):
            folders.quarantine(path, int(self._bound * _QUARANTINE_SHARE))

    def _count(self, reason: str, number: int = 1) -> None:
        if number:
            self._evictions[reason] = self._evictions.get(reason, 0) + number
