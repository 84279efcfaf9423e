"""Who may load a key, among the processes that share a folder. The kernel frees the lock of a process that dies; a frozen one has it
until its lease is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from pathlib import Path

import xxhash

from perf.ports import Clock

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_SET = fcntl.F_OFD_SETLK if sys.platform == "linux" else None
"""Locks of an open file, not of a process: two caches of one process exclude each other, too. Elsewhere its structure differs."""
_LOCK = struct.Struct("hhqqi")
"""``struct flock`` of Linux: type, whence, start, length, pid."""
_END = struct.Struct("d")
_SLOTS = 4096
_KEYS = 2**62
_DOUBT_SECONDS = 1.0
_NO_LEASE = b""


class Leases:
    """Locks in the file *path*: each key is one byte far beyond its end, which takes no space. Where the system locks only whole
    files (macOS; *striped*), there are up to 4,096 of them, and keys that share one take turns. Raises: OSError.
    """

    def __init__(self, path: Path, clock: Clock, *, striped: bool = _SET is None) -> None:
        self._path = path
        self._clock = clock
        self._striped = striped
        self._seen: dict[int, tuple[float, float]] = {}
        self._held: dict[bytes, tuple[int, int]] = {}

    def lock(self, key: str, lease: float) -> bytes | None:
        """A token when the caller may load *key*, None while another does. Empty when that one had it for longer than its lease: then
        everybody may.
        """
        at = xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass")) % _KEYS
        if self._striped and any(at != held and at % _SLOTS == held % _SLOTS for _, held in [*self._held.values()]):
            return _NO_LEASE  # Its factory may be what asks for this key: it would wait for itself.
        fd = os.open(f"{self._path}-{at % _SLOTS:03x}" if self._striped else self._path, _OPEN, 0o600)
        try:
            self._set(fd, at, fcntl.F_WRLCK)
        except BlockingIOError:
            try:
                return _NO_LEASE if self._over(at, self._end(fd, at)) else None
            finally:
                os.close(fd)
        except OSError:
            os.close(fd)
            raise
        # Keys that share a slot share the later end: somebody may wait longer for one who is frozen, no more.
        with contextlib.suppress(OSError):  # The disk is full: whoever waits does without.
            os.pwrite(fd, _END.pack(self._clock.monotonic() + lease), self._slot(at))
        token = os.urandom(8)
        self._held[token] = fd, at
        return token

    def unlock(self, token: bytes) -> None:
        """Let the next one load."""
        held = self._held.pop(token, None)
        if held is not None:
            fd, at = held
            try:
                # Not left to close: a child that was forked meanwhile has it open, too.
                self._set(fd, at, fcntl.F_UNLCK)
            finally:
                os.close(fd)

    def _over(self, at: int, end: float) -> bool:
        """Whether the lease that ends at *end* is over. Not at the first look: who got the lock just now has still to note its end."""
        now = self._clock.monotonic()
        if now < end:
            return False
        seen, since = self._seen.get(at, (None, now))
        if seen != end:
            since = now
            if len(self._seen) >= _SLOTS:
                self._seen.clear()
            self._seen[at] = end, since
        return now - since >= _DOUBT_SECONDS

    def _set(self, fd: int, at: int, kind: int) -> None:
        """Lock or unlock without waiting. Raises: BlockingIOError while another has it."""
        if self._striped or _SET is None:
            fcntl.flock(fd, fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.fcntl(fd, _SET, _LOCK.pack(kind, os.SEEK_SET, at + _SLOTS * _END.size, 1, 0))

    def _slot(self, at: int) -> int:
        return 0 if self._striped else at % _SLOTS * _END.size

    def _end(self, fd: int, at: int) -> float:
        found = os.pread(fd, _END.size, self._slot(at))
        return float(_END.unpack(found)[0]) if len(found) == _END.size else 0.0
