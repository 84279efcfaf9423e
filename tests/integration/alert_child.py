"""Delivers notifications until it is killed at a chosen step: arguments are the store, the receiver, how many incidents, and
the step (before_send, after_send, in_record, after_record, or none) with how often it is passed before.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from perf.alerts.channels.port import Message
from perf.alerts.channels.webhook import WebhookChannel
from perf.alerts.outbox import Sender
from perf.alertsettings import AlertSettings, TargetSettings, WebhookSettings
from perf.clock import SystemClock
from perf.model import Delivery, Incident, IncidentState, Notification, Severity, Step
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.writer import Writer

T0 = 1_700_000_000.0


def die() -> NoReturn:
    """What a power cut would do."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def incident(n: int, state: IncidentState) -> Incident:
    """The *n*-th trouble; it fires and is told of, or is over."""
    over = T0 + 60.0 if state is IncidentState.RESOLVED else None
    return Incident(
        id=f"i{n}", rule_id="r", key=f"k{n}", labels=(), state=state, severity=Severity.HIGH, since=T0, fired_at=T0,
        resolved_at=over, notices=1, notified_at=T0, seen=over or T0,
    )  # fmt: skip


def row(n: int, kind: str) -> Notification:
    """What is told of it."""
    name = f"i{n}.0.webhook" if kind == "firing" else f"i{n}.resolved.webhook"
    return Notification(
        id=name, incident_id=f"i{n}", group=f"g{n}", kind=kind, created=T0, title=name, text="", severity=Severity.HIGH,
        labels=(), value=None, rule_id="r", runbook="", channel="webhook", not_before=T0,
    )  # fmt: skip


class Mortal:
    """Counts how often each step is passed, and dies at the one that is chosen."""

    def __init__(self, step: str, passes: int) -> None:
        self._step, self._left = step, passes

    def __call__(self, step: str) -> None:
        """Pass *step*."""
        if step == self._step:
            self._left -= 1
            if self._left < 0:
                die()


class Sending(WebhookChannel):
    """The real channel, with a step before and one after."""

    passed: Mortal

    def send(self, message: Message) -> None:
        """Deliver it."""
        self.passed("before_send")
        super().send(message)
        self.passed("after_send")


def recording(store: DuckDBStore, passed: Mortal) -> None:
    """Make the store's record a step, too."""
    record: Callable[[Sequence[Delivery], float | None], None] = store.alerts.record

    def mortal(deliveries: Sequence[Delivery], next_at: float | None = None) -> None:
        passed("in_record")
        record(deliveries, next_at)
        passed("after_record")

    store.alerts.record = mortal  # type: ignore[method-assign]  # where a power cut may come


def main() -> None:
    """Queue once, then deliver until nothing is due."""
    path, url, count, step, passes = sys.argv[1:]
    clock = SystemClock()
    store = DuckDBStore(StoreSettings(path=path), clock)
    passed = Mortal(step, int(passes))
    if not store.alerts.incidents(open_only=False) and not store.alerts.due(clock.now()):
        for n in range(int(count)):
            store.alerts.commit(Step(incidents=(incident(n, IncidentState.FIRING),), notifications=(row(n, "firing"),)))
            store.alerts.commit(Step(notifications=(row(n, "resolved"),)))
    recording(store, passed)
    targets = TargetSettings(plain_http=True, private=("127.0.0.0/8",), timeout=60.0)
    settings = AlertSettings(webhook=WebhookSettings(urls=(url,)), targets=targets, rate=1000)
    channel = Sending(settings, clock)
    channel.passed = passed
    writer = Writer(store, clock)
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    sender = Sender(store.alerts, writer, {"webhook": channel}, clock, settings)
    while store.alerts.due(clock.now()):
        sender.turn()
        sender.settled()
    stop.set()
    writer.wake()
    thread.join()
    store.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
