"""The state machine of incidents: one evaluation of one rule for one label set. Pure; preview and live use the same."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from perf.model import AlertRule, Incident, IncidentState, Labels, NoData, Transition
from perf.model.alert import incident_key

MEMORY = 21
"""Evaluations that flapping looks back on. As in Nagios, whose weights and limits these are, too."""
FLAPPING, STEADY = 0.20, 0.05
GONE = 86_400.0
"""After this long (seconds) without data an incident ends: the series is gone."""

_CHANGES = MEMORY - 1
_WEIGHTS = [0.8 + 0.4 * (_CHANGES - 1 - age) / (_CHANGES - 1) for age in range(_CHANGES)]
_MASK = (1 << MEMORY) - 1
_PENDING, _FIRING, _RESOLVED = IncidentState.PENDING, IncidentState.FIRING, IncidentState.RESOLVED
_NO_DATA, _ERROR = IncidentState.NO_DATA, IncidentState.ERROR


class Seen(msgspec.Struct, frozen=True):
    """What one evaluation saw at *ts*, the time of the sample: whether the condition *breach*es (None: no data), and whether
    it is *cleared*, which between the limit and the clear limit it isn't. With an *error* nothing else counts; without data *ts*
    is that of the last sample.
    """

    ts: float
    labels: Labels
    breach: bool | None
    cleared: bool = False
    value: float | None = None
    error: str = ""


class Outcome(NamedTuple):
    """The incident after it (None: there is none, and none to remember), and its changes."""

    incident: Incident | None
    transitions: tuple[Transition, ...] = ()


def step(rule: AlertRule, seen: Seen, incident: Incident | None, now: float) -> Outcome:
    """What *seen* does to the newest *incident* of its key. An incident that is over may be passed: it is what flapping
    remembers. *now* (Unix seconds) counts only where there is no sample.
    """
    after: Incident | None
    if seen.error:
        after, reason = _failed(rule, seen, incident)
    elif seen.breach is None:
        after, reason = _silent(rule, seen, incident, now)
    else:
        moved, reason = _moved(rule, seen, incident)
        after = _remembered(moved, incident)
    if after is None:
        return Outcome(None)
    return Outcome(after, _transitions(rule, after, incident, reason, now if seen.breach is None else seen.ts))


def closed(incident: Incident, now: float, reason: str) -> Outcome:
    """*incident* ended from outside at *now*."""
    after = _over(incident, now)
    return Outcome(after, (_transition(after, incident.state, now, reason),))


def raised(rule: AlertRule, incident: Incident) -> Incident:
    """*incident* in the severity of *rule*; what was acknowledged as less is no longer."""
    if rule.severity is incident.severity:
        return incident
    lapses = rule.severity.rank > incident.severity.rank
    return msgspec.structs.replace(
        incident,
        severity=rule.severity,
        acknowledged_by="" if lapses else incident.acknowledged_by,
        acknowledged_at=None if lapses else incident.acknowledged_at,
    )


@lru_cache(maxsize=8192)
def flapping_share(history: int) -> float:
    """Weighted share of changes from one to the next of the last 21 evaluations; the newest change weighs 1.2, the oldest 0.8."""
    changed = (history ^ (history >> 1)) & (_MASK >> 1)
    if not changed:
        return 0.0
    return sum(weight for age, weight in enumerate(_WEIGHTS) if changed >> age & 1) / _CHANGES


def _moved(rule: AlertRule, seen: Seen, incident: Incident | None) -> tuple[Incident | None, str]:
    if incident is None or not incident.open:
        if seen.breach:
            return _begun(rule, seen, incident), "the condition holds"
        return incident, ""
    if seen.breach:
        return _held(rule, seen, raised(rule, incident))
    return _eased(rule, seen, raised(rule, incident))


def _begun(rule: AlertRule, seen: Seen, before: Incident | None) -> Incident:
    key = incident_key(rule.id, seen.labels)
    return msgspec.structs.replace(
        _new(rule, seen, key),
        state=_PENDING if rule.for_seconds > 0 else _FIRING,
        fired_at=None if rule.for_seconds > 0 else seen.ts,
        flapping=before is not None and before.flapping,
        history=before.history if before is not None else 0,
    )


def _new(rule: AlertRule, seen: Seen, key: str) -> Incident:
    return Incident(
        id=f"{key}-{round(seen.ts * 1000):x}",
        rule_id=rule.id,
        key=key,
        labels=seen.labels,
        state=_PENDING,
        severity=rule.severity,
        since=seen.ts,
        value=seen.value,
        seen=seen.ts,
        breached=seen.ts,
    )


def _held(rule: AlertRule, seen: Seen, incident: Incident) -> tuple[Incident, str]:
    """The condition holds (still)."""
    waited = incident.state is _PENDING and seen.ts - incident.seen > rule.patience
    since = seen.ts if waited else incident.since
    on = msgspec.structs.replace(incident, seen=seen.ts, breached=seen.ts, value=seen.value, since=since)
    if incident.state is _PENDING and seen.ts - since < rule.for_seconds:
        return on, ""
    if incident.state is _FIRING:
        return on, ""
    fired = incident.fired_at if incident.fired_at is not None else seen.ts
    return msgspec.structs.replace(on, state=_FIRING, fired_at=fired), (
        "the condition held for long enough" if incident.state is _PENDING else "data is back, and the condition holds"
    )


def _eased(rule: AlertRule, seen: Seen, incident: Incident) -> tuple[Incident | None, str]:
    """The condition does not hold."""
    if incident.state is _PENDING:
        return _over(incident, seen.ts), "it did not hold for long enough"
    on = msgspec.structs.replace(incident, seen=seen.ts, value=seen.value)
    if incident.state is _FIRING and not seen.cleared:
        return msgspec.structs.replace(on, breached=seen.ts), ""
    if incident.state is _FIRING and seen.ts - incident.breached < rule.keep_firing:
        return on, ""
    back = incident.state is not _FIRING
    return _over(on, seen.ts), "it works again" if back else "the condition no longer holds"


def _silent(rule: AlertRule, seen: Seen, incident: Incident | None, now: float) -> tuple[Incident | None, str]:
    alert = rule.no_data is NoData.ALERT
    if incident is None or not incident.open:
        if not alert or now - seen.ts >= GONE:
            return incident, ""
        begun = _begun(rule, seen, incident)
        return msgspec.structs.replace(begun, state=_NO_DATA, fired_at=now, value=None), "no data"
    if incident.state is _PENDING:
        if alert:
            return msgspec.structs.replace(incident, state=_NO_DATA, fired_at=now), "no data"
        return _over(incident, now), "no data"
    if incident.state is _FIRING:
        if rule.no_data is NoData.OK:
            return _over(incident, now), "no data"
        return msgspec.structs.replace(incident, state=_NO_DATA), "no data"
    if now - incident.seen >= GONE:
        return _over(incident, now), "no data for a day: the series is gone"
    return incident, ""


def _failed(rule: AlertRule, seen: Seen, incident: Incident | None) -> tuple[Incident, str]:
    if incident is None or not incident.open:
        incident = msgspec.structs.replace(_new(rule, seen, incident_key(rule.id, seen.labels)), fired_at=seen.ts)
    return msgspec.structs.replace(incident, state=_ERROR, summary=seen.error, seen=seen.ts), seen.error


def _over(incident: Incident, ts: float) -> Incident:
    return msgspec.structs.replace(incident, state=_RESOLVED, resolved_at=ts, seen=ts)


def _remembered(after: Incident | None, before: Incident | None) -> Incident | None:
    """*after* with one more evaluation in its history; None once there is nothing to remember."""
    if after is None:
        return None
    history = (after.history << 1 | (after.state is _FIRING)) & _MASK
    share = flapping_share(history)
    flapping = share > FLAPPING or (after.flapping and share >= STEADY)
    if not after.open and not history and not flapping and (before is None or not before.open):
        return None
    return msgspec.structs.replace(after, history=history, flapping=flapping)


def _transitions(
    rule: AlertRule, after: Incident, before: Incident | None, reason: str, ts: float
) -> tuple[Transition, ...]:
    """Changes worth telling: what only was pending, never was."""
    same = before is not None and before.id == after.id
    was = before.state if before is not None and same else _RESOLVED
    found = []
    if after.state is not was and _PENDING not in (after.state, was if after.state is _RESOLVED else after.state):
        found.append(_transition(after, was, ts, reason))
    if before is None:
        return tuple(found)
    if after.flapping is not before.flapping:
        found.append(_transition(after, after.state, ts, "flapping" if after.flapping else "no longer flapping"))
    if same and after.open and rule.severity.rank > before.severity.rank:
        found.append(_transition(after, after.state, ts, f"the severity rose to {rule.severity.value}"))
    return tuple(found)


def _transition(after: Incident, was: IncidentState, ts: float, reason: str) -> Transition:
    return Transition(
        ts=ts,
        incident_id=after.id,
        rule_id=after.rule_id,
        labels=after.labels,
        before=was,
        after=after.state,
        value=after.value,
        reason=reason,
    )
