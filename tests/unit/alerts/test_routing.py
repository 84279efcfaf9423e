from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from perf.alerts.inhibition import Inhibitors
from perf.alerts.routing import first, noted, notifications
from perf.alerts.templates import TemplateError, check, filled
from perf.alertsettings import AlertSettings
from perf.model import (
    AlertRule,
    Escalation,
    Incident,
    IncidentState,
    Match,
    Notification,
    RuleKind,
    Severity,
    Silence,
    Transition,
)
from perf.model.alert import incident_key

T0 = 1_800_000_000.0
RULE = AlertRule(id="r", name="cpu high", severity=Severity.MEDIUM, channels=("email",), message="CPU {value:.1f} %")
SETTINGS = AlertSettings()
TOLD = AlertSettings(channels=("log",))


def fired(n: int = 1, at: float = T0, **changes: object) -> Incident:
    labels = (("host", str(n)),)
    one = Incident(
        id=f"i{n}", rule_id="r", key=incident_key("r", labels), labels=labels, state=IncidentState.FIRING,
        severity=Severity.MEDIUM, since=at, fired_at=at, value=91.26,
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def change(one: Incident, at: float = T0) -> Transition:
    return Transition(
        ts=at, incident_id=one.id, rule_id=one.rule_id, labels=one.labels, before=IncidentState.PENDING, after=one.state
    )


def route(
    incidents: Sequence[Incident], now: float, *, rules: Sequence[AlertRule] = (RULE,), silences: Sequence[Silence] = (),
    settings: AlertSettings = SETTINGS,
) -> list[Notification]:  # fmt: skip
    return notifications([change(one) for one in incidents], incidents, rules, silences, settings, now)


def heard(one: Incident, rule: AlertRule = RULE) -> Incident:
    """*one* after it was told of, as soon as it fired."""
    at = one.fired_at or T0
    (told,) = noted([one], route([one], at, rules=[rule]), at)
    return told


def silence(start: float, end: float | None) -> Silence:
    return Silence(id="s", matchers=(Match("rule", "cpu high"),), start=start, end=end, author="me", comment="")


def test_an_incident_is_told_after_the_group_wait_and_once() -> None:
    (one,) = route([fired()], T0)
    assert (one.id, one.not_before, one.kind, one.channel) == ("i1.0.email", T0 + 30, "firing", "email")
    assert one.title == "[FIRING] cpu high (host=1)"
    assert one.text.startswith("CPU 91.3 %\nSince ")
    assert dict(one.labels) == {"host": "1", "rule": "cpu high"}
    (told,) = noted([fired()], [one], T0)
    assert (told.notices, told.notified_at) == (1, T0)
    assert route([told], T0 + 10) == []


def test_what_is_critical_waits_for_nobody() -> None:
    (one,) = route([fired(severity=Severity.CRITICAL)], T0)
    assert one.not_before == T0


@pytest.mark.parametrize(("later", "flush"), [(0, 30), (20, 30), (30, 30), (31, 330), (300, 330), (331, 630)])
def test_a_group_meets_at_the_same_instants(later: float, flush: float) -> None:
    incidents = [fired(1, notices=1, notified_at=T0), fired(2, T0 + later)]
    (one,) = route(incidents, T0 + later)
    assert (one.incident_id, one.not_before) == ("i2", T0 + flush)


def test_reminders_come_after_the_pause_and_are_capped() -> None:
    told = fired(notices=1, notified_at=T0)
    assert route([told], T0 + 86_399) == []
    (again,) = route([told], T0 + 86_400)
    assert (again.id, again.not_before) == ("i1.1.email", T0 + 86_400)
    assert not first(again)
    assert route([fired(notices=1, notified_at=T0, severity=Severity.HIGH)], T0 + 4 * 3600)
    assert route([msgspec.structs.replace(told, notices=11)], T0 + 86_400) == []
    assert route([told], T0 + 600, rules=[msgspec.structs.replace(RULE, repeat=600.0)])


def test_acknowledged_incidents_are_not_repeated() -> None:
    assert route([fired(notices=1, notified_at=T0, acknowledged_by="me", acknowledged_at=T0)], T0 + 90_000) == []


def test_a_silenced_incident_is_told_when_the_silence_ends() -> None:
    silences = [silence(T0 - 1, T0 + 100)]
    assert route([fired()], T0, silences=silences) == []
    (one,) = route([fired()], T0 + 100, silences=silences)
    assert one.id == "i1.0.email"


def test_cooldown_holds_the_next_firing_back() -> None:
    before = fired(1, state=IncidentState.RESOLVED, resolved_at=T0 + 50, notices=1, notified_at=T0)
    again = msgspec.structs.replace(fired(1, T0 + 100), id="i1b")
    known = [before, again]
    assert notifications([change(again)], known, [RULE], [], SETTINGS, T0 + 100) == []
    (one,) = notifications([], known, [RULE], [], SETTINGS, T0 + 900)
    assert one.incident_id == "i1b"


def test_what_comes_and_goes_is_told_once_in_a_quarter_of_an_hour_whatever_the_cooldown() -> None:
    rule = msgspec.structs.replace(RULE, cooldown=0.0)
    before = heard(fired(id="i0", at=T0 - 60.0), rule)
    over = msgspec.structs.replace(before, state=IncidentState.RESOLVED, resolved_at=T0 - 10.0)
    assert len(route([over, fired()], T0, rules=[rule])) == 2  # The end of the first, and the second.
    again = [change(fired(flapping=True))]
    told = [
        [one.kind for one in notifications(again, [over, fired(flapping=True)], [rule], (), SETTINGS, now)]
        for now in (T0, T0 + 839.0, T0 + 840.0)
    ]
    assert told == [[], [], ["firing"]]


def test_escalation_is_queued_when_it_fires() -> None:
    rule = msgspec.structs.replace(RULE, escalation=(Escalation(900.0, ("pagerduty", "slack")),))
    rows = route([fired()], T0, rules=[rule])
    assert [(one.channel, one.not_before) for one in rows] == [
        ("email", T0 + 30),
        ("pagerduty", T0 + 900),
        ("slack", T0 + 900),
    ]
    assert "Nobody has acknowledged this for 15 min." in rows[1].text


def test_the_end_is_told_to_those_who_were_told() -> None:
    rule = msgspec.structs.replace(RULE, escalation=(Escalation(900.0, ("pagerduty",)),))
    told = heard(fired(), rule)
    assert told.told == (("email", T0), ("pagerduty", T0 + 900))
    for after, channels in ((600.0, ["email"]), (900.0, ["email", "pagerduty"])):
        over = msgspec.structs.replace(told, state=IncidentState.RESOLVED, resolved_at=T0 + after)
        rows = route([over], T0 + after, rules=[rule])
        assert [one.channel for one in rows] == channels
        assert {(one.kind, one.not_before) for one in rows} == {("resolved", T0 + after)}
    acknowledged = msgspec.structs.replace(over, acknowledged_by="me", acknowledged_at=T0 + 10)
    assert [one.channel for one in route([acknowledged], T0 + 1000, rules=[rule])] == ["email"]


def test_a_channel_that_a_rule_loses_meanwhile_is_told_of_the_end_and_one_that_it_gets_only_of_what_it_heard() -> None:
    told = heard(fired())
    moved = msgspec.structs.replace(RULE, channels=("slack",), repeat=600.0)
    over = {"state": IncidentState.RESOLVED, "resolved_at": T0 + 700}
    assert [one.channel for one in route([msgspec.structs.replace(told, **over)], T0 + 700, rules=[moved])] == ["email"]
    (again,) = route([told], T0 + 600, rules=[moved])
    (reminded,) = noted([told], [again], T0 + 600)
    assert again.channel == "slack"
    rows = route([msgspec.structs.replace(reminded, **over)], T0 + 700, rules=[moved])
    assert [one.channel for one in rows] == ["email", "slack"]


def test_the_end_of_what_an_earlier_version_told_of_goes_to_the_rules_channels() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(heard(fired())))
    del kept["told"]
    over = msgspec.convert({**kept, "state": "resolved", "resolved_at": T0 + 60}, Incident)
    assert [one.channel for one in route([over], T0 + 60)] == ["email"]


def test_the_end_of_what_nobody_was_told_is_not_told() -> None:
    assert route([fired(state=IncidentState.RESOLVED, resolved_at=T0 + 5)], T0 + 5) == []


def test_silent_series_and_broken_rules_become_one_notice_each() -> None:
    silent = route([fired(n, state=IncidentState.NO_DATA) for n in (1, 2)], T0)
    assert {(one.group, one.kind, one.not_before) for one in silent} == {("no_data", "digest", T0 + 30)}
    (broken,) = route([fired(state=IncidentState.ERROR)], T0)
    assert (broken.group, broken.channel) == ("error", "log")
    assert noted([fired(state=IncidentState.ERROR)], [broken], T0) == []


@pytest.mark.parametrize("state", [IncidentState.NO_DATA, IncidentState.ERROR])
def test_the_end_of_a_silence_or_a_broken_rule_is_told_to_whom_it_was_told(state: IncidentState) -> None:
    rule = msgspec.structs.replace(RULE, on_error="slack")
    broken = state is IncidentState.ERROR
    one = fired(state=state, summary="no 'nope'" if broken else "CPU 91.3 %", value=None)
    (begin,) = route([one], T0, rules=[rule])
    assert begin.text.splitlines()[0] == ("no 'nope'" if broken else "cpu high")  # Nothing about the metric.
    over = msgspec.structs.replace(one, state=IncidentState.RESOLVED, resolved_at=T0 + 60)
    ended = msgspec.structs.replace(change(over, T0 + 60), before=state, reason="it works again")
    (end,) = notifications([ended], [over], [rule], (), SETTINGS, T0 + 60)
    assert (end.kind, end.channel, end.incident_id, end.severity) == ("resolved", begin.channel, "i1", begin.severity)
    assert end.text.endswith("Over: it works again.")
    quiet = [silence(T0 - 1, T0 + 100)]
    assert route([one], T0, rules=[rule], silences=quiet) == []
    assert notifications([ended], [over], [rule], quiet, SETTINGS, T0 + 200) == []


def test_a_broken_rule_is_told_to_the_channel_that_it_names_for_that() -> None:
    rule, broken = msgspec.structs.replace(RULE, on_error="slack"), fired(state=IncidentState.ERROR)
    settings = AlertSettings(system_channels=("file", "log"))
    assert [one.channel for one in route([broken], T0, rules=[rule], settings=settings)] == ["slack"]
    assert [one.channel for one in route([broken], T0, settings=settings)] == ["file", "log"]


def test_database_down_inhibits_its_latency_and_critical_its_lesser() -> None:
    down = AlertRule(id="d", name="db", kind=RuleKind.HEALTH_CHECK, probe="database")
    slow = AlertRule(id="r", name="slow queries", metric="db_query_seconds")
    rules = {rule.id: rule for rule in (down, slow)}
    below, above = fired(), msgspec.structs.replace(fired(2), rule_id="d")
    assert Inhibitors([below, above], rules).of(below, slow) == above
    assert Inhibitors([below, above], rules).of(above, down) is None
    assert [one.rule_id for one in route([below, above], T0, rules=[down, slow])] == ["d"]
    over = msgspec.structs.replace(above, state=IncidentState.RESOLVED)
    assert Inhibitors([below, over], rules).of(below, slow) is None


def test_any_failing_check_of_a_database_inhibits_its_latency_and_no_other() -> None:
    every = AlertRule(id="d", name="checks", kind=RuleKind.HEALTH_CHECK)
    slow = AlertRule(id="r", name="slow", condition="name == 'db_query_seconds' and value > 1")
    for probe, quiet in (("database", True), ("disk", False)):
        above = msgspec.structs.replace(fired(2), rule_id="d", labels=(("probe", probe),))
        found = Inhibitors([fired(), above], {"d": every, "r": slow}).of(fired(), slow)
        assert (found == above) is quiet


def test_a_critical_incident_speaks_for_a_lesser_one_of_its_metric_and_labels() -> None:
    low = AlertRule(id="r", name="busy", condition="name == 'cpu_percent' and value > 80")
    worst = AlertRule(
        id="w", name="very busy", metric="cpu_percent", condition="value > 95", severity=Severity.CRITICAL
    )
    rules = {rule.id: rule for rule in (low, worst)}
    above = fired(id="w1", rule_id="w", severity=Severity.CRITICAL)
    assert Inhibitors([fired(), above], rules).of(fired(), low) == above
    assert Inhibitors([fired(), above], rules).of(above, worst) is None
    elsewhere = msgspec.structs.replace(above, labels=(("host", "9"),))
    assert Inhibitors([fired(), elsewhere], rules).of(fired(), low) is None
    assert [one.rule_id for one in route([fired(), above], T0, rules=[low, worst], settings=TOLD)] == ["w"]


def test_templates_reach_into_nothing() -> None:
    for template in ("{value.__class__}", "{0}", "{value:>99999999}", "{labels.__class__.x:d}"):
        text = filled(template, RULE, fired())
        assert "class" not in text or text == template
        assert len(text) < 40
    assert filled("{labels.host} {value:.0f} {value:d} {name}", RULE, fired()) == "1 91 91 cpu high"
    assert filled("{value:.1f}", RULE, fired(value=None)) == "unknown"
    check("{value:.1f} {labels.host}")
    for bad in ("{valu}", "{value:>9999}"):
        with pytest.raises(TemplateError):
            check(bad)
