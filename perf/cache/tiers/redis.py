"""The tier in Redis: opaque bytes under the server's own clock, one round trip an operation, invalidated by forgetting marks.

Each tag and each namespace has a mark, 8 random bytes. An entry keeps the marks of when it was written, and holds while they are
the present ones; to invalidate is to delete a mark. A mark that expired or was evicted invalidates too, and never comes back.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence

import msgspec

from perf.cache.tiers.server import Server, script
from perf.cache.tiers.wire import Reply
from perf.errors import TierError
from perf.model import Held, TierUsage

LONGEST_LOAD = 3_600_000
"""Milliseconds for which a fence holds: what loads longer is not stored."""
LONGEST = 30 * 86_400_000
"""Milliseconds that anything is held without being written again, also what holds for ever."""
FOR_EVER = -1
MARK = 8

_HEAD = struct.Struct(">8sqI")
_GAP = struct.Struct(">q")
_marks = msgspec.msgpack.Decoder(dict[str, bytes])


class RedisTier:
    """Entries in the Redis at *url*, under keys that begin with *prefix*.

    For a cache it stands behind a `Guarded`, which says later what couldn't be said: alone, an invalidation that fails is lost.
    *timeout* (seconds) is for a whole operation, connecting included. In a cluster *prefix* needs a hash tag: ``{perf}``.
    Raises: TierError from every method, with the kinds of `perf.cache.tiers.wire`.
    """

    name = "redis"

    def __init__(self, url: str = "redis://127.0.0.1:6379/0", *, prefix: str = "perf", timeout: float = 0.25) -> None:
        self._server = Server(url, timeout)
        self._prefix = prefix.encode() + b":"
        self._check = script("check")
        self._evictions = {"invalidated": 0, "corrupt": 0}
        self._state = ""

    def read(self, key: str) -> Held | None:
        """What is held under *key*, with the time it has left by the server's clock."""
        entry = self._entry(key)
        for _ in range(2):  # Once more when it was replaced between the two commands of a packet.
            checked, found = self._server.run(self._check, [entry], self._prefix, after=(b"GET", entry))
            if checked is None or found is None:
                return None
            if not isinstance(checked, list) or not isinstance(found, (bytes, memoryview)) or len(found) < _HEAD.size:
                break
            nonce, gap, size = _HEAD.unpack_from(found)
            if nonce == checked[0]:
                return _held(found[size:], gap, checked[1])
        self._evictions["corrupt"] += 1
        return None

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        """Hold it; False when a mark moved since *fence*, when nothing of it is left to hold, or when Redis is full."""
        left = LONGEST if math.isinf(held.stale) else min(int(held.stale * 1000), LONGEST)
        if left <= 0:
            return False
        seen = _unsealed(fence)
        if seen is None:
            return False
        gap = FOR_EVER if math.isinf(held.fresh) else max(int((held.stale - held.fresh) * 1000), 0)
        keys = [self._entry(key)]
        arguments = [b"%d" % left, os.urandom(MARK), _GAP.pack(gap), held.data, b"%d" % replaces]
        for name in ("*", f"k:{key}", *(f"t:{tag}" for tag in dict.fromkeys(tags))):
            keys.append(self._prefix + name.encode())
            arguments += (seen.get(name, b""), os.urandom(MARK), name[2:].encode())
        try:
            stored = self._server.run(script("write"), keys, *arguments)[0]
        except TierError as error:
            if error.kind != "full":
                raise
            self._state = "full"  # What it holds is as good as ever: no reason to rest.
            return False
        self._state = ""
        return stored == 1

    def fence(self, names: Sequence[str]) -> bytes:
        """The marks of *names* and of the namespace; a write more than an hour later is refused."""
        wanted = ["*", *names]
        fresh = [os.urandom(MARK) for _ in wanted]
        keys = [self._prefix + name.encode() for name in wanted]
        found = self._server.run(script("fence"), keys, b"%d" % LONGEST_LOAD, *fresh)[0]
        return msgspec.msgpack.encode(dict(zip(wanted, found if isinstance(found, list) else [], strict=True)))

    def invalidate(self, names: Sequence[str]) -> None:
        """Forget the marks of *names*, and drop the entries of those that are keys."""
        gone = [self._prefix + name.encode() for name in names]
        gone += [self._entry(name[2:]) for name in names if name.startswith("k:")]
        if gone:
            self._server.ask((b"UNLINK", *gone))

    def clear(self) -> None:
        """Forget the namespace's mark: what has it is gone, and its memory is given back as it expires."""
        self._server.ask((b"UNLINK", self._prefix + b"*"))

    def lock(self, key: str, lease: float) -> bytes | None:
        """A token when the caller may load *key* for *lease* seconds, None while another does. Take the fence after it."""
        token = os.urandom(16)
        keys = [self._prefix + b"l:" + key.encode(), self._prefix + b"k:" + key.encode()]
        times = b"%d" % max(int(lease * 1000), 1), b"%d" % LONGEST_LOAD
        got = self._server.run(script("lock"), keys, token, times[0], os.urandom(MARK), times[1])[0]
        return token if got == 1 else None

    def unlock(self, key: str, token: bytes) -> None:
        """Give the lease back; another's is left alone."""
        self._server.run(script("unlock"), [self._prefix + b"l:" + key.encode()], token)

    def usage(self) -> TierUsage:
        """Of the whole database and server: Redis counts nothing by prefix."""
        entries, text = self._server.ask((b"DBSIZE",), (b"INFO",))
        told = dict(line.split(":", 1) for line in _text(text).splitlines() if ":" in line)
        return TierUsage(
            name=self.name,
            entries=entries if isinstance(entries, int) else 0,
            bytes=int(told.get("used_memory", 0)),
            bound=int(told.get("maxmemory", 0)),
            evictions={
                **self._evictions,
                "size": int(told.get("evicted_keys", 0)),
                "expired": int(told.get("expired_keys", 0)),
            },
            state=self._state or ("read-only: a replica" if told.get("role") == "slave" else ""),
        )

    def close(self) -> None:
        """Hang up."""
        self._server.close()

    def _entry(self, key: str) -> bytes:
        return self._prefix + b"e:" + key.encode()


def _held(data: bytes | memoryview, gap: int, left: Reply) -> Held:
    if gap == FOR_EVER or not isinstance(left, int) or left < 0:
        return Held(data, math.inf, math.inf)
    return Held(data, (left - gap) / 1000, left / 1000)


def _unsealed(fence: bytes | None) -> dict[str, bytes] | None:
    if fence is None:
        return {}
    try:
        return _marks.decode(fence)
    except msgspec.DecodeError:
        return None  # Of nobody, or taken while Redis was away: what it guards may be old.


def _text(reply: Reply) -> str:
    return str(reply, "utf-8", "replace") if isinstance(reply, (bytes, memoryview)) else ""
