"""Sends what this process recorded: to the owner of a store, or to any OTLP collector. Never disturbs its host program.

Every second it empties the recorder into one numbered batch. What nobody takes now goes to the spool, and later from there, in
order; what is refused for good is dropped and counted with the reason.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import secrets
import socket
import threading
import weakref
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import msgspec

from perf.model import Measurement
from perf.ports import Clock
from perf.transport.client import Answer, Endpoint
from perf.transport.spool import Batch, Spool, SpoolError

INTERVAL = 1.0
DRAIN_BATCHES = 50
"""Batches sent from the spool in one turn at most, so that the recorder is emptied in time."""
SLOWEST_RETRY = 30.0
LONGEST_RETRY_AFTER = 300.0
GRACE = 5.0

_log = logging.getLogger(__name__)


class Drained(Protocol):
    """What a sender needs of `perf.record.Recorder`."""

    def drain(self, ts: float) -> list[Measurement]:
        """Everything since the last call, stamped *ts*."""


class SenderStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start, in batches; *rejected* points by the receiver, *waiting* is why nothing is sent at present."""

    sent: int
    spooled: int
    dropped: dict[str, int]
    rejected: int
    waiting: str


class Sender:
    """A loop that sends; `start` and `stop` it, or call `turn` yourself. A forked child goes on under its own name."""

    def __init__(
        self,
        recorder: Drained,
        url: str,
        spool: Spool,
        clock: Clock,
        *,
        service: str = "unknown_service",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """*url* without ``/v1/metrics``; *service* becomes the label of that name. Raises: ValueError for what isn't http(s)."""
        self._recorder = recorder
        self._spool = spool
        self._clock = clock
        self._service = service
        self._endpoint = Endpoint(url, headers or {})
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._logged = ""
        self._begin()
        _senders.add(self)

    @property
    def producer(self) -> str:
        """The name under which this process's batches are numbered."""
        return self._producer

    def start(self) -> None:
        """Begin to send, on a thread of its own."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self.run, args=(self._stop,), name="perf-sender", daemon=True)
            self._thread.start()

    def stop(self, grace: float = GRACE) -> None:
        """Send or spool what is left, within about *grace* seconds."""
        self._endpoint.timeout = min(self._endpoint.timeout, max(0.1, grace / 2))
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(grace)

    def run(self, stop: threading.Event) -> None:
        """The loop; after *stop* is set it takes one last turn."""
        while not stop.wait(INTERVAL):
            self.turn()
        self.turn()
        self.close()

    def close(self) -> None:
        """Let go of the connection and the spool; a later turn opens them again."""
        self._endpoint.close()
        self._spool.close()

    def turn(self) -> None:
        """Empty the recorder and send. Never raises: its host program has other things to do."""
        try:
            self._turn()
        except Exception as error:  # noqa: BLE001 - the edge where perf must not break its host.
            self._dropped["failed"] += 1
            if self._logged != str(error):
                self._logged = str(error)
                _log.exception("a turn of the sender failed")

    def stats(self) -> SenderStats:
        """What happened so far."""
        return SenderStats(
            sent=self._counts["sent"],
            spooled=self._counts["spooled"],
            dropped={reason: n for reason, n in self._dropped.items() if n},
            rejected=self._counts["rejected"],
            waiting=self._waiting,
        )

    def _begin(self) -> None:
        """Become a producer nobody has heard of."""
        from perf.transport.encode import (
            Deltas,
        )  # protobuf takes 30 ms to import, which a short program needn't wait for

        self._pid = os.getpid()
        self._producer = f"{socket.gethostname()}-{self._pid}-{secrets.token_hex(4)}"
        self._resource = {
            "service.name": self._service,
            "service.instance.id": self._producer,
            "host.name": socket.gethostname(),
        }
        self._seq = 0
        self._deltas = Deltas()
        self._since = self._clock.now()
        self._not_before = -1.0
        self._failures = 0
        self._waiting = ""
        self._behind = False

    def _after_fork(self) -> None:
        """In the child: no thread, no connection and no number of the parent's."""
        running, self._thread = self._thread is not None, None
        self._stop = threading.Event()
        self._counts.clear()
        self._dropped.clear()
        self._endpoint.forget()
        self._spool.renewed()
        self._begin()
        if running:
            self.start()

    def _turn(self) -> None:
        now = self._clock.now()
        measurements = self._recorder.drain(now)
        since, self._since = self._since, now
        if self._behind:
            # Another process may have sent what we left.
            with contextlib.suppress(SpoolError):
                self._behind = bool(self._spool.waiting(self._producer))
        for body in self._bodies(measurements, since):
            self._seq += 1
            self._deliver(body)
        self._drain_spool()

    def _bodies(self, measurements: list[Measurement], since: float) -> list[bytes]:
        from perf.transport.encode import requests

        wanted = list(self._deltas.increases(measurements))
        # Level 1: a third of the time of level 6 for a tenth more bytes.
        return [gzip.compress(each.SerializeToString(), 1, mtime=0) for each in requests(wanted, self._resource, since)]

    def _deliver(self, body: bytes) -> None:
        """Send one new batch, unless older ones of ours still wait: then behind them."""
        if not self._behind and self._may_send():
            answer = self._endpoint.post(body, self._producer, self._seq)
            if self._dealt_with(answer):
                return
        try:
            self._dropped["spool_full"] += self._spool.append(self._producer, self._seq, body)
            self._counts["spooled"] += 1
            self._behind = True
        except SpoolError as error:
            self._dropped["spool_failed"] += 1
            if self._logged != str(error):
                self._logged = str(error)
                _log.warning("a batch is lost: %s", error)

    def _drain_spool(self) -> None:
        """Send what waits, oldest first, until one can't be sent."""
        if not self._may_send():
            return
        try:
            for _ in range(DRAIN_BATCHES):
                batch = self._spool.oldest(self._producer) if self._spool.waiting() else None
                if batch is None or not self._dealt_with(self._post(batch)):
                    break
                self._spool.remove(batch)
            self._behind = bool(self._spool.waiting(self._producer))
        except SpoolError as error:
            _log.debug("not drained: %s", error)

    def _post(self, batch: Batch) -> Answer:
        return self._endpoint.post(batch.body, batch.producer, batch.seq)

    def _may_send(self) -> bool:
        return self._clock.monotonic() >= self._not_before

    def _dealt_with(self, answer: Answer) -> bool:
        """Whether a batch needs no other try: it was taken, or refused for good."""
        if answer.retry:
            self._failures += 1
            pause = min(2.0 ** (self._failures - 1), SLOWEST_RETRY) if answer.after is None else answer.after
            self._not_before = self._clock.monotonic() + min(pause, LONGEST_RETRY_AFTER)
            self._waiting = answer.reason
            return False
        self._failures, self._waiting = 0, ""
        if answer.reason:
            self._dropped[answer.reason] += 1
            _log.warning("the receiver refused a batch for good: %s", answer.reason)
        else:
            self._counts["sent"] += 1
            self._counts["rejected"] += answer.rejected
        return True


_senders: weakref.WeakSet[Sender] = weakref.WeakSet()


def _forked() -> None:
    for sender in list(_senders):
        with contextlib.suppress(Exception):  # A child without perf is better than no child.
            sender._after_fork()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
