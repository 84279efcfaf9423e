"""Connections to one HTTP server that are kept for the next question, and one exchange over them."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult

IDLE = 16
"""Connections that are kept at most; more than that at a time are made and closed again."""
PIECE = 64 * 1024


class Dropped(Exception):
    """No answer, or not all of it: *sent* when the request may have arrived, *begun* when an answer had, *slow* when time ran out."""

    def __init__(self, message: str, *, sent: bool = False, begun: bool = False, slow: bool = False) -> None:
        super().__init__(message)
        self.sent, self.begun, self.slow = sent, begun, slow


class Reply:
    """An answer: status, headers in lower case, and its body unless that is still to be read by `pieces`."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        body: bytes = b"",
        connection: http.client.HTTPConnection | None = None,
    ) -> None:
        """*connection* is closed when the body has been read by pieces."""
        self.status, self.reason, self.body = response.status, response.reason, body
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._response, self._connection = response, connection

    def pieces(self) -> Iterator[bytes]:
        """The body, as it comes. Raises: Dropped when it ends early."""
        try:
            while piece := _read(self._response):
                yield piece
        finally:
            self._response.close()
            if self._connection is not None:
                self._connection.close()


class Connections:
    """As many as are needed at a time. May be used from any thread."""

    def __init__(
        self, parts: SplitResult, context: ssl.SSLContext | None, *, connect: float, timeout: float, idle: int = IDLE
    ) -> None:
        """*context* for TLS; *connect* and *timeout* in seconds, to reach it and for the next byte of it; so many *idle* ones are kept."""
        self._parts, self._context, self._most = parts, context, idle
        self._connect, self._timeout = connect, timeout
        self._prefix = parts.path.rstrip("/")
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._lock = threading.Lock()
        self._closed = 0  # How often: what was in use by then isn't kept.
        self._pid = os.getpid()

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], *, whole: bool = True
    ) -> Reply:
        """Ask, and read the *whole* answer, or its beginning. Raises: Dropped."""
        closed, connection = self._closed, self._taken()
        sent = begun = False
        try:
            if connection.sock is None:
                connection.connect()
                _patient(connection, self._timeout)
            sent = True
            connection.request(method, self._prefix + path, body, dict(headers))
            response = connection.getresponse()
            begun = True
            if not whole and response.status < 400:
                return Reply(response, connection=connection)
            reply = Reply(response, response.read())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            slow = isinstance(error, TimeoutError)
            waited = self._timeout if sent else self._connect
            said = f"nothing came for {waited:g} s" if slow else _said(error)
            raise Dropped(said, sent=sent, begun=begun, slow=slow) from error
        if response.isclosed() and connection.sock is not None:
            self._keep(connection, closed)
        else:
            connection.close()
        return reply

    def close(self) -> None:
        """Close those that nobody uses now, and the others as soon as nobody does."""
        with self._lock:
            self._closed += 1
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def _taken(self) -> http.client.HTTPConnection:
        """An idle connection that the other side has not closed, or a new one."""
        self._own()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._made()
            if connection.sock is not None and not _readable(connection.sock):
                return connection
            connection.close()

    def _made(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=self._connect, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self._connect)

    def _keep(self, connection: http.client.HTTPConnection, closed: int) -> None:
        with self._lock:
            if self._closed == closed and len(self._idle) < self._most:
                self._idle.append(connection)
                return
        connection.close()

    def _own(self) -> None:
        """In a forked child: the connections are the parent's, and whoever held the lock is not here."""
        if self._pid == os.getpid():
            return
        self._lock, self._pid = threading.Lock(), os.getpid()
        idle, self._idle = self._idle, deque()
        for connection in idle:
            if connection.sock is not None:
                # This process's copy only: closed as a TLS socket it would say goodbye for both.
                os.close(connection.sock.detach())


def _patient(connection: http.client.HTTPConnection, seconds: float) -> None:
    """Wait so long for every byte from now on."""
    if connection.sock is not None:
        connection.sock.settimeout(seconds)


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        piece = response.read(PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise Dropped(_said(error), sent=True, begun=True) from error
    # A body with a length that ends early is no error to http.client when it is read in pieces.
    missing: int | None = response.length
    if not piece and missing:
        raise Dropped(f"{missing:,} bytes are missing", sent=True, begun=True)
    return piece


def _readable(sock: socket.socket) -> bool:
    """Whether something came that nobody asked for: the end of the connection."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _said(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"{error.expected or 0:,} bytes are missing"
    return str(error) or type(error).__name__
