"""The words of a notification: a rule's template filled in, or our own."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import msgspec

from perf.errors import PerfError
from perf.model import AlertRule, Incident, IncidentState, Labels

LISTED = 20
"""Incidents that one message names; the rest are counted."""
_FIELD = re.compile(r"\{(?P<name>[^{}:]*)(?::(?P<form>[^{}]*))?\}")
_FORM = re.compile(r"[+,]?[0-9]{0,2}(\.[0-9]{1,2})?[defg%s]?")
_NAMES = ("name", "value", "severity", "metric", "since", "summary")


class TemplateError(PerfError):
    """A message template names what there isn't."""


def check(template: str) -> None:
    """Raises: TemplateError naming the field that isn't one, or its format."""
    for match in _FIELD.finditer(template):
        if match["name"] not in _NAMES and not match["name"].startswith("labels."):
            raise TemplateError(f"no field {match['name']!r}; known: {', '.join(_NAMES)}, labels.<name>")
        if match["form"] and not _FORM.fullmatch(match["form"]):
            raise TemplateError(f"{match['name']}: no format {match['form']!r}; known: such as .1f, d, %")


def filled(template: str, rule: AlertRule, incident: Incident) -> str:
    """*template* with its fields. Never ``str.format``, which reaches into objects; what isn't known stays as it is."""
    labels = dict(incident.labels)
    values: dict[str, object] = {
        "name": rule.name,
        "value": incident.value,
        "severity": incident.severity.value,
        "metric": rule.metric,
        "since": moment(incident.since),
        # What an incident says may be this very template, filled in before.
        "summary": incident.summary if incident.state is IncidentState.ERROR else "",
    }

    def field(match: re.Match[str]) -> str:
        name, form = match["name"], match["form"] or ""
        value = (
            labels.get(name.removeprefix("labels."), "") if name.startswith("labels.") else values.get(name, match[0])
        )
        return _formatted(value, form) if _FORM.fullmatch(form) else match[0]

    return _FIELD.sub(field, template)


def said(rule: AlertRule, incident: Incident) -> Incident:
    """*incident* with what its rule says of it, while it fires: what lists, searches and SQL tell of it, and go on to tell of it
    when it is over.
    """
    if incident.state is not IncidentState.FIRING:
        return incident
    return msgspec.structs.replace(incident, summary=filled(rule.message, rule, incident))


def title(rule: AlertRule, incident: Incident, kind: str) -> str:
    """One line: what, how it stands, and where."""
    where = named(incident.labels)
    return f"[{kind.upper()}] {rule.name}" + (f" ({where})" if where else "")


def text(rule: AlertRule, incident: Incident, note: str = "") -> str:
    """What, since when, how much, and what to do."""
    lines = [filled(rule.message, rule, incident) if rule.message else incident.summary or rule.name]
    lines.append(f"Since {moment(incident.fired_at or incident.since)}.")
    if incident.value is not None:
        lines[-1] += f" Value: {incident.value:g}."
    if incident.flapping:
        lines.append(f"It comes and goes: {incident.changes} changes lately.")
    if note:
        lines.append(note)
    if rule.runbook:
        lines.append(f"What to do: {rule.runbook}")
    return "\n".join(lines)


def moment(ts: float) -> str:
    """*ts* as people read it, in UTC."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A duration as people read it: ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts[:2]) or "0 s"


def named(labels: Labels) -> str:
    """*labels* as people read them."""
    return ", ".join(f"{name}={value}" for name, value in labels)


def _formatted(value: object, form: str) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float) and form.endswith("d") and math.isfinite(value):
        value = round(value)
    try:
        return format(value, form)
    except ValueError:
        return str(value)
