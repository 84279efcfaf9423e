"""HTTP to the owner of a store: connections that are kept, a token, TLS, retries where they are safe, and errors that name the address.

No proxy of the environment is asked: it must not see the token.
"""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from perf.decoding import from_json
from perf.errors import OwnerAway, OwnerError, QueryError
from perf.ports import Clock
from perf.wire.away import Presence
from perf.wire.connections import IDLE, Connections, Dropped, Reply
from perf.wire.protocol import HEADER, JSON, VERSION

RETRY_PAUSE = 0.05
"""Seconds before the first retry, on average; then twice as long each time."""
_AGAIN = frozenset({502, 503, 504})
_ABSENT = frozenset({502, 504})
"""What a proxy says when the owner behind it does not answer."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How an owner is asked: *timeout* seconds for a connection's next byte, *connect* seconds for the connection, *retries* of what
    changes nothing, *ca_file* with the certificates that may vouch for it (empty: the system's), and *idle* connections are kept.
    """

    timeout: float = 30.0
    connect: float = 5.0
    retries: int = 2
    ca_file: str = ""
    idle: int = IDLE


class Problem(msgspec.Struct, frozen=True):
    """What is read of a problem+json body; *kind* is the error that the owner's store raised."""

    detail: str = ""
    query: str = ""
    position: int = 0
    kind: str = ""


class Refused(OwnerError):
    """The owner answered *reply*, and would not; *problem* says why."""

    def __init__(self, message: str, *, reply: Reply, problem: Problem) -> None:
        super().__init__(message)
        self.reply, self.problem = reply, problem


class Link:
    """The owner at one address. May be used from any thread; a forked child makes connections of its own."""

    def __init__(self, url: str, clock: Clock, *, token: str = "", terms: Terms | None = None) -> None:
        """*url* may have a path in front of ``/api``. Raises: OwnerError when it isn't http(s), or its certificates can't be read."""
        self._parts = parts(url)
        self.url = url.rstrip("/")
        self._terms = terms or Terms()
        self._clock = clock
        self._presence = Presence(clock)
        self._headers = {"user-agent": "perf", HEADER: str(VERSION)}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        context = _context(self._terms.ca_file) if self._parts.scheme == "https" else None
        self._connections = Connections(
            self._parts, context, connect=self._terms.connect, timeout=self._terms.timeout, idle=self._terms.idle
        )
        self._pause = threading.Event()

    @property
    def place(self) -> str:
        """Host and port."""
        return self._parts.netloc.rpartition("@")[2]

    @property
    def local(self) -> bool:
        """Whether the owner is on this machine, as its address tells: what is sent there isn't worth compressing."""
        return self._parts.hostname in ("127.0.0.1", "::1", "localhost")

    def absence(self) -> str:
        """Why nobody answers, with the address; empty while somebody does, as far as the newest try tells."""
        found = self._presence.absence
        return "" if found is None else found.reason

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        safe: bool = True,
    ) -> Reply:
        """The whole answer to *path* (below the address). What is *safe* to do twice is tried again when its answer is lost.

        Raises: OwnerAway at once while the owner is known not to answer, and when it doesn't now; Refused, QueryError.
        """
        absence = self._presence.kept_away()
        if absence is not None:
            raise OwnerAway(absence.reason)
        trying = self._presence.absence is not None
        for left in range(0 if trying else self._terms.retries, -1, -1):
            try:
                reply = self._connections.exchange(method, path, body, {**self._headers, **(headers or {})})
            except Dropped as error:
                if not (left and (safe or not error.sent)) or error.slow:
                    raise self._gone(error) from error
            else:
                if not (left and safe and reply.status in _AGAIN):
                    return self._judged(path, reply)
            self._pause.wait(RETRY_PAUSE * 2 ** (self._terms.retries - left) * random.uniform(0.5, 1.5))
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def opened(self, path: str) -> Reply:
        """The answer to ``GET`` *path*, of which `Reply.pieces` reads the body. Raises: as `ask`."""
        try:
            reply = self._connections.exchange("GET", path, None, self._headers, whole=False)
        except Dropped as error:
            raise self._gone(error) from error
        return self._judged(path, reply)

    def forked(self) -> None:
        """In a child: go on without the threads that were asking."""
        self._presence.forked()

    def close(self) -> None:
        """Let go of idle connections; a later question makes another."""
        self._connections.close()

    def _gone(self, error: Dropped) -> OwnerAway:
        said = f"{self.url} broke off: {error}" if error.begun else f"no answer from {self.place}: {error}"
        self._presence.failed(said)
        return OwnerAway(said)

    def _judged(self, path: str, reply: Reply) -> Reply:
        if reply.status in _ABSENT:
            raise self._gone(Dropped(f"{reply.status} {reply.reason}"))
        self._presence.answered()
        if 200 <= reply.status < 300:
            return reply
        raise refusal(self.url + path, reply)


def parts(url: str) -> SplitResult:
    """*url* taken apart. Raises: OwnerError when it isn't the address of an HTTP server."""
    try:
        found = urlsplit(url)
        port_is_one = found.port is None or found.port >= 0
    except ValueError as error:
        raise OwnerError(f"not an HTTP address: {url}: {error}") from error
    if found.scheme not in ("http", "https") or not found.hostname or not port_is_one:
        raise OwnerError(f"not an HTTP address: {url}")
    return found


def refusal(url: str, reply: Reply) -> QueryError | Refused:
    """What *reply*, which is no success, means."""
    try:
        problem = from_json(reply.body, Problem)
    except msgspec.DecodeError:
        problem = Problem()
    if reply.status == 400 and problem.detail and problem.kind in ("", "QueryError"):
        return QueryError(problem.detail, text=problem.query, position=problem.position)
    said = problem.detail or f"{url.partition('?')[0]} answered {reply.status} {reply.reason}"
    return Refused(said, reply=reply, problem=problem)


def as_json(value: object) -> tuple[bytes, dict[str, str]]:
    """*value* as the body of a request, and the headers that say so. Raises: QueryError for text that isn't Unicode."""
    try:
        return msgspec.json.encode(value), {"content-type": JSON}
    except UnicodeEncodeError as error:
        raise QueryError(f"a question holds text that can't be written: {error}") from error


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise OwnerError(f"the certificates in {ca_file} can't be used: {error}") from error
