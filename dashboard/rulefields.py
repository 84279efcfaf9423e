"""The fields of an alert rule in its editor, each with what is wrong with it right below."""

from __future__ import annotations

import zlib

import msgspec
import streamlit as st

from dashboard import alerting, data
from dashboard.fields import Fields, demanded
from perf.alerts import files, templates
from perf.alerts.condition import compile
from perf.model import Aggregate, AlertRule, Escalation, Labels, NoData, RuleKind, Severity, Status
from perf.model.alert import SYSTEM
from perf.selectors import parse
from perf.settingtree import quantity

_replace = msgspec.structs.replace


def drawn(rule: AlertRule, fields: Fields) -> AlertRule:
    """What the fields say, which show *rule* at first."""
    at = f"{zlib.crc32(msgspec.json.encode(rule)):x}"  # What is stored anew is shown anew.
    pressed = bool(st.session_state.get("save_rule"))
    with st.container(horizontal=True, gap="small"):
        name = fields.read(
            lambda: st.text_input("Name", rule.name, key=f"name_{at}", placeholder="what it tells"),
            demanded("a name"),
            "",
            told=pressed,
        )
        kinds = list(RuleKind)
        kind = st.selectbox("Kind", kinds, kinds.index(rule.kind), format_func=words, key=f"kind_{at}", width=150)
    looks = {RuleKind.THRESHOLD: _threshold, RuleKind.ABSENCE: _absence, RuleKind.BURN_RATE: _burn}
    changed = looks.get(kind, _check)(_replace(rule, name=name, kind=kind), at, fields)
    with st.container(horizontal=True, gap="small"):
        held = _span("For", rule.for_seconds, f"for_{at}", fields)
        keep = _span("Keep firing", rule.keep_firing, f"keep_{at}", fields)
        severities = list(Severity)
        place = severities.index(rule.severity)
        severity = st.selectbox("Severity", severities, place, format_func=words, key=f"severity_{at}")
    tell = _channels("Tell", rule.channels, f"tell_{at}", "as in the settings")
    changed = _replace(changed, for_seconds=held, keep_firing=keep, severity=severity, channels=tell)
    with st.expander("When nobody acknowledges"):
        changed = _escalated(changed, at, fields)
    with st.expander("More"):
        return _more(changed, at, fields)


def words(value: str) -> str:
    """A value of an enumeration, for people."""
    return value.replace("_", " ")


def _threshold(rule: AlertRule, at: str, fields: Fields) -> AlertRule:
    condition, metric = fields.read(
        lambda: st.text_input("Condition", rule.condition, key=f"condition_{at}"),
        lambda text: _condition(text, rule.metric),
        (rule.condition, rule.metric),
    )
    with st.container(horizontal=True, gap="small"):
        ways = [one.value for one in Aggregate]
        way = st.selectbox("Of", ways, ways.index(rule.aggregate), key=f"aggregate_{at}", help="of each window")
        window = _span("Window", rule.window, f"window_{at}", fields, least=1.0)
        clear = fields.read(
            lambda: st.number_input(
                "Clear below", value=rule.clear, format="%g", placeholder="the limit", key=f"clear_{at}"
            ),
            lambda limit: _clear(limit, condition),
            rule.clear,
        )
    return _replace(rule, condition=condition, metric=metric, aggregate=way, window=window, clear=clear)


def _condition(text: str | None, metric: str) -> tuple[str, str]:
    """The condition, and the metric that the rule names beside it: the one that the condition does, where both do."""
    found = compile(text or "")
    return found.text, found.metric if metric and found.metric else metric


def _clear(limit: float | None, condition: str) -> float | None:
    if limit is not None and compile(condition).limit is None:
        raise ValueError("it needs a condition with one limit, like: value > 85")
    return limit


def _absence(rule: AlertRule, at: str, fields: Fields) -> AlertRule:
    names = sorted({rule.metric, *(info.metric.name for info in data.known())} - {""})
    place = names.index(rule.metric) if rule.metric in names else None
    metric = fields.read(
        lambda: st.selectbox("Metric that must not stop", names, place, key=f"metric_{at}"), demanded("a metric"), ""
    )
    window = _span("Silent for", rule.window, f"window_{at}", fields, least=1.0)
    return _replace(rule, condition="", metric=metric, window=window)


def _burn(rule: AlertRule, at: str, fields: Fields) -> AlertRule:
    place = 'requests_total{status="500"}'
    bad = fields.read(
        lambda: st.text_input("Bad events", rule.bad, key=f"bad_{at}", placeholder=place), _selector, rule.bad
    )
    total = fields.read(
        lambda: st.text_input("All events", rule.total, key=f"total_{at}", placeholder="requests_total"),
        _selector,
        rule.total,
    )
    with st.container(horizontal=True, gap="small"):
        goal = fields.read(
            lambda: st.number_input(
                "Objective (%)", value=100 * (rule.objective or 0.999), format="%g", key=f"objective_{at}"
            ),
            _objective,
            0.999,
        )
        least = st.number_input("Bad ones at least", 1, value=rule.min_events, key=f"least_{at}")
    return _replace(rule, condition="", metric="", bad=bad, total=total, objective=goal, min_events=least)


def _selector(text: str | None) -> str:
    expression = parse(demanded("a selector")(text))
    if expression.aggregate or expression.across:
        raise ValueError("a selector has no functions")
    return (text or "").strip()


def _objective(percent: float | None) -> float:
    if percent is None or not 0.0 < percent < 100.0:
        raise ValueError("it lies between 0 and 100 %, like 99.9")
    return percent / 100


def _check(rule: AlertRule, at: str, fields: Fields) -> AlertRule:  # noqa: ARG001 - as the other kinds
    probe = st.text_input("Check", rule.probe, key=f"probe_{at}", placeholder="every check")
    states = [one for one in Status if one is not Status.HEALTHY]
    place = states.index(rule.status) if rule.status in states else len(states) - 1
    status = st.selectbox("At least", states, place, format_func=words, key=f"status_{at}")
    return _replace(rule, condition="", metric="", probe=probe.strip(), status=status)


def _escalated(rule: AlertRule, at: str, fields: Fields) -> AlertRule:
    """Reminders, and the steps of the escalation: those there are, and a row for one more."""
    repeat = fields.read(
        lambda: st.text_input(
            "Remind every",
            "" if rule.repeat is None else files.span(rule.repeat),
            key=f"repeat_{at}",
            placeholder="as in the settings",
            help="such as 30m, 4h",
        ),
        lambda text: _seconds(text, 60.0) if text else None,
        rule.repeat,
    )
    steps, number = [], 0
    while True:
        known = rule.escalation[number] if number < len(rule.escalation) else None
        with st.container(horizontal=True, gap="small"):
            after = _span(
                "After", known.after if known else 1800.0 * (number + 1), f"after_{number}_{at}", fields, least=1.0
            )
            channels = _channels("tell too", known.channels if known else (), f"step_{number}_{at}", "nobody else")
        if channels:
            steps.append(Escalation(after=after, channels=channels))
        elif known is None:
            break
        number += 1
    return _replace(rule, repeat=repeat, escalation=tuple(steps))


def _more(rule: AlertRule, at: str, fields: Fields) -> AlertRule:
    message = fields.read(
        lambda: st.text_input("Message", rule.message, key=f"message_{at}", placeholder="{name}: {value:.1f}"),
        _message,
        rule.message,
    )
    only = fields.read(
        lambda: st.text_input(
            "Only series with", _pairs(rule.labels), key=f"labels_{at}", placeholder="host=db1, job=mail"
        ),
        labels,
        rule.labels,
    )
    by = st.text_input("Together but for the labels", ", ".join(rule.by), key=f"by_{at}", placeholder="each by itself")
    runbook = st.text_input("What to do (address)", rule.runbook, key=f"runbook_{at}")
    with st.container(horizontal=True, gap="small"):
        cooldown = _span("Cooldown", rule.cooldown, f"cooldown_{at}", fields)
        ways = list(NoData)
        silent = st.selectbox("Without data", ways, ways.index(rule.no_data), format_func=words, key=f"no_data_{at}")
        broken = _broken(rule.on_error, f"on_error_{at}")
    enabled = st.toggle("Watching", rule.enabled, key=f"enabled_{at}")
    return _replace(
        rule,
        message=message,
        labels=only,
        by=tuple(name.strip() for name in by.split(",") if name.strip()),
        runbook=runbook.strip(),
        cooldown=cooldown,
        no_data=silent,
        on_error=broken,
        enabled=enabled,
    )


def _broken(channel: str, key: str) -> str:
    names = [SYSTEM, *sorted({*alerting.channels(), channel} - {SYSTEM})]
    return st.selectbox(
        "When it can't be evaluated, tell",
        names,
        names.index(channel),
        format_func=lambda name: "as in the settings" if name == SYSTEM else name,
        key=key,
    )


def _message(text: str | None) -> str:
    templates.check(text or "")
    return text or ""


def labels(text: str | None) -> Labels:
    """``host=db1, job=mail`` as labels. Raises: ValueError saying which part is none."""
    found = {}
    for part in filter(str.strip, (text or "").split(",")):
        name, sign, value = (one.strip() for one in part.partition("="))
        if not (name and sign and value):
            raise ValueError(f"{part.strip()!r} is no label: write host=db1")
        found[name] = value
    return tuple(sorted(found.items()))


def _pairs(labels: Labels) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels)


def _channels(label: str, chosen: tuple[str, ...], key: str, nothing: str) -> tuple[str, ...]:
    names = sorted({*alerting.channels(), *chosen})
    return tuple(st.multiselect(label, names, list(chosen), key=key, placeholder=nothing))


def _span(label: str, seconds: float, key: str, fields: Fields, *, least: float = 0.0) -> float:
    return fields.read(
        lambda: st.text_input(label, files.span(seconds), key=key, help="such as 90s, 5m, 1h"),
        lambda text: _seconds(text or "", least),
        seconds,
    )


def _seconds(text: str, least: float) -> float:
    found = quantity(text.strip(), "seconds")
    if found < least:
        raise ValueError(f"at least {files.span(least)}")
    return found
