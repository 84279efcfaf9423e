"""Incidents, silences and deliveries as people see and change them. Who is told of what is decided in perf.alerts."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence

import msgspec

from perf.alerts.evaluator import BROKEN
from perf.alerts.inhibition import Inhibitors
from perf.alerts.outbox import trial
from perf.alerts.silences import check, covering
from perf.errors import RuleError
from perf.model import (
    ChannelStats,
    Delivery,
    DeliveryPage,
    Incident,
    IncidentFilter,
    IncidentPage,
    IncidentState,
    Match,
    Severity,
    Silence,
    Step,
    Window,
)
from perf.ports import Clock, IncidentDesk, MetricStore
from perf.store.writer import Writer
from perf.views.audit import AuditLog
from perf.views.rules import MOST, RuleBook, UnknownAlert
from perf.views.writes import written

TEST_SECONDS = 15.0
POLL_SECONDS = 0.2
LONGEST = 200
"""Characters of a name or comment."""

_replace = msgspec.structs.replace


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which a rule fired, for charts."""

    start: float
    end: float
    severity: Severity
    name: str


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """A channel: what became of its notifications in a window, how many wait and since when (Unix seconds; None: none could be
    sent yet), and why it takes nothing at present, if so.
    """

    name: str
    delivered: int = 0
    retry: int = 0
    dead: int = 0
    cancelled: int = 0
    waiting: int = 0
    since: float | None = None
    failing: str = ""


class Alerts:
    """What fires, who knows, and who is not to be told. Every change is durable when it returns.

    Changes raise UnknownAlert for an id that isn't there, RuleError for what makes no sense, and StoreError.
    """

    def __init__(
        self,
        store: MetricStore,
        writer: Writer,
        clock: Clock,
        desk: IncidentDesk,
        channels: Callable[[], Mapping[str, str]],
        stats: Callable[[], Sequence[ChannelStats]],
    ) -> None:
        """*channels* tells why each can't be used, nothing for one that can; *stats* of those that had something to send."""
        self._desk, self.reachable, self._stats = desk, channels, stats
        self.rules = RuleBook(store, writer, clock)
        self._alerts, self._writer, self._clock = store.alerts, writer, clock
        self._audit = AuditLog(store, writer, clock)

    def open(self) -> list[Incident]:
        """Incidents that are not over and not merely pending: the worst first, then the oldest."""
        found = [one for one in self._desk.incidents() if one.state is not IncidentState.PENDING]
        return sorted(found, key=lambda one: (-one.severity.rank, one.since))

    def incident(self, incident_id: str) -> Incident:
        """The open incident *incident_id*. Raises: UnknownAlert."""
        found = next((one for one in self._desk.incidents() if one.id == incident_id), None)
        if found is None:
            raise UnknownAlert(f"no incident {incident_id!r} is open")
        return found

    def silenced(self, incident: Incident) -> Silence | None:
        """What keeps *incident* quiet now, if anything does."""
        rule = self.rules.one(incident.rule_id)
        return covering(self._alerts.silences(), rule, incident.labels, self._clock.now())

    def inhibited(self, incident: Incident) -> str:
        """The name of the rule whose incident keeps *incident* from being told; empty when none does."""
        rules = {rule.id: rule for rule in self.rules.all()}
        rule = rules.get(incident.rule_id)
        if rule is None:
            return ""
        above = Inhibitors(self._desk.incidents(), rules).of(incident, rule)
        return rules[above.rule_id].name if above is not None else ""

    def history(self, window: Window, limit: int, offset: int, wanted: IncidentFilter) -> IncidentPage:
        """Incidents of *window*, the newest first."""
        return self._alerts.history(window, limit, offset, wanted)

    def firings(self, window: Window) -> list[Firing]:
        """When which rule fired in *window*; what overlaps of one rule is one stretch."""
        names = {rule.id: rule.name for rule in self.rules.all()}
        now = self._clock.now()
        spans = [
            Firing(
                start=one.fired_at,
                end=max(one.fired_at, one.resolved_at or now),
                severity=one.severity,
                name=names.get(one.rule_id) or self.rules.past_name(one.rule_id),
            )
            for one in self._alerts.history(window, limit=MOST).incidents
            if one.fired_at is not None and one.labels != BROKEN
        ]
        return _merged(sorted(spans, key=lambda span: (span.name, span.start)))

    def silences(self) -> list[Silence]:
        """Every silence that is in force or to come, by start."""
        now = self._clock.now()
        return [one for one in self._alerts.silences() if one.end is None or one.end > now or one.recurrence]

    def deliveries(self, window: Window, limit: int, offset: int) -> DeliveryPage:
        """Attempts to deliver in *window*, the newest first."""
        return self._alerts.deliveries(window, limit, offset)

    def delivery(self, window: Window) -> list[ChannelState]:
        """Every channel that can be used, waits or had something to send in *window*, by name."""
        counts: dict[str, dict[str, int]] = {name: {} for name in self.channels()}
        for one in self._alerts.tallies(window):
            counts.setdefault(one.channel, {})[one.outcome] = one.count
        waiting = {one.channel: one for one in self._alerts.waiting(self._clock.now())}
        failing = {one.channel: one.failing for one in self._stats()}
        return [
            ChannelState(
                name=name,
                waiting=waiting[name].count if name in waiting else 0,
                since=waiting[name].since if name in waiting else None,
                failing=failing.get(name, ""),
                **counts.get(name, {}),
            )
            for name in sorted(counts.keys() | waiting.keys())
        ]

    def acknowledge(self, incident_id: str, *, by: str) -> Incident:
        """*by* looks after it: no more repeats and escalation, until it gets worse."""
        name = _named(by, "who acknowledges it")
        before = self.incident(incident_id)
        after = self._desk.acknowledge(before.id, name)
        self._note("incident.acknowledge", before, after, name)
        return after

    def resolve(self, incident_id: str, *, by: str) -> Incident:
        """It is over, says *by*; it begins anew when its condition still holds."""
        name = _named(by, "who resolves it")
        before = self.incident(incident_id)
        after = self._desk.resolve(before.id, name)
        self._note("incident.resolve", before, after, name)
        return after

    def silence(self, wanted: Silence) -> Silence:
        """Keep *wanted*, under a new id when it has none."""
        check(wanted)
        if wanted.end is not None and not wanted.recurrence and wanted.end <= self._clock.now():
            raise RuleError("a silence that has ended silences nothing")
        kept = _replace(
            wanted,
            id=wanted.id or uuid.uuid4().hex[:12],
            author=_named(wanted.author, "who silences it"),
            comment=wanted.comment[:LONGEST],
        )
        before = next((one for one in self._alerts.silences() if one.id == kept.id), "")
        written(self._writer, lambda: self._alerts.put_silence(kept), "silence")
        self._audit.note("silence.put", kept.id, before=before, after=kept, by=kept.author)
        return kept

    def silence_incident(self, incident_id: str, *, seconds: float | None, author: str, comment: str = "") -> Silence:
        """Tell nobody of this rule and these labels for *seconds* (None: until it resolves)."""
        one, now = self.incident(incident_id), self._clock.now()
        matchers = (Match("rule", self.rules.one(one.rule_id).name), *(Match(name, text) for name, text in one.labels))
        end = None if seconds is None else now + seconds
        return self.silence(Silence(id="", matchers=matchers, start=now, end=end, author=author, comment=comment))

    def end_silence(self, silence_id: str) -> None:
        """Let it be heard again."""
        before = next((one for one in self._alerts.silences() if one.id == silence_id), None)
        if before is None:
            raise UnknownAlert(f"no silence {silence_id!r}")
        written(self._writer, lambda: self._alerts.drop_silence(silence_id), "silence")
        self._audit.note("silence.end", silence_id, before=before)

    def channels(self) -> list[str]:
        """The channels that can be used with the settings in force."""
        return sorted(name for name, problem in self.reachable().items() if not problem)

    def test(self, channel: str, *, patience: float = TEST_SECONDS) -> list[Delivery]:
        """Send a message the whole way through the outbox to *channel*; its attempts within *patience* seconds."""
        known = self.reachable()
        problem = known.get(channel, f"no channel {channel!r}; known: {', '.join(sorted(known))}")
        if problem:
            raise RuleError(f"{channel}: {problem}")
        message = trial(channel, self._clock.now())
        step = Step(notifications=(message,))
        written(self._writer, lambda: self._alerts.commit(step), "test")
        deadline, pause = self._clock.monotonic() + patience, threading.Event()
        while True:
            window = Window(message.created - 1.0, self._clock.now() + 1.0)
            attempts = [
                one for one in self._alerts.deliveries(window, 1_000).deliveries if one.notification_id == message.id
            ]
            if attempts or self._clock.monotonic() > deadline:
                return attempts
            pause.wait(POLL_SECONDS)

    def _note(self, action: str, before: Incident, after: Incident, by: str) -> None:
        rule = before.rule_id
        was, now = (f"{one.state.value} {one.acknowledged_by}".strip() for one in (before, after))
        self._audit.note(action, f"{rule} ({before.id})", before=was, after=now, by=by)


def _named(name: str, what: str) -> str:
    if not name.strip():
        raise RuleError(f"say {what}")
    return name.strip()[:LONGEST]


def _merged(spans: Sequence[Firing]) -> list[Firing]:
    """*spans* (by name and start) with those that overlap put together; the worst severity of them stands."""
    found: list[Firing] = []
    for span in spans:
        last = found[-1] if found else None
        if last is not None and last.name == span.name and span.start <= last.end:
            worse = max(last.severity, span.severity, key=lambda one: one.rank)
            found[-1] = _replace(last, end=max(last.end, span.end), severity=worse)
        else:
            found.append(span)
    return found
