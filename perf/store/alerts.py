"""Alert rules, incidents, silences and the outbox in memory: keeps the promises of the tables."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from perf.model import (
    AlertRule,
    Delivery,
    DeliveryPage,
    Incident,
    IncidentFilter,
    IncidentPage,
    Notification,
    Queued,
    Silence,
    Step,
    Tally,
    Waiting,
    Window,
)
from perf.ports import Clock

RECENT = 86_400.0
"""Seconds for which an incident that is over is still of interest."""


class MemoryAlerts:
    """A `perf.ports.AlertStore` that forgets on exit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: dict[str, AlertRule] = {}
        self._dropped: dict[str, AlertRule] = {}
        self._incidents: dict[str, Incident] = {}
        self._silences: dict[str, Silence] = {}
        self._queue: dict[str, Queued] = {}
        self._known: dict[str, str] = {}
        """Every notification, waiting or done, and its incident."""
        self._deliveries: list[Delivery] = []

    def rules(self) -> list[AlertRule]:
        """Every rule, by name."""
        with self._lock:
            return sorted(self._rules.values(), key=lambda rule: (rule.name, rule.id))

    def put_rule(self, rule: AlertRule, author: str) -> None:
        """Add or replace *rule*."""
        self.change_rules({rule.id: rule}, author)

    def drop_rule(self, id: str, author: str) -> None:
        """Forget the rule *id*."""
        self.change_rules({id: None}, author)

    def change_rules(self, changes: Mapping[str, AlertRule | None], author: str) -> None:  # noqa: ARG002 - nothing is left to be audited
        """Add, replace or forget rules."""
        with self._lock:
            for id_, rule in changes.items():
                before = self._rules.pop(id_, None)
                if rule is not None:
                    self._rules[id_] = rule
                elif before is not None:
                    self._dropped[id_] = before

    def dropped(self, id: str) -> AlertRule | None:
        """The rule *id*, which is forgotten, as it was last."""
        with self._lock:
            return self._dropped.get(id)

    def incidents(self, *, open_only: bool = True) -> list[Incident]:
        """Those that are open, by time; otherwise also the last day's others."""
        since = self._clock.now() - RECENT
        with self._lock:
            found = [
                incident
                for incident in self._incidents.values()
                if incident.open or not (open_only or (incident.resolved_at or 0.0) < since)
            ]
        return sorted(found, key=lambda incident: (incident.since, incident.id))

    def commit(self, step: Step) -> None:
        """Keep all of *step*."""
        with self._lock:
            for incident in step.incidents:
                self._incidents.pop(incident.id, None)
                if incident.open or incident.fired_at is not None:
                    self._incidents[incident.id] = incident
            for notification in step.notifications:
                if notification.id not in self._known:
                    self._known[notification.id] = notification.incident_id
                    self._queue[notification.id] = _queued(notification)
            for id_ in step.silences:
                self._silences.pop(id_, None)

    def history(
        self, window: Window, limit: int = 50, offset: int = 0, wanted: IncidentFilter | None = None
    ) -> IncidentPage:
        """Incidents that fired and were open at some time in *window*, the newest first."""
        wanted = wanted or IncidentFilter()
        with self._lock:
            found = [one for one in self._incidents.values() if _touches(one, window) and _wanted(one, wanted)]
        found.sort(key=lambda incident: (incident.fired_at or 0.0, incident.id), reverse=True)
        return IncidentPage(incidents=found[offset : offset + limit], total=len(found))

    def silences(self) -> list[Silence]:
        """Every silence, by start."""
        with self._lock:
            return sorted(self._silences.values(), key=lambda silence: (silence.start, silence.id))

    def put_silence(self, silence: Silence) -> None:
        """Add or replace *silence*."""
        with self._lock:
            self._silences[silence.id] = silence

    def drop_silence(self, id: str) -> None:
        """Forget the silence *id*."""
        with self._lock:
            self._silences.pop(id, None)

    def due(self, now: float, limit: int = 100) -> list[Queued]:
        """What waits and whose time has come; of each incident and channel only the oldest that waits."""
        with self._lock:
            return [queued for queued in self._oldest(now) if queued.next_at <= now][:limit]

    def record(self, deliveries: Sequence[Delivery], next_at: float | None = None) -> None:
        """Note attempts, and when the next is due."""
        with self._lock:
            for one in deliveries:
                self._deliveries.append(one)
                queued = self._queue.get(one.notification_id)
                if queued is not None and next_at is not None:
                    again = msgspec.structs.replace(queued, attempts=one.attempt, next_at=next_at)
                    self._queue[one.notification_id] = again
                elif queued is not None:
                    del self._queue[one.notification_id]

    def deliveries(self, window: Window, limit: int = 50, offset: int = 0) -> DeliveryPage:
        """Attempts in *window*, the newest first."""
        with self._lock:
            found = [one for one in self._deliveries if window.start <= one.ts < window.end]
        found.sort(key=lambda one: (-one.ts, one.notification_id, -one.attempt))
        return DeliveryPage(deliveries=found[offset : offset + limit], total=len(found))

    def tallies(self, window: Window) -> list[Tally]:
        """How many attempts in *window* had which outcome, by channel and outcome."""
        with self._lock:
            counts = Counter(
                (one.channel, one.outcome) for one in self._deliveries if window.start <= one.ts < window.end
            )
        return [Tally(channel=key[0], outcome=key[1], count=count) for key, count in sorted(counts.items())]

    def waiting(self, now: float) -> list[Waiting]:
        """What waits, by channel."""
        with self._lock:
            queue = list(self._queue.values())
        found = []
        for channel in sorted({one.notification.channel for one in queue}):
            mine = [one for one in queue if one.notification.channel == channel]
            due = [one.notification.begin for one in mine if one.attempts or one.next_at <= now]
            found.append(Waiting(channel=channel, count=len(mine), since=due[0] if due else None))
        return found

    def expire(self, before: float) -> None:
        """Forget incidents that were over before *before* (Unix seconds), and what became of notifications that are done."""
        with self._lock:
            self._incidents = {
                id_: one for id_, one in self._incidents.items() if one.open or (one.resolved_at or 0.0) >= before
            }
            self._deliveries = [
                one for one in self._deliveries if one.ts >= before or one.notification_id in self._queue
            ]
            attempted = {one.notification_id for one in self._deliveries}
            self._known = {
                id_: incident_id
                for id_, incident_id in self._known.items()
                if id_ in self._queue or id_ in attempted or incident_id in self._incidents
            }

    def _oldest(self, now: float) -> Iterator[Queued]:
        taken: set[tuple[str, str]] = set()
        for queued in self._queue.values():
            place = (queued.notification.incident_id, queued.notification.channel)
            if place[0] and place in taken or not queued.attempts and queued.next_at > now:
                continue
            taken.add(place)
            yield queued


def _queued(notification: Notification) -> Queued:
    return Queued(notification=notification, attempts=0, next_at=notification.begin)


def _touches(incident: Incident, window: Window) -> bool:
    if incident.fired_at is None or incident.fired_at >= window.end:
        return False
    return incident.resolved_at is None or incident.resolved_at >= window.start


def _wanted(incident: Incident, wanted: IncidentFilter) -> bool:
    return (
        wanted.rule_id in ("", incident.rule_id)
        and wanted.severity in (None, incident.severity)
        and wanted.state in (None, incident.state)
        and wanted.search.lower() in "\n".join([incident.summary, *(v for _, v in incident.labels)]).lower()
    )
