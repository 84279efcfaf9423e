"""The backplane of one host: a file that its processes map, with the newest announcements in a ring.

A writer holds a lock on the file, a reader none: it copies, then looks whether a writer came around meanwhile, and every record has
a checksum. Whatever doesn't fit together means that something was missed, so a writer killed half-way does no harm.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import struct
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from zlib import crc32

import msgspec

from perf.model import Said

CAPACITY = 262_144
"""Bytes of the ring: thousands of announcements between two questions of the slowest reader."""
MAGIC = b"perfbp1\n"
START = 128
"""Offset of the ring; before it the magic, and two words: where the ring ends, and how far its writer may have got."""
HEAD, RESERVED = 8, 9
"""Indices of the words (8 bytes each), which count the bytes ever written."""
PATIENCE = 0.05
"""Seconds for which a writer waits for another one, who needs microseconds unless it is frozen."""

_RECORD = struct.Struct("<II8s")
_EVERYTHING = ("*",)

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(tuple[str, ...])


class HostBackplane:
    """Caches whose backplane has the same *path*, a file made when missing. May be used from any thread, and after a fork.

    The file must stay where it is: processes that mapped a deleted one don't hear those that came later. Raises: OSError.
    """

    _writing: bool

    def __init__(self, path: Path, *, capacity: int = CAPACITY) -> None:
        self._path = path
        self._text = str(path)
        self._wanted = capacity
        self._owed = False
        """Whether something couldn't be told: then everything is said to be invalid, as soon as that is possible."""
        self.errors = 0
        self._locks: list[int] = []
        """The open file whose lock a writer takes, once there was one. Not the one that is mapped: a mapping keeps that open in a child."""
        weakref.finalize(self, _let_go, self._locks)
        self._own_process()
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forked(mine()))
        self._attach()
        self._tail = self._seen = self._words[HEAD]

    def announce(self, said: Said) -> None:
        """Tell the others; what can't be told now is told later, as "everything"."""
        try:
            with self._lock:
                if self._writing:  # A finalizer in the middle of this very announcement.
                    self._owed, self._seen = True, -1
                    return
                self._writing = True
                try:
                    self._write(said.names)
                finally:
                    self._writing = False
        except OSError as error:
            self._failed(error)

    def changed(self) -> bool:
        """Whether the ring has grown since `heard`."""
        return self._head[0] != self._seen

    def heard(self) -> list[Said] | None:
        """What the others announced since the last call; None when the ring came around, or doesn't fit together."""
        if self._owed:
            self.announce(Said(_EVERYTHING))
        with self._lock:
            tail, head = self._tail, self._words[HEAD]
            whole = 0 <= head - tail <= self._capacity
            data = self._copy(tail, head - tail) if whole else b""
            if self._words[RESERVED] - tail > self._capacity:
                whole = False
            self._tail = head
            self._seen = -1 if self._owed else head
            return self._records(data) if whole else None

    def close(self) -> None:
        """Let go of the file. The mapping goes with the object: whoever asks until then is answered."""
        with self._lock:
            _let_go(self._locks)

    def _own_process(self) -> None:
        """A child has its parent's name, and maybe locks that nobody will release."""
        self._lock = threading.RLock()
        self._writing = False
        self._name = os.urandom(8)
        _let_go(self._locks)

    def _attach(self) -> None:
        """Map the file, made or mended first where needed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            head = os.pread(file, 16, 0)
            size = os.fstat(file).st_size
            self._capacity = int.from_bytes(head[8:], "little")
            if head[:8] != MAGIC or size != START + self._capacity:
                self._capacity = self._wanted
                _make(file, self._capacity)
            self._identity = _identity(os.fstat(file))
            self._map = memoryview(mmap.mmap(file, START + self._capacity))
            self._words = self._map[:START].cast("Q")
            self._head = self._words[HEAD : HEAD + 1]
        finally:
            # The map keeps a copy of the descriptor open, and with it the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _opened(self) -> int:
        """The open file at the path, which is the mapped one. Raises: OSError."""
        if not self._locks:
            if not self._present():
                self._attach_anew()
            file = os.open(self._text, os.O_RDWR | os.O_CLOEXEC)
            self._locks.append(file)
            if _identity(os.fstat(file)) != self._identity:
                _let_go(self._locks)
                raise OSError(f"{self._path} is being replaced")
        return self._locks[0]

    def _attach_anew(self) -> None:
        """Map what is at the path now. Whatever was said there before is lost on us."""
        _let_go(self._locks)
        self._attach()
        self._tail = self._seen = -1

    def _present(self) -> bool:
        """Whether the file that is mapped is still the one at the path."""
        try:
            return _identity(os.stat(self._text)) == self._identity  # noqa: PTH116 - a Path costs as much as the call
        except FileNotFoundError:
            return False

    def _write(self, names: tuple[str, ...]) -> None:
        """Append *names*, to the file that is at the path when this returns. Raises: OSError."""
        for _ in range(2):
            file = self._opened()
            _take(file)
            try:
                if self._owed:  # Else it stays as it is: what is owed from here on is not in *names*.
                    self._owed, names = False, _EVERYTHING
                self._append(names)
            finally:
                # Not left to close: a child that is being forked has it open, too.
                fcntl.flock(file, fcntl.LOCK_UN)
            if self._present():  # Looked at last: who hears it needn't wait for this.
                return
            self._attach_anew()
        raise OSError(f"{self._path} is being replaced")

    def _append(self, names: tuple[str, ...]) -> None:
        payload = _encode(names)
        if _RECORD.size + len(payload) > self._capacity // 4:
            payload = _encode(_EVERYTHING)
        head = self._words[HEAD]
        record = _RECORD.pack(len(payload), crc32(self._name + payload), self._name) + payload
        end = self._words[RESERVED] = head + len(record)
        at = START + head % self._capacity
        first = min(len(record), START + self._capacity - at)
        self._map[at : at + first] = record[:first]
        self._map[START : START + len(record) - first] = record[first:]
        self._words[HEAD] = end

    def _copy(self, start: int, size: int) -> bytes:
        at = START + start % self._capacity
        first = min(size, START + self._capacity - at)
        return bytes(self._map[at : at + first]) + bytes(self._map[START : START + size - first])

    def _records(self, data: bytes) -> list[Said] | None:
        said: list[Said] = []
        at = 0
        while at < len(data):
            if at + _RECORD.size > len(data):
                return None
            length, checksum, name = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            payload = data[at : at + length]
            at += length
            if crc32(name + payload) != checksum:
                return None
            if name != self._name:
                said.append(Said(_decoder.decode(payload)))
        return said

    def _failed(self, error: OSError) -> None:
        self._owed = True
        self._seen = -1  # So that `heard` is called, which tries again.
        self.errors += 1
        if self.errors == 1:
            _log.warning("backplane %s: %s; trying again (said once)", self._path, error)


def _forked(backplane: HostBackplane | None) -> None:
    if backplane is not None:
        backplane._own_process()  # noqa: SLF001 - of this module.


def _let_go(files: list[int]) -> None:
    while files:
        os.close(files.pop())


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _make(file: int, capacity: int) -> None:
    """An empty ring. Readers of an older one miss something: the new one begins at a place that no other has."""
    os.ftruncate(file, START + capacity)
    # Written, not left sparse: a mapped page without space on the disk kills the process.
    os.pwrite(file, bytes(START + capacity), 0)
    begin = int.from_bytes(os.urandom(6), "little")
    os.pwrite(file, struct.pack("<8sQ48xQQ", MAGIC, capacity, begin, begin), 0)


def _take(file: int) -> None:
    """Its lock, when nobody holds it for longer than a writer should. Raises: BlockingIOError."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    deadline = perf_counter() + PATIENCE
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if perf_counter() > deadline:
                raise
            pause.wait(0.000_05)
        else:
            return
