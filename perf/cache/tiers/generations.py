"""The table beside the files of a cache, shared by processes through memory: generations of keys and tags, and bytes per folder.

A generation is a random number, not a count: moving it is one store, right without a lock whoever else moves it.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import xxhash

FOLDERS = 256
_SLOTS = 1 << 16
_MAGIC = 0x31_46_43_66_72_65_70  # "perfCF1"
_HEAD = 8
"""Words before the folders' bytes; the first says what this is, the second is the generation of everything."""
_SIZES = _HEAD
_COUNTS = _SIZES + FOLDERS
_FIRST = _COUNTS + FOLDERS
_WORDS = _FIRST + _SLOTS
_LENGTH = 8 * _WORDS
_ALL = 1
_USUAL = 4
"""Numbers in the marks of an entry without tags."""
_NOFOLLOW = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Generations:
    """The table in *path*; made when it isn't there, and anew when it is something else.

    Names share slots by their hash: moving one may move another, which loses an entry and nothing else.
    Raises: OSError.
    """

    def __init__(self, path: Path) -> None:
        fd = _opened(path)
        try:
            self._map = mmap.mmap(fd, _LENGTH)
        finally:
            os.close(fd)
        self.words = memoryview(self._map).cast("Q")
        self._halves = memoryview(self._map).cast("I")

    def slots(self, names: Iterable[str]) -> list[int]:
        """Where the generations of everything, and of each of *names*, are."""
        return [_ALL, *(slot(name) for name in names)]

    def marks(self, slots: Iterable[int]) -> list[int]:
        """Each slot and its present generation, one after the other."""
        words = self.words
        return [number for one in slots for number in (one, words[one])]

    def moved(self, marks: Sequence[int]) -> bool:
        """Whether any generation in *marks* is no longer the present one, or they are no marks at all."""
        words = self.words
        try:
            # Most entries have two pairs: written out, the loop costs three times as much.
            if words[marks[0]] != marks[1] or words[marks[2]] != marks[3]:
                return True
            if len(marks) == _USUAL:
                return False
            return any(words[marks[at]] != marks[at + 1] for at in range(4, len(marks), 2))
        except IndexError:
            return True

    def move(self, slots: Iterable[int]) -> None:
        """Make all that was marked before void."""
        for one in slots:
            self.words[one] = _new()

    def turned(self, slot: int, mark: int) -> int:
        """*mark*, the generation of *slot* as it was seen, moved so that it shows whether it was still the present one: the mark
        that is returned is the present one only if nobody else moved it since. For this only half of the word is stored.
        """
        half = os.urandom(4)
        self._halves[2 * slot + 1] = int.from_bytes(half, sys.byteorder)
        return int.from_bytes(mark.to_bytes(8, sys.byteorder)[:4] + half, sys.byteorder)

    def add(self, folder: int, size: int, count: int) -> None:
        """Account for files of *folder* that came or, with negative numbers, went."""
        words = self.words
        words[_SIZES + folder] = max(0, words[_SIZES + folder] + size)
        words[_COUNTS + folder] = max(0, words[_COUNTS + folder] + count)

    def counted(self, folder: int, size: int, count: int) -> None:
        """Replace what is known of *folder* by what was found in it."""
        self.words[_SIZES + folder] = size
        self.words[_COUNTS + folder] = count

    def size(self) -> int:
        """Bytes in all folders."""
        return sum(self.words[_SIZES:_COUNTS])

    def count(self) -> int:
        """Files in all folders."""
        return sum(self.words[_COUNTS:_FIRST])


def slot(name: str) -> int:
    """Where the generation of *name* is."""
    return _FIRST + xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) % _SLOTS


def packed(marks: Sequence[int]) -> bytes:
    """*marks* as bytes."""
    return struct.pack(f"<{len(marks)}Q", *marks)


def unpacked(data: bytes) -> tuple[int, ...]:
    """What `packed` was given. Raises: struct.error."""
    return struct.unpack(f"<{len(data) // 8}Q", data)


def _new() -> int:
    # From the system, not from `random`: a forked child would draw the same numbers as its parent.
    return int.from_bytes(os.urandom(8), "little")


def _opened(path: Path) -> int:
    """An open table; it gets its name when it is complete, and never loses it to another process that makes one, too."""
    for _ in range(3):
        try:
            fd = os.open(path, _NOFOLLOW)
        except FileNotFoundError:
            _made(path)
            continue
        if os.fstat(fd).st_size == _LENGTH and os.pread(fd, 8, 0) == _MAGIC.to_bytes(8, "little"):
            return fd
        os.close(fd)
        path.unlink(missing_ok=True)
    raise OSError(f"{path} can't be made")


def _made(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(draft, _NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Room for all of it now: to touch a page that the disk has no room for would kill the process (SIGBUS).
        os.posix_fallocate(fd, 0, _LENGTH)
        os.pwrite(fd, struct.pack("<2Q", _MAGIC, _new()), 0)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        os.close(fd)
        draft.unlink(missing_ok=True)
