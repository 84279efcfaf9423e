"""Sends what this process recorded: to the owner of a store, or to any OTLP collector. Never disturbs its host program.

Every second it empties the recorder into one numbered batch. What nobody takes now goes to the spool, and later from there, in
order; what is refused for good is dropped and counted with the reason.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import logging
import os
import secrets
import socket
import sys
import threading
import weakref
from collections import Counter
from typing import Protocol

import msgspec

from perf.model import Kind, Measurement, Metric, Sample
from perf.ports import Clock
from perf.transport.client import Answer, Endpoint
from perf.transport.deltas import Deltas
from perf.transport.spool import Spool, SpoolError

INTERVAL = 1.0
DRAIN_BATCHES = 50
"""Batches sent from the spool in one turn at most, so that the recorder is emptied in time."""
SLOWEST_RETRY = 30.0
LONGEST_RETRY_AFTER = 300.0
GRACE = 5.0
OWN_SECONDS = 10.0
"""How often the sender tells of itself."""

BATCHES = Metric(
    "perf_send_batches_total", Kind.COUNTER, "1", "Batches that a program sent, spooled or lost, by result."
)
REJECTED = Metric("perf_send_rejected_points_total", Kind.COUNTER, "1", "Points that a program sent and nobody stored.")

_log = logging.getLogger(__name__)


class Drained(Protocol):
    """What a sender needs of a recorder."""

    def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
        """Everything since the last call, stamped *ts*; at the *last* call also what would come in larger steps."""


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
        endpoint: Endpoint,
        spool: Spool,
        clock: Clock,
        *,
        service: str = "unknown_service",
        release: str = "",
    ) -> None:
        """*service* becomes the label of that name; *release* is what is deployed."""
        self._recorder = recorder
        self._spool = spool
        self._clock = clock
        self._named = {"service.name": service, **({"service.version": release} if release else {})}
        self._endpoint = endpoint
        self.deltas = Deltas()  # What has been sent of the recorder's totals; another's, for who goes on after it.
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
        with self._changing:
            if self._thread is None:
                # Not first on the thread: a fork in the middle of an import leaves it half done in the child.
                for name in ("perf.transport.encode", "encodings.idna"):  # The second is Python's, to find an address.
                    importlib.import_module(name)
                self._stop = threading.Event()  # A thread that has outlived its grace keeps the old one, and ends.
                self._thread = threading.Thread(target=self.run, args=(self._stop,), name="perf-sender", daemon=True)
                self._thread.start()

    def stop(self, grace: float | None = None) -> None:
        """Send or spool what is left, within about *grace* seconds (`GRACE` by default), also when the receiver hangs."""
        grace = GRACE if grace is None else grace
        with self._changing:
            usual = self._endpoint.timeout
            self._endpoint.timeout = min(usual, grace / 4)
            self._stop.set()
            thread, self._thread = self._thread, None
            if thread is not None and thread is not threading.current_thread():
                thread.join(grace / 2)
                if thread.is_alive():
                    self._endpoint.interrupt(grace / 8)
                    thread.join(grace / 2)
            self._endpoint.timeout = usual

    def flush(self, grace: float | None = None) -> None:
        """Send or spool what is there now, if this sender runs: the process may be about to end without a word."""
        with self._changing:
            if self._thread is not None:
                self.stop(grace)
                self.start()

    def run(self, stop: threading.Event) -> None:
        """The loop; after *stop* is set it takes one last turn."""
        while not stop.wait(INTERVAL):
            self.turn()
        self.turn(last=True)
        self.close()

    def close(self) -> None:
        """Let go of the connection and the spool; a later turn opens them again."""
        with self._turning:
            self._endpoint.close()
            with contextlib.suppress(SpoolError):
                self._spool.release(self._producer)
            self._spool.close()

    def turn(self, *, last: bool = False) -> None:
        """Empty the recorder and send. Never raises: its host program has other things to do."""
        try:
            with self._turning:
                self._turn(last=last)
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
        # A signal handler may flush while its own thread stops.
        self._changing = threading.RLock()
        # A thread that outlived its grace and the one after it: a batch out of order is one that the receiver has seen.
        self._turning = threading.Lock()
        self._producer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._resource = {**self._named, "service.instance.id": self._producer, "host.name": socket.gethostname()}
        self._seq = 0
        self._own_deltas = Deltas()
        self._since = self._clock.now()
        self._next_own = self._clock.monotonic() + OWN_SECONDS
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
        self._begin()
        if running:
            self.start()
            _end_with_multiprocessing(self)

    def _turn(self, *, last: bool) -> None:
        now = self._clock.now()
        drained = self._recorder.drain(now, last=last)
        measurements = [*self.deltas.increases(drained), *self._own(now, last=last)]
        since, self._since = self._since, now
        if self._behind:
            # Another process may have sent what we left.
            with contextlib.suppress(SpoolError):
                self._behind = bool(self._spool.waiting(self._producer))
        for body in self._bodies(measurements, since):
            self._seq += 1
            self._deliver(body)
        self._drain_spool()

    def _own(self, now: float, *, last: bool) -> list[Measurement]:
        """Every ten seconds, and at the end: what became of the batches so far. The dashboard shows what was lost."""
        if self._clock.monotonic() < self._next_own and not last:
            return []
        self._next_own = self._clock.monotonic() + OWN_SECONDS
        results = {"sent": self._counts["sent"], "spooled": self._counts["spooled"], **self._dropped}
        told: list[Measurement] = [
            Sample(now, BATCHES, (("result", result),), float(n)) for result, n in results.items() if n
        ]
        if self._counts["rejected"]:
            told.append(Sample(now, REJECTED, (), float(self._counts["rejected"])))
        return list(self._own_deltas.increases(told))

    def _bodies(self, measurements: list[Measurement], since: float) -> list[bytes]:
        from perf.transport.encode import requests

        wanted = requests(measurements, self._resource, since)
        # Level 1: a third of the time of level 6 for a tenth more bytes.
        return [gzip.compress(each.SerializeToString(), 1, mtime=0) for each in wanted]

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
                if batch is None:
                    break
                if not self._dealt_with(self._endpoint.post(batch.body, batch.producer, batch.seq)):
                    break
                self._spool.remove(batch)
            self._behind = bool(self._spool.waiting(self._producer))
        except SpoolError as error:
            _log.debug("not drained: %s", error)

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


def _end_with_multiprocessing(sender: Sender) -> None:
    """In a child of multiprocessing, which ends without atexit: stop *sender* when the child's work is done."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # The child first forgets its parent's finalizers, then calls what is registered here.
        util.register_after_fork(sender, lambda made: util.Finalize(None, made.stop, exitpriority=0))


def _forked() -> None:
    for sender in list(_senders):
        with contextlib.suppress(Exception):  # A child without perf is better than no child.
            sender._after_fork()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
