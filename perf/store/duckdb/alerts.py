"""Alert rules, incidents, silences and the outbox in their tables. One thread writes; rules and silences are held in memory."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from perf.decoding import from_json
from perf.model import (
    AlertRule,
    Delivery,
    DeliveryPage,
    Incident,
    IncidentFilter,
    IncidentPage,
    IncidentState,
    Notification,
    Queued,
    Silence,
    Step,
    Tally,
    Transition,
    Waiting,
    Window,
)
from perf.ports import Clock
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Cursor, Database, Row, run
from perf.store.duckdb.held import Held
from perf.store.levels import MICRO, micros

RECENT = 86_400.0
"""Seconds for which an incident that is over is still of interest."""

_PACKAGE = "perf.store.duckdb"


class DuckDBAlerts:
    """A `perf.ports.AlertStore` in the store's file."""

    def __init__(self, reading: Callable[[], Database], writing: Callable[[], Database], clock: Clock) -> None:
        """*reading* gives the open database, *writing* reopens it first where that is needed."""
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._rules = Held(self._read_rules)
        self._silences = Held(self._read_silences)
        self._outbox_changes = 0
        self._earliest = (-1, 0.0)
        """After how many changes of the outbox it was asked, and when the first of what waits may be sent (microseconds)."""

    def rules(self) -> list[AlertRule]:
        """Every rule, by name; from memory."""
        return sorted(self._rules.rows().values(), key=lambda rule: (rule.name, rule.id))

    def put_rule(self, rule: AlertRule, author: str) -> None:
        """Add or replace *rule*. Raises: StoreFull, StoreError."""
        self.change_rules({rule.id: rule}, author)

    def drop_rule(self, id: str, author: str) -> None:
        """Forget the rule *id*. Raises: StoreFull, StoreError."""
        self.change_rules({id: None}, author)

    def change_rules(self, changes: Mapping[str, AlertRule | None], author: str) -> None:
        """Add, replace or forget rules in one transaction. Raises: StoreFull, StoreError."""
        ts = micros(self._clock.now())
        rules = {id_: known for id_, known in self._rules.rows().items() if id_ not in changes}
        with self._writing().transaction() as writer:
            for id_, rule in changes.items():
                body = None if rule is None else msgspec.json.encode(rule).decode()
                _run(writer, "alert_rule_drop", {"id": id_})
                if rule is not None:
                    rules[id_] = rule
                    _run(writer, "alert_rule_add", {"id": id_, "name": rule.name, "body": body})
                _run(writer, "alert_rule_change_add", {"ts": ts, "id": id_, "body": body, "author": author})
        self._rules.become(rules)

    def dropped(self, id: str) -> AlertRule | None:
        """The rule *id*, which is forgotten, as it was last; from the audit of the rules."""
        found = self._read("alert_rule_dropped", {"id": id})
        return from_json(found[0][0], AlertRule) if found else None

    def incidents(self, *, open_only: bool = True) -> list[Incident]:
        """Those that are open, by time; otherwise also the last day's others."""
        since = micros(self._clock.now() + RECENT if open_only else self._clock.now() - RECENT)
        return [from_json(body, Incident) for (body,) in self._read("incidents", {"since": since})]

    def commit(self, step: Step) -> None:
        """Store all of *step* or nothing. Raises: StoreFull, Invalidated (perhaps written: commit it again), StoreError."""
        with (
            self._outbox_changing() if step.notifications else contextlib.nullcontext(),
            self._writing().transaction() as writer,
        ):
            if step.incidents:
                _run(writer, "incidents_drop", {"ids": [incident.id for incident in step.incidents]})
            for incident in step.incidents:
                if incident.open or incident.fired_at is not None:
                    _run(writer, "incident_add", _incident(incident))
            for transition in step.transitions:
                _run(writer, "transition_add", _transition(transition))
            for notification in step.notifications:
                _run(writer, "outbox_add", _notification(notification))
            for id_ in step.silences:
                _run(writer, "silence_drop", {"id": id_})
        if step.silences:
            known = self._silences.rows()
            self._silences.become({id_: one for id_, one in known.items() if id_ not in step.silences})

    def history(
        self, window: Window, limit: int = 50, offset: int = 0, wanted: IncidentFilter | None = None
    ) -> IncidentPage:
        """Incidents that fired and were open at some time in *window*, the newest first."""
        wanted = wanted or IncidentFilter()
        parameters = _page(window, limit, offset) | {
            "rule_id": wanted.rule_id,
            "severity": wanted.severity or "",
            "state": wanted.state or "",
            "search": wanted.search.lower(),
        }
        found = self._read("history", parameters)
        if not found and offset:
            return IncidentPage(incidents=[], total=self.history(window, 1, 0, wanted).total)
        incidents = [from_json(body, Incident) for body, _ in found]
        return IncidentPage(incidents=incidents, total=found[0][1] if found else 0)

    def silences(self) -> list[Silence]:
        """Every silence, by start; from memory."""
        return sorted(self._silences.rows().values(), key=lambda silence: (silence.start, silence.id))

    def put_silence(self, silence: Silence) -> None:
        """Add or replace *silence*. Raises: StoreFull, StoreError."""
        self._change_silence(silence.id, silence)

    def drop_silence(self, id: str) -> None:
        """Forget the silence *id*. Raises: StoreFull, StoreError."""
        self._change_silence(id, None)

    def due(self, now: float, limit: int = 100) -> list[Queued]:
        """What waits and whose time has come; of each incident and channel only the oldest that waits. While nothing can be due,
        this is known from memory.
        """
        if micros(now) < self._soonest():
            return []
        return [
            Queued(notification=from_json(body, Notification), attempts=attempts, next_at=next_at / MICRO)
            for attempts, next_at, body in self._read("outbox_due", {"now": micros(now), "count": limit})
        ]

    def record(self, deliveries: Sequence[Delivery], next_at: float | None = None) -> None:
        """Note attempts, and when the next is due. Raises: StoreFull, StoreError."""
        with self._outbox_changing(), self._writing().transaction() as writer:
            for one in deliveries:
                _run(writer, "delivery_add", msgspec.structs.asdict(one) | {"ts": micros(one.ts)})
                done = {"id": one.notification_id, "attempt": one.attempt, "next_at": _micros(next_at)}
                _run(writer, "outbox_done", done)

    def deliveries(self, window: Window, limit: int = 50, offset: int = 0) -> DeliveryPage:
        """Attempts in *window*, the newest first."""
        found = self._read("deliveries", _page(window, limit, offset))
        if not found and offset:
            return DeliveryPage(deliveries=[], total=self.deliveries(window, 1).total)
        return DeliveryPage(deliveries=[_delivery(row) for row in found], total=found[0][-1] if found else 0)

    def tallies(self, window: Window) -> list[Tally]:
        """How many attempts in *window* had which outcome, by channel and outcome."""
        span: dict[str, object] = {"start": micros(window.start), "end": micros(window.end)}
        return [Tally(channel=row[0], outcome=row[1], count=row[2]) for row in self._read("delivery_tallies", span)]

    def waiting(self, now: float) -> list[Waiting]:
        """What waits, by channel; that nothing does is known from memory."""
        if math.isinf(self._soonest()):
            return []
        return [
            Waiting(
                channel=channel,
                count=count,
                since=None if body is None else from_json(body, Notification).begin,
            )
            for channel, count, body in self._read("outbox_waiting", {"now": micros(now)})
        ]

    def _soonest(self) -> float:
        """Before when nothing can be due (microseconds), infinite when nothing waits; asked once after each change."""
        self._reading()
        known, soonest = self._earliest
        changes = self._outbox_changes
        if known != changes:  # One that comes while the question is answered makes the answer old.
            ((first,),) = self._read("outbox_soonest", {})
            soonest = math.inf if first is None else float(first)
            self._earliest = (changes, soonest)
        return soonest

    @contextlib.contextmanager
    def _outbox_changing(self) -> Iterator[None]:
        """Around a transaction: counted after its end, also after a failure, for it may have been written."""
        try:
            yield
        finally:
            self._outbox_changes += 1

    def _read_rules(self) -> dict[str, AlertRule]:
        found = (from_json(body, AlertRule) for (body,) in self._read("alert_rules", {}))
        return {rule.id: rule for rule in found}

    def _read_silences(self) -> dict[str, Silence]:
        found = (from_json(body, Silence) for (body,) in self._read("silences", {}))
        return {silence.id: silence for silence in found}

    def _read(self, question: str, parameters: dict[str, object]) -> list[Row]:
        with self._reading().reading() as cursor:
            return _run(cursor, question, parameters)

    def _change_silence(self, id_: str, silence: Silence | None) -> None:
        silences = {known: one for known, one in self._silences.rows().items() if known != id_}
        with self._writing().transaction() as writer:
            _run(writer, "silence_drop", {"id": id_})
            if silence is not None:
                silences[id_] = silence
                _run(writer, "silence_add", {"id": id_, "body": msgspec.json.encode(silence).decode()})
        self._silences.become(silences)


def _run(cursor: Cursor, name: str, parameters: dict[str, object]) -> list[Row]:
    return run(cursor, sql(_PACKAGE, name), parameters or None)


def _page(window: Window, limit: int, offset: int) -> dict[str, object]:
    return {"start": micros(window.start), "end": micros(window.end), "count": limit, "skip": offset}


def _micros(ts: float | None) -> int | None:
    return None if ts is None else micros(ts)


def _incident(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "rule_id": incident.rule_id,
        "labels": [{"k": key, "v": value} for key, value in incident.labels],
        "state": IncidentState(incident.state).value,
        "severity": incident.severity.value,
        "since": micros(incident.since),
        "fired_at": _micros(incident.fired_at),
        "resolved_at": _micros(incident.resolved_at),
        "value": incident.value,
        "summary": incident.summary,
        "acknowledged_by": incident.acknowledged_by,
        "body": msgspec.json.encode(incident).decode(),
    }


def _transition(transition: Transition) -> dict[str, object]:
    return {
        "ts": micros(transition.ts),
        "incident_id": transition.incident_id,
        "before": transition.before.value,
        "after": transition.after.value,
        "value": transition.value,
        "reason": transition.reason,
    }


def _notification(notification: Notification) -> dict[str, object]:
    return {
        "id": notification.id,
        "incident_id": notification.incident_id,
        "channel": notification.channel,
        "next_at": micros(notification.begin),
        "body": msgspec.json.encode(notification).decode(),
    }


def _delivery(row: Row) -> Delivery:
    ts, notification_id, channel, attempt, outcome, detail, seconds, _ = row
    return Delivery(
        notification_id=notification_id,
        channel=channel,
        attempt=attempt,
        ts=ts / MICRO,
        outcome=outcome,
        detail=detail,
        seconds=seconds,
    )
