"""What alerting sends, and what became of it, in values. Frozen, free of I/O."""

from __future__ import annotations

import msgspec

from perf.model.alert import Incident, Severity, Transition
from perf.model.metric import Labels


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox: a message for one channel, under an *id* that stays the same however often it is sent.

    *kind* is firing, resolved, digest or test; it is sent at *not_before* (Unix seconds; None: at once).
    """

    id: str
    incident_id: str
    group: str
    kind: str
    created: float
    title: str
    text: str
    severity: Severity
    labels: Labels
    value: float | None
    rule_id: str
    runbook: str
    channel: str
    not_before: float | None = None

    @property
    def begin(self) -> float:
        """When it may first be sent (Unix seconds)."""
        return self.created if self.not_before is None else self.not_before


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that waits: after *attempts* failures it is tried again at *next_at*."""

    notification: Notification
    attempts: int
    next_at: float


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver: *outcome* is delivered, retry, dead or cancelled; it took *seconds*."""

    notification_id: str
    channel: str
    attempt: int
    ts: float
    outcome: str
    detail: str = ""
    seconds: float = 0.0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the outbox for *channel*: *count* notifications, and since when (Unix seconds) the first of them whose time has
    come could have been sent (None: the time of none has).
    """

    channel: str
    count: int
    since: float | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts to deliver by *channel* had an *outcome*."""

    channel: str
    outcome: str
    count: int


class ChannelStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a channel's notifications since the start; *failing* is why it takes nothing at present, *died* why the newest
    dead letter is one.
    """

    channel: str
    delivered: int = 0
    retry: int = 0
    dead: int = 0
    cancelled: int = 0
    failing: str = ""
    died: str = ""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts, the newest first, and how many there are in all."""

    deliveries: list[Delivery]
    total: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored together, or not at all: *incidents* as they are now, how they came to be so, what to send, and the ids of
    *silences* that are over.
    """

    incidents: tuple[Incident, ...] = ()
    transitions: tuple[Transition, ...] = ()
    notifications: tuple[Notification, ...] = ()
    silences: tuple[str, ...] = ()
