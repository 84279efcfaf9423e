"""Sends what waits in the outbox: at least once, under a stable id, in the order of each incident, and never too much at once."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from perf import plugins
from perf.alerts.channels.port import Channel, ChannelError, Message
from perf.alerts.line import Line
from perf.alerts.redaction import Redactor
from perf.alerts.routing import DIGEST, FIRING, RESOLVED, TEST, first
from perf.alerts.silences import hushed
from perf.alertsettings import AlertSettings, secrets
from perf.errors import PerfError
from perf.model import ChannelStats, Delivery, Incident, IncidentState, Notification, Queued, Severity, Window
from perf.ports import AlertStore, Clock

INTERVAL = 1.0
LIFE = 86_400.0
"""How long a notification is tried, in seconds."""
SOONEST, LATEST = 5.0, 3600.0
BATCH = 200
RECORDED = 30.0
"""How long to wait for the writing thread to note an attempt."""

_log = logging.getLogger(__name__)


class Writing(Protocol):
    """The thread that writes."""

    def call(self, function: Callable[[], None], /) -> Future[None]:
        """Run *function* there."""


def opened(settings: AlertSettings, clock: Clock) -> dict[str, Channel | str]:
    """Every known channel, or why it can't be used."""
    found: dict[str, Channel | str] = {}
    for name in plugins.CHANNELS:
        try:
            found[name] = plugins.resolve("channel", name, plugins.CHANNELS)(settings, clock)
        except PerfError as error:
            found[name] = str(error)
    return found


def trial(channel: str, now: float) -> Notification:
    """A notification that goes the whole way to *channel*, to see whether it arrives."""
    return Notification(
        id=f"test.{channel}.{int(now * 1000)}",
        incident_id=f"test.{channel}.{int(now * 1000)}",
        group="test",
        kind=TEST,
        created=now,
        title="[TEST] perf",
        text="This is a test: notifications of perf arrive here.",
        severity=Severity.LOW,
        labels=(("rule", "test"),),
        value=None,
        rule_id="",
        runbook="",
        channel=channel,
    )


def pause(age: float) -> float:
    """Seconds until the next attempt for something that has been failing for *age* seconds: a quarter of that, from 5 s to 1 h,
    less a random part, so that many don't come back together. It grows by a fourth each time, and a receiver that was down for an
    hour waits a quarter of one at most.
    """
    return max(SOONEST, min(LATEST, age / 4)) * random.uniform(0.75, 1.0)


class Sender:
    """One turn looks at what is due and hands it to a thread for each channel, so that one that hangs holds up no other."""

    def __init__(
        self,
        store: AlertStore,
        writer: Writing,
        channels: Mapping[str, Channel | str],
        clock: Clock,
        settings: AlertSettings | None = None,
    ) -> None:
        """*channels* by name, as `opened` finds them."""
        self._store = store
        self._writer = writer
        self._channels = channels
        self._clock = clock
        self._settings = settings or AlertSettings()
        self._redact = Redactor(secrets(self._settings))
        self._lines: dict[str, Line] = {}
        self._turning = threading.Lock()

    def turn(self) -> None:
        """Start to send what is due. Does not wait for it: `settled` does. May be called from any thread."""
        with self._turning:
            self._turn(self._clock.now())

    def _turn(self, now: float) -> None:
        due = self._due(now)
        by_channel = _by_channel(due)
        for line in list(self._lines.values()):
            line.recovered = line.recovered and (line.busy or line.name in by_channel)
        over = self._incidents(due)
        for name, rows in by_channel.items():
            line = self._line(name)
            if line.free(self._clock.monotonic()):
                work = threading.Thread(
                    target=self._work, args=(line, rows, over), name=f"perf-alert-{name}", daemon=True
                )
                line.thread = work
                work.start()

    def use(self, settings: AlertSettings) -> None:
        """Send by *settings* from now on, and tell nobody its secrets."""
        self._settings = settings
        self._redact = Redactor(secrets(settings))

    def settled(self, seconds: float = 10.0) -> bool:
        """Wait at most *seconds* for what is being sent now; whether all of it was dealt with."""
        deadline = self._clock.monotonic() + seconds
        for line in list(self._lines.values()):
            if line.thread is not None:
                line.thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(line.busy for line in self._lines.values())

    def stats(self) -> list[ChannelStats]:
        """Of every channel that had something to send: what became of it, and why it takes nothing."""
        return [line.stats() for line in list(self._lines.values())]

    def _due(self, now: float) -> list[Queued]:
        """What may be sent now. What waits for channels that can't send does not hide the rest, however much it is."""
        ahead = LATEST if any(line.recovered for line in self._lines.values()) else 0.0
        limit = BATCH
        while True:
            found = self._store.due(now + ahead, limit)
            usable = [one for one in found if self._ready(one, now)]
            if usable or len(found) < limit:
                return usable
            limit *= 8

    def _ready(self, one: Queued, now: float) -> bool:
        line = self._lines.get(one.notification.channel)
        if line is not None and not line.free(self._clock.monotonic()):
            return False
        return one.next_at <= now or (line is not None and line.recovered and one.attempts > 0)

    def _incidents(self, due: Sequence[Queued]) -> dict[str, Incident]:
        """The incidents of what fires in *due*: by now it may be over."""
        if all(one.notification.kind in (RESOLVED, TEST) for one in due):
            return {}
        return {one.id: one for one in self._store.incidents(open_only=False)}

    def _line(self, name: str) -> Line:
        if name not in self._lines:
            now = self._clock.now()
            before = self._store.deliveries(Window(now - 600.0, now), 1000).deliveries
            used = sum(one.outcome == "delivered" and one.channel == name for one in before)
            self._lines[name] = Line(name, self._settings.rate, self._clock.monotonic(), used)
        return self._lines[name]

    def _work(self, line: Line, rows: Sequence[Queued], incidents: Mapping[str, Incident]) -> None:
        """A channel's thread: send *rows* until one can't be sent."""
        try:
            recovering = line.recovered
            wanted = [row for row in rows if not self._dropped(row, incidents.get(row.notification.incident_id))]
            for group in line.portions(wanted, self._clock.monotonic()):
                if not self._deliver(line, group):
                    return
            line.recovered = line.recovered and not recovering
        except Exception as error:  # noqa: BLE001 - a thread's loop: what wasn't noted is sent again, under the same id.
            line.failed(self._redact(str(error)), self._clock.monotonic(), None)
            _log.error("%s: %s: %s", line.name, type(error).__name__, self._redact(str(error)))

    def _dropped(self, row: Queued, incident: Incident | None) -> bool:
        """Whether *row* isn't wanted any more; notes why."""
        one = row.notification
        if one.kind not in (FIRING, DIGEST) or incident is None:
            return False
        reason = _needless(one, row.attempts, incident)
        again = one.kind == FIRING and not first(one)
        if not reason and again and hushed(self._store.silences(), one, self._clock.now()):
            reason = "silenced"
        if reason:
            self._note([row], "cancelled", reason, None, 0.0)
        return bool(reason)

    def _deliver(self, line: Line, rows: Sequence[Queued]) -> bool:
        """Send *rows* as one message; whether the channel can go on."""
        channel = self._channels.get(line.name, f"no channel {line.name!r}; known: {', '.join(sorted(self._channels))}")
        if isinstance(channel, str):
            self._note(rows, "dead", channel, None, 0.0)
            return True
        started = self._clock.monotonic()
        try:
            channel.send(Message(tuple(row.notification for row in rows)))
        except ChannelError as error:
            self._failed(line, rows, error, self._clock.monotonic() - started)
            return error.permanent or not line.waits(self._clock.monotonic())
        except Exception as error:  # noqa: BLE001 - what a library can do to a channel is not to end the others.
            text = f"{type(error).__name__}: {error}"
            self._failed(line, rows, ChannelError(text), self._clock.monotonic() - started)
            return not line.waits(self._clock.monotonic())
        self._note(rows, "delivered", "", None, self._clock.monotonic() - started)
        line.delivered()
        return True

    def _failed(self, line: Line, rows: Sequence[Queued], error: ChannelError, seconds: float) -> None:
        now, detail = self._clock.now(), self._redact(str(error))
        oldest = min(_since(row) for row in rows)
        wait = max(pause(now - oldest), min(error.retry_after or 0.0, LATEST))
        dead = error.permanent or now + wait - oldest > LIFE
        self._note(rows, "dead" if dead else "retry", detail, None if dead else now + wait, seconds)
        if dead:
            _log.error("%s: given up: %s: %s", line.name, ", ".join(row.notification.id for row in rows), detail)
        if not error.permanent:
            line.failed(detail, self._clock.monotonic(), error.retry_after)

    def _note(self, rows: Sequence[Queued], outcome: str, detail: str, next_at: float | None, seconds: float) -> None:
        """Write down what became of *rows*; returns when it would survive a crash."""
        now = self._clock.now()
        made = [
            Delivery(
                notification_id=row.notification.id,
                channel=row.notification.channel,
                attempt=row.attempts + 1,
                ts=now,
                outcome=outcome,
                detail=detail,
                seconds=seconds,
            )
            for row in rows
        ]

        self._writer.call(lambda: self._store.record(made, next_at)).result(RECORDED)
        self._line(rows[0].notification.channel).count(outcome, len(rows), detail)


def _since(row: Queued) -> float:
    """When *row* could first be sent."""
    return max(row.notification.created, row.notification.not_before or 0.0)


def _needless(one: Notification, attempts: int, incident: Incident) -> str:
    """Why a notification of what has begun need not be sent; empty when it must be."""
    if first(one) or one.kind == DIGEST:
        return "over before it was sent: its end tells of both" if not incident.open and not attempts else ""
    if not incident.open or incident.state is IncidentState.PENDING:
        return "it is over"
    if incident.acknowledged_by:
        return f"acknowledged by {incident.acknowledged_by}"
    return ""


def _by_channel(due: Iterable[Queued]) -> dict[str, list[Queued]]:
    found: dict[str, list[Queued]] = {}
    for one in due:
        found.setdefault(one.notification.channel, []).append(one)
    return found
