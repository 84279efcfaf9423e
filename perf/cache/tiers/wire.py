"""Redis commands over redis-py's connections, with replies read by ourselves: one deadline for a whole exchange.

redis-py connects (TLS, sockets, passwords, databases). Its reader takes 8 times as long as the bare socket for 1 MB, and its
timeout counts each packet anew, so that a server which trickles holds a caller for ever.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import cast

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import RedisError as ClientError
from redis.exceptions import TimeoutError as ClientTimeoutError
from redis.retry import Retry

from perf.errors import TierError

KINDS = {
    "LOADING": "loading",
    "READONLY": "readonly",
    "OOM": "full",
    "NOAUTH": "denied",
    "WRONGPASS": "denied",
    "NOPERM": "denied",
    "BUSY": "busy",
    "MISCONF": "misconfigured",
    "NOSCRIPT": "noscript",
}
CHUNK = 65_536
LARGEST = 2**29
"""Bytes of a value, as far as Redis itself goes: what says it is larger is no reply."""
ROOMS, LARGEST_ROOM = 2, 2**22
"""How much memory is kept for large values: pieces, and bytes of each."""
_NEARLY = 0.9
"""Of the time that was left when the socket was told: how much too long it may wait."""
IDLE = 16
"""Connections kept open between exchanges; a burst may have more."""


class Refusal:
    """An error reply."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def error(self) -> TierError:
        """It as an exception."""
        word = self.text.split(" ", 1)[0]
        return TierError(f"Redis: {self.text[:200]}", kind=KINDS.get(word, "error"))


Command = Sequence[bytes | memoryview]
Reply = bytes | memoryview | int | None | list["Reply"] | Refusal
"""A status such as ``OK`` is bytes; a value that came in several packets is a view of where they were put."""


def packed(*commands: Command) -> bytes:
    """*commands* as they go over the wire."""
    parts: list[bytes | memoryview] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for part in command:
            parts += (b"$%d\r\n" % len(part), part, b"\r\n")
    return b"".join(parts)


class Room:
    """Memory for values that come in several packets, used again as soon as nobody looks at it any more.

    Fresh memory for 1 MB, joined from pieces and then cut, made a hit four times as slow: the system clears each page anew.
    """

    def __init__(self) -> None:
        self._kept: deque[bytearray] = deque(maxlen=ROOMS)

    def take(self, size: int) -> memoryview:
        """*size* bytes for the caller, and for whoever gets a part of them."""
        try:
            found = self._kept.popleft()
        except IndexError:
            found = bytearray()
        # One that is much larger would be held as a whole by a frame that needs little of it.
        if not (size <= len(found) <= 2 * size and _unseen(found)):
            found = bytearray(size)
        view = memoryview(found)[:size]
        if size <= LARGEST_ROOM:
            self._kept.append(found)  # With a view, so that nobody else takes it until that is gone.
        return view


class Link:
    """One connection, used by one thread at a time. Raises: TierError; after any error it is closed and of no more use."""

    def __init__(self, connection: AbstractConnection, timeout: float, room: Room) -> None:
        self.pid = os.getpid()
        self._room = room
        self._connection = connection
        self._buffer = b""
        self._at = 0
        self._deadline = perf_counter() + timeout
        self._set = timeout
        try:
            connection.connect_check_health(check_health=False)
        except (ClientError, OSError) as error:
            raise _explained(error) from error
        self._sock = cast(socket.socket, connection._sock)  # noqa: SLF001 - redis-py offers only its own reader.

    def exchange(self, data: bytes, replies: int, timeout: float) -> list[Reply]:
        """Send *data*; the next *replies* replies, if they come within *timeout* seconds."""
        try:
            self._deadline = perf_counter() + timeout
            self._sock.settimeout(timeout)
            self._set = timeout
            self._sock.sendall(data)
            return [self._reply() for _ in range(replies)]
        except BaseException as error:  # Also an interrupt: a reply that nobody read would answer the next question.
            self.close()
            if isinstance(error, (OSError, ValueError)):
                raise _explained(error) from error
            raise

    def receive(self, timeout: float) -> Reply | None:
        """The next message; None, and still of use, when nothing at all came within *timeout* seconds."""
        if self._at >= len(self._buffer):
            self._sock.settimeout(timeout)
            try:
                self._buffer, self._at = self._sock.recv(CHUNK) or _closed(), 0
            except TimeoutError:
                return None
            except OSError as error:
                self.close()
                raise _explained(error) from error
        return self.exchange(b"", 1, timeout)[0]

    def close(self) -> None:
        """Hang up."""
        self._connection.disconnect()  # type: ignore[no-untyped-call]  # redis-py's

    def interrupt(self) -> None:
        """From another thread: whoever waits in `receive` learns that the connection is closed."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _reply(self) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Refusal(rest.decode("utf-8", "replace"))
        raise ValueError(f"not a reply of Redis: {line[:40]!r}")

    def _line(self) -> bytes:
        end = self._buffer.find(b"\r\n", self._at)
        while end < 0:
            self._buffer = self._buffer[self._at :] + self._more()
            self._at = 0
            end = self._buffer.find(b"\r\n")
        line = self._buffer[self._at : end]
        self._at = end + 2
        return line

    def _bulk(self, size: int) -> bytes | memoryview | None:
        if size < 0:
            return None
        if size > LARGEST:
            raise ValueError(f"a value of {size} bytes")
        at, end = self._at, self._at + size
        if end + 2 <= len(self._buffer):
            self._at = end + 2
            return self._buffer[at:end]
        whole = self._room.take(size + 2)
        have = len(self._buffer) - at
        whole[:have] = memoryview(self._buffer)[at:]
        self._buffer, self._at = b"", 0
        while have < len(whole):
            self._wait()
            have += self._sock.recv_into(whole[have : have + CHUNK]) or len(_closed())
        return whole[:size]

    def _more(self) -> bytes:
        self._wait()
        return self._sock.recv(CHUNK) or _closed()

    def _wait(self) -> None:
        """Let the next packet take the time that is left."""
        left = self._deadline - perf_counter()
        if left <= 0:
            raise TimeoutError("timed out")
        if left < _NEARLY * self._set:  # Each time costs a system call.
            self._sock.settimeout(left)
            self._set = left


class Links:
    """Connections to one server. May be used from any thread, and after a fork."""

    def __init__(self, url: str, timeout: float) -> None:
        options = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py's
        kind: type[AbstractConnection] = options.pop("connection_class", Connection)
        self._kind = kind
        self._options = {
            **options,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,  # Two round trips less to connect.
        }
        self._timeout = timeout
        self._idle: deque[Link] = deque()
        self._room = Room()

    def link(self) -> Link:
        """A new connection, for the caller alone. Raises: TierError."""
        return Link(self._kind(**self._options), self._timeout, self._room)

    def ask(self, data: bytes, replies: int) -> list[Reply]:
        """Exchange *data* for *replies* replies on any connection. Raises: TierError."""
        began = perf_counter()
        while (link := self._rested()) is not None:
            try:
                answer = link.exchange(data, replies, self._timeout)
            except TierError as error:
                # The server may have closed it long ago, and then all that rest are as dead; one that is slow is slow anew.
                if error.kind != "closed":
                    raise
                self.drop()
                continue
            return self._kept(link, answer)
        link = self.link()
        left = self._timeout - (perf_counter() - began)
        return self._kept(link, link.exchange(data, replies, max(left, 0.001)))

    def drop(self) -> None:
        """Close those that rest."""
        while (link := self._rested()) is not None:
            link.close()

    def _rested(self) -> Link | None:
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return None
            if link.pid == os.getpid():
                return link
            # Of the parent, which goes on using it: forgotten, not closed.

    def _kept(self, link: Link, answer: list[Reply]) -> list[Reply]:
        if len(self._idle) < IDLE:
            self._idle.append(link)
        else:
            link.close()
        return answer


def _unseen(room: bytearray) -> bool:
    """Whether there is no view of it: then, and only then, Python lets it change its size."""
    try:
        room.pop()
    except BufferError:
        return False
    room.append(0)
    return True


def _closed() -> bytes:
    raise ConnectionResetError("the server closed the connection")


def _explained(error: Exception) -> TierError:
    if isinstance(error, (TimeoutError, ClientTimeoutError)):
        return TierError(f"Redis: no answer in time ({error})", kind="timeout")
    if isinstance(error, (AuthenticationError, ResponseError)):
        return TierError(f"Redis: {error}", kind=KINDS.get(str(error).split(" ", 1)[0], "denied"))
    if isinstance(error, ValueError):
        return TierError(f"Redis: {error}", kind="protocol")
    refused = isinstance(error.__cause__ or error.__context__, ConnectionRefusedError)
    return TierError(f"Redis: {error}", kind="refused" if refused else "closed")
