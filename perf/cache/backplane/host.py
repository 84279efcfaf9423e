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
from collections.abc import Iterator
from contextlib import contextmanager
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

    def __init__(self, path: Path, *, capacity: int = CAPACITY) -> None:
        self._path = path
        self._wanted = capacity
        self._owed = False
        self.errors = 0
        self._own_process()
        self._attach()
        self._tail = self._seen = self._words[HEAD]

    def announce(self, said: Said) -> None:
        """Tell the others; what can't be told now is told later, as "everything"."""
        if self._pid != os.getpid():
            self._own_process()
        try:
            with self._lock, self._writing():
                self._append(_EVERYTHING if self._owed else said.names)
                self._owed = False
        except OSError as error:
            self._failed(error)

    def changed(self) -> bool:
        """Whether the ring has grown since `heard`."""
        return self._head[0] != self._seen

    def heard(self) -> list[Said] | None:
        """What the others announced since the last call; None when the ring came around, or doesn't fit together."""
        if self._pid != os.getpid():
            self._own_process()
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
        """Nothing to do: the mapping goes with the object, and whoever asks until then is answered."""

    def _own_process(self) -> None:
        # A child has its parent's name, and maybe a lock that nobody will release.
        self._lock = threading.RLock()
        self._name = os.urandom(8)
        self._pid = os.getpid()

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
            self._identity = _identity(file)
            self._map = memoryview(mmap.mmap(file, START + self._capacity))
            self._words = self._map[:START].cast("Q")
            self._head = self._words[HEAD : HEAD + 1]
        finally:
            # The map keeps a copy of the descriptor open, and with it the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The lock of the file. It is opened anew each time: a lock belongs to an open file, which a fork would share."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _identity(file) != self._identity:
                self._attach()  # Deleted and made anew: whatever was said in between is lost on us.
                self._tail = self._seen = -1
            _locked(file)
            yield
        finally:
            os.close(file)

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


def _identity(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino


def _make(file: int, capacity: int) -> None:
    """An empty ring. Readers of an older one miss something: the new one begins at a place that no other has."""
    os.ftruncate(file, START + capacity)
    # Written, not left sparse: a mapped page without space on the disk kills the process.
    os.pwrite(file, bytes(START + capacity), 0)
    begin = int.from_bytes(os.urandom(6), "little")
    os.pwrite(file, struct.pack("<8sQ48xQQ", MAGIC, capacity, begin, begin), 0)


def _locked(file: int) -> None:
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
