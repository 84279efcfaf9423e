"""One entry as a file: checksum, header, marks, key and data. Ages survive jumps of the wall clock and restarts."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from pathlib import Path

import msgspec
from xxhash import xxh3_128, xxh3_128_digest

from perf.cache.tiers.generations import packed
from perf.ports import Clock

FIRST_READ = 4096
"""Bytes: most small entries whole, and of a large one surely the header."""

_HEAD = struct.Struct("<16s4sIIQ16sdddd")
"""Checksum of all that follows; magic and version, numbers in marks, bytes of key and of data; boot; wall and monotonic time of
writing; seconds that were left then until it is stale, and gone."""
_MAGIC = b"pCF\x01"
_SUM = 16
_MARKS_AT = _HEAD.size
_TWO = 4
_TWO_MARKS = struct.Struct("<4Q").unpack_from
_unpack = _HEAD.unpack_from
_open, _read, _close = os.open, os.read, os.close
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither a link to elsewhere nor a pipe without an end is followed or waited for."""

_LONGEST_HEAD = 1 << 21
_FUTURE = 60.0
"""Seconds that an entry of another boot may lie ahead of our wall clock before it counts as stale."""


class Moment(msgspec.Struct, frozen=True):
    """A time on both clocks; *boot* says which boot's monotonic one."""

    boot: bytes
    wall: float
    monotonic: float


class Broken(Exception):
    """The file is no entry of ours; *reason* is corrupt or foreign."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def written(key: bytes, marks: list[int], moment: Moment, left: tuple[float, float], data: bytes | memoryview) -> bytes:
    """What stands before *data*; *left* are the seconds until it is stale and gone."""
    numbers = (_MAGIC, len(marks), len(key), len(data), moment.boot, moment.wall, moment.monotonic)
    head = _HEAD.pack(bytes(_SUM), *numbers, *left)[_SUM:] + packed(marks) + key
    return _checksum(head, data) + head


def read(path: str, key: bytes, boot: bytes, clock: Clock, most: int) -> tuple[bytes, tuple[int, ...], float, float]:
    """Data and marks of the entry for *key*, and the seconds left until it is stale and gone. *most*: bytes it may have.

    Raises: OSError, FileNotFoundError among them; Broken when the file is not what `written` made for *key*.
    """
    fd = _opened(path)
    try:
        head = _read(fd, FIRST_READ)
        if len(head) < _HEAD.size:
            raise Broken("corrupt")
        total, magic, count, named, length, born, wall, monotonic, fresh, stale = _unpack(head)
        if magic != _MAGIC:
            raise Broken("foreign")
        start = _MARKS_AT + 8 * count + named
        if len(head) < FIRST_READ:
            # Here and not in a function of its own: most entries, and each step is a hundredth of a hit.
            data, checksum = head[start:], xxh3_128_digest(head[_SUM:])
        else:
            head, data, checksum = _large(fd, head, start, length, most)
    except IsADirectoryError as error:
        raise Broken("foreign") from error
    finally:
        _close(fd)
    if checksum != total or len(data) != length:
        raise Broken("corrupt")
    if head[start - named : start] != key:
        raise Broken("foreign")
    # Two marks are usual: a struct made before saves the look for it.
    marks = _TWO_MARKS(head, _MARKS_AT) if count == _TWO else struct.unpack_from(f"<{count}Q", head, _MARKS_AT)
    if born != boot:
        return data, marks, *_elsewhere(clock.now() - wall, fresh, stale)
    age = max(clock.monotonic() - monotonic, 0.0)
    return data, marks, fresh - age, stale - age


def _opened(path: str) -> int:
    try:
        return _open(path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Broken("foreign") from error
        raise


def _large(fd: int, head: bytes, start: int, length: int, most: int) -> tuple[bytes, bytes, bytes]:
    """What stands before the data (*head*, where that has all of it), the data, and their checksum."""
    if start > _LONGEST_HEAD or length > most:
        raise Broken("corrupt")
    if start > FIRST_READ:
        head = os.pread(fd, start, 0)
    data = os.pread(fd, length + 1, start)
    return head, data, _checksum(head[_SUM:start], data)


def _elsewhere(age: float, fresh: float, stale: float) -> tuple[float, float]:
    """What is left of an entry of another boot, *age* seconds old by the wall clock."""
    if age < -_FUTURE:
        return min(fresh, 0.0), stale
    return fresh - max(age, 0.0), stale - max(age, 0.0)


def boot() -> bytes:
    """What tells this boot, and this namespace of clocks, from others; random where the system doesn't say."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text() + str(Path("/proc/self/ns/time").readlink())
    except OSError:
        return os.urandom(16)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _checksum(head: bytes, data: bytes | memoryview) -> bytes:
    # In two steps: to join them would copy the data.
    running = xxh3_128(head)
    running.update(data)
    return running.digest()
