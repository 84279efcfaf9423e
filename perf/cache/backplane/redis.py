"""The backplane across hosts: Redis pub/sub, whose lost messages are noticed by their numbers.

Messages are numbered by the server. A number that isn't the next one, a connection made anew and a message that can't be read all
mean that something was missed. While the connection is cut, caches don't hear each other; once it is back, they forget everything.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque

import msgspec

from perf.cache.breaker import Breaker
from perf.cache.recovery import Recovery
from perf.cache.tiers.server import Server, script
from perf.cache.tiers.wire import Link, Reply, packed
from perf.errors import TierError
from perf.model import Said
from perf.ports import Clock

HEARTBEAT = 1.0
"""Seconds of silence after which the server is asked whether it is there; after as many again it isn't."""
BACKLOG = 10_000
"""Announcements that wait for `heard`; with more, everything is forgotten."""
SHORTEST, LONGEST = 0.05, 1.0
"""Seconds between attempts to connect: twice as long each time."""
THREAD = "perf-cache-backplane"

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(tuple[str, ...])


class RedisBackplane:
    """Caches whose backplane has the same *url* and *prefix*; listens on a thread from the first question on.

    *timeout* (seconds) bounds `announce`; what couldn't be sent is sent by the thread. May be used from any thread, and after a fork.
    """

    _thread: threading.Thread | None
    _link: Link | None
    _missed: bool
    _news: bool

    def __init__(self, url: str, *, clock: Clock, prefix: str = "perf", timeout: float = 0.25) -> None:
        self._server = Server(url, timeout)
        self._timeout = timeout
        self._clock = clock
        self._channel = prefix.encode() + b":said"
        self._counter = prefix.encode() + b":saids"
        self._stop = threading.Event()
        self.gaps = 0
        self.errors = 0
        self._own_process()
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forked(mine()))

    def announce(self, said: Said) -> None:
        """Tell the others; what can't be told now is told once the server is back."""
        if not self._send(said.names):
            self._owed.add(said.names)

    def changed(self) -> bool:
        """Whether `heard` has something to say."""
        return self._news

    def heard(self) -> list[Said] | None:
        """What the others announced since the last call; None after a gap, and at the first call, which begins to listen."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
                self._thread.start()
            said, missed = list(self._said), self._missed
            self._said.clear()
            self._news = self._missed = False
        return None if missed else said

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        link = self._link
        if link is not None:
            link.interrupt()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)
        self._server.close()

    @property
    def connected(self) -> bool:
        """Whether it hears the others."""
        return self._connected

    def _own_process(self) -> None:
        """A child has neither its parent's thread nor its connection, and heard nothing yet."""
        self._lock = threading.Lock()
        self._name = os.urandom(8)
        self._said: deque[Said] = deque()
        self._owed = Recovery()
        self._breaker = Breaker(self._clock)
        self._thread = None
        self._link = None
        self._connected = False
        self._news = self._missed = True

    def _send(self, names: tuple[str, ...]) -> bool:
        if not self._breaker.allows():
            return False
        try:
            self._server.run(script("publish"), [self._counter], self._channel, self._name + _encode(names))
        except TierError as error:
            self._breaker.failed(at_once=error.kind == "timeout")
            self._failed(error)
            return False
        self._breaker.worked()
        return True

    def _run(self) -> None:
        wait = SHORTEST
        while not self._stop.is_set():
            try:
                self._listen()
                wait = SHORTEST
            except TierError as error:
                wait = SHORTEST if self._connected else min(wait * 2, LONGEST)
                self._failed(error)
            except Exception:  # noqa: BLE001 - a thread's loop.
                self.errors += 1
                _log.exception("%s failed", THREAD)
            self._connected = False
            self._stop.wait(wait)

    def _listen(self) -> None:
        """One connection, until it ends."""
        self._link = link = self._server.links.link()
        try:
            link.exchange(packed((b"SUBSCRIBE", self._channel)), 1, self._timeout)
            self._gap()
            self._connected = True
            last: int | None = None
            silent = False
            while not self._stop.is_set():
                self._settle()
                message = link.receive(HEARTBEAT)
                if message is not None:
                    last, silent = self._take(message, last), False
                elif silent:
                    raise TierError("Redis: the backplane's connection is dead", kind="timeout")
                else:
                    silent = True
                    link.exchange(packed((b"PING",)), 0, self._timeout)
        finally:
            link.close()

    def _settle(self) -> None:
        """Send what couldn't be sent before."""
        if not len(self._owed):
            return
        names = self._owed.take()
        if not self._send(names):
            self._owed.add(names)
        self._owed.done()

    def _take(self, message: Reply, last: int | None) -> int | None:
        """Keep *message*, the one after number *last*; its number."""
        if not isinstance(message, list) or message[0] != b"message" or not isinstance(message[2], bytes):
            return last  # The answer to a PING.
        number, _, body = message[2].partition(b" ")
        try:
            now, names = int(number), _decoder.decode(body[8:])
        except ValueError:  # msgspec's errors are ValueErrors.
            self._gap()
            return None
        if last is not None and now != last + 1:
            self._gap()
        if body[:8] != self._name:
            with self._lock:
                self._said.append(Said(names))
                self._news = True
            if len(self._said) > BACKLOG:
                self._gap()
        return now

    def _gap(self) -> None:
        self.gaps += 1
        with self._lock:
            self._said.clear()
            self._missed = self._news = True

    def _failed(self, error: TierError) -> None:
        if self._stop.is_set():
            return
        if not self.errors:
            _log.warning("backplane: %s; trying again (said once)", error)
        self.errors += 1


def _forked(backplane: RedisBackplane | None) -> None:
    if backplane is not None:
        backplane._own_process()  # noqa: SLF001 - of this module.
