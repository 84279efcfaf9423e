"""Who is told of an incident, when, and with what: grouping, cooldown, reminders, escalation, silences, inhibition. Pure.

An incident is told of once it fires and nothing mutes it, be that later; what was told stands on the incident itself (*notices*,
*notified_at*, *told*), so that a restart changes nothing, and a rule that gets other channels leaves nobody without the end.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from perf.alerts import templates
from perf.alerts.inhibition import Inhibitors
from perf.alerts.silences import covering
from perf.alertsettings import AlertSettings
from perf.model import AlertRule, Incident, IncidentState, Notification, Severity, Silence, Transition
from perf.model.alert import SYSTEM

FIRING, RESOLVED, DIGEST, TEST = "firing", "resolved", "digest", "test"
FLAPPING_REST = 900.0
"""Seconds between two firings that are told of what comes and goes, at least."""
_MINE = frozenset({IncidentState.NO_DATA, IncidentState.ERROR})


class _Moment(msgspec.Struct, frozen=True):
    """What every decision of one turn looks at."""

    incidents: Sequence[Incident]
    rules: Mapping[str, AlertRule]
    silences: Sequence[Silence]
    settings: AlertSettings
    now: float
    inhibitors: Inhibitors


def notifications(
    transitions: Iterable[Transition],
    incidents: Sequence[Incident],
    rules: Iterable[AlertRule],
    silences: Sequence[Silence],
    settings: AlertSettings,
    now: float,
) -> list[Notification]:
    """What to queue at *now*. *incidents*: those open, those that *transitions* ended, and for the cooldown the last day's."""
    known = {rule.id: rule for rule in rules}
    here = _Moment(incidents, known, silences, settings, now, Inhibitors(incidents, known))
    groups: dict[str, list[Incident]] = defaultdict(list)
    latest: dict[str, float] = {}
    for one in incidents:
        if one.rule_id in known and one.state is IncidentState.FIRING:
            groups[group_of(known[one.rule_id], one, settings)].append(one)
        if one.notified_at is not None:
            latest[one.key] = max(latest.get(one.key, 0.0), one.notified_at)
    changed = {change.incident_id: change for change in transitions if change.before is not change.after}
    queued: list[Notification] = []
    for one in incidents:
        rule = known.get(one.rule_id)
        if rule is not None and one.state is IncidentState.FIRING:
            if _wanted(one, rule, latest.get(one.key), here):
                queued += _firing(one, rule, groups[group_of(rule, one, settings)], here)
        elif rule is not None and one.id in changed:
            queued += _ended(one, rule, groups[group_of(rule, one, settings)], here, changed[one.id])
    return queued


def noted(incidents: Iterable[Incident], queued: Iterable[Notification], now: float) -> list[Incident]:
    """Those of *incidents* that *queued* tells of as firing, with that written on them."""
    told: dict[str, list[Notification]] = defaultdict(list)
    for row in queued:
        if row.kind == FIRING:
            told[row.incident_id].append(row)
    return [
        msgspec.structs.replace(one, notified_at=now, notices=one.notices + 1, told=_heard(one, told[one.id]))
        for one in incidents
        if one.id in told and one.state is IncidentState.FIRING
    ]


def _heard(one: Incident, rows: Iterable[Notification]) -> tuple[tuple[str, float], ...]:
    """Every channel that *rows* or earlier ones went to, and from when on: only a step of an escalation can be called off."""
    heard = dict(one.told)
    for row in rows:
        heard.setdefault(row.channel, row.created if first(row) or row.not_before is None else row.not_before)
    return tuple(heard.items())


def group_of(rule: AlertRule, incident: Incident, settings: AlertSettings) -> str:
    """Incidents of one group share messages: those of a rule and severity, kept apart by the labels of *group_by*."""
    labels = dict(incident.labels)
    return "|".join([rule.id, incident.severity.value, *(labels.get(name, "") for name in settings.group_by)])


def _wanted(one: Incident, rule: AlertRule, latest: float | None, here: _Moment) -> bool:
    """Whether a firing incident is to be told of now: for the first time, or again."""
    if one.notices == 0:
        rest = max(rule.cooldown, FLAPPING_REST) if one.flapping else rule.cooldown
        if latest is not None and here.now - latest < rest:
            return False
    else:
        slow = one.severity.rank < Severity.HIGH.rank
        pause = rule.repeat or (here.settings.repeat_warning if slow else here.settings.repeat_critical)
        due = one.notified_at is None or here.now - one.notified_at >= pause
        if one.acknowledged_by or one.notices > here.settings.repeats or not due:
            return False
    return not _muted(one, rule, here)


def _muted(one: Incident, rule: AlertRule, here: _Moment) -> bool:
    if covering(here.silences, rule, one.labels, here.now) is not None:
        return True
    return here.inhibitors.of(one, rule) is not None


def _firing(one: Incident, rule: AlertRule, group: Sequence[Incident], here: _Moment) -> list[Notification]:
    """The rows of an incident that fires, and the first time also those of every step of its escalation."""
    at = here.now if one.notices else flush(one, group, here.settings, here.now)
    made = [
        _row(one, rule, channel, FIRING, here, id=f"{one.id}.{one.notices}.{channel}", at=at)
        for channel in rule.channels or here.settings.channels
    ]
    if one.notices or one.acknowledged_by:
        return made
    for number, step in enumerate(rule.escalation):
        note = f"Nobody has acknowledged this for {templates.span(step.after)}."
        made += [
            _row(
                one,
                rule,
                channel,
                FIRING,
                here,
                id=f"{one.id}.step{number}.{channel}",
                at=here.now + step.after,
                note=note,
            )
            for channel in step.channels
        ]
    return made


def _ended(
    one: Incident, rule: AlertRule, group: Sequence[Incident], here: _Moment, change: Transition
) -> list[Notification]:
    """The rows of an incident that stopped to fire just now, or is over."""
    if one.state in _MINE:
        return _trouble(one, rule, here)
    if one.state is not IncidentState.RESOLVED:
        return []
    if one.notices:
        return _resolved(one, rule, group, here)
    return _recovered(one, rule, here, change) if change.before in _MINE else []


def _resolved(one: Incident, rule: AlertRule, group: Sequence[Incident], here: _Moment) -> list[Notification]:
    """To everybody who was told; at once when nothing of its group is left."""
    until = one.acknowledged_at or here.now
    # What an earlier version told of doesn't say to whom.
    told = one.told or [(channel, until) for channel in rule.channels or here.settings.channels]
    at = flush(one, [*group, one], here.settings, here.now) if group else here.now
    note = f"Over after {templates.span((one.resolved_at or here.now) - (one.fired_at or one.since))}."
    return [
        _row(one, rule, channel, RESOLVED, here, id=f"{one.id}.resolved.{channel}", at=at, note=note)
        for channel, since in told
        if since <= until
    ]


def _trouble(one: Incident, rule: AlertRule, here: _Moment) -> list[Notification]:
    """No data, or a rule that is broken: one notice for all rules together, never as if the metric had crossed its limit."""
    if covering(here.silences, rule, one.labels, here.now) is not None:
        return []
    broken = one.state is IncidentState.ERROR
    note = "The rule can't be evaluated." if broken else "The series is silent: this may be over, or go on unseen."
    at, name = here.now + here.settings.group_wait, f"{one.state.value}.{int(here.now)}"
    return [
        msgspec.structs.replace(row, kind=DIGEST)
        for row in _notice(one, rule, one.state, here, kind=one.state.value, name=name, at=at, note=note)
    ]


def _recovered(one: Incident, rule: AlertRule, here: _Moment, change: Transition) -> list[Notification]:
    """No data or a broken rule, and nothing else, has come to an end: to everybody who was told of that."""
    if covering(here.silences, rule, one.labels, one.fired_at or here.now) is not None:
        return []
    note = f"Over: {change.reason}."
    return _notice(one, rule, change.before, here, kind=RESOLVED, name=RESOLVED, at=here.now, note=note)


def _notice(  # noqa: PLR0913 - as `_row`
    one: Incident, rule: AlertRule, state: IncidentState, here: _Moment, *, kind: str, name: str, at: float, note: str
) -> list[Notification]:
    """The rows that tell of *state*, which says nothing about the metric, to whom it concerns."""
    channels = rule.channels or here.settings.channels
    if state is IncidentState.ERROR:
        channels = here.settings.system_channels if rule.on_error == SYSTEM else (rule.on_error,)
    # What the rule said of an incident that fired is about the metric as it was then.
    shown = one if state is IncidentState.ERROR else msgspec.structs.replace(one, summary="")
    text = templates.text(msgspec.structs.replace(rule, message=""), shown, note)
    made = []
    for channel in channels:
        row = _row(one, rule, channel, kind, here, id=f"{one.id}.{name}.{channel}", at=at, note=note)
        made.append(msgspec.structs.replace(row, group=state.value, severity=Severity.MEDIUM, text=text))
    return made


def flush(one: Incident, group: Sequence[Incident], settings: AlertSettings, now: float) -> float:
    """When a group is told of next: *group_wait* after its first incident, then every *group_interval*.

    Worked out from the incidents alone, so all of a group meet at the same instant; what is critical waits for nobody.
    """
    if one.severity is Severity.CRITICAL:
        return now
    first = min((each.fired_at for each in group if each.fired_at is not None), default=now) + settings.group_wait
    return first + max(0, math.ceil((now - first) / settings.group_interval)) * settings.group_interval


def _row(  # noqa: PLR0913 - one row of a table
    one: Incident, rule: AlertRule, channel: str, kind: str, here: _Moment, *, id: str, at: float, note: str = ""
) -> Notification:
    named = {**dict(one.labels), "rule": rule.name}
    return Notification(
        id=id,
        incident_id=one.id,
        group=group_of(rule, one, here.settings),
        kind=kind,
        created=here.now,
        title=templates.title(rule, one, kind.replace("_", " ")),
        text=templates.text(rule, one, note),
        severity=one.severity,
        labels=tuple(sorted(named.items())),
        value=one.value,
        rule_id=rule.id,
        runbook=rule.runbook,
        channel=channel,
        not_before=at,
    )


def first(one: Notification) -> bool:
    """Whether *one* is what an incident begins with, not a reminder or a step of its escalation."""
    return one.id == f"{one.incident_id}.0.{one.channel}"
