"""Rules as they are evaluated live: what is stored, what survives a restart, and what people do to incidents."""

from __future__ import annotations

import msgspec
import pytest

from perf.alerts.defaults import DEFAULTS
from perf.alerts.evaluator import BROKEN, Evaluator
from perf.alertsettings import AlertSettings
from perf.clock import ManualClock
from perf.errors import RuleError, StoreError
from perf.model import (
    EVERY,
    AlertRule,
    Delivery,
    Incident,
    IncidentState,
    Kind,
    Match,
    Metric,
    Queued,
    RuleKind,
    Sample,
    Severity,
    Silence,
    Step,
)
from perf.settings import Settings
from perf.sources.own import SET_ASIDE
from perf.store.memory import MemoryStore

T0 = 1_700_006_400.0
LOAD = Metric("load_percent", unit="%")
RULE = AlertRule(id="r", name="busy", condition="name == 'load_percent' and value > 85", for_seconds=20.0)


class Bench:
    """A store, a clock and an evaluator, which may be begun again."""

    def __init__(self, *rules: AlertRule) -> None:
        self.clock = ManualClock(T0 + 1.0)
        self.store = MemoryStore(Settings().store, self.clock)
        self.failing = False
        for rule in rules:
            self.store.alerts.put_rule(rule, "test")
        self.restart()

    def restart(self) -> None:
        self.evaluator = Evaluator(self.store, self.commit, AlertSettings(), self.clock)

    def commit(self, step: Step) -> None:
        if self.failing:
            raise StoreError("no space")
        self.store.alerts.commit(step)

    def tick(self, *values: float, metric: Metric = LOAD) -> None:
        ts = self.clock.now() - 1.0
        self.store.append([Sample(ts, metric, (("host", str(n)),), value) for n, value in enumerate(values)])
        self.evaluator.turn()
        self.clock.move(EVERY)

    def open(self) -> list[Incident]:
        assert self.store.alerts.incidents() == self.evaluator.incidents()
        return self.evaluator.incidents()


def test_each_series_has_an_incident_of_its_own() -> None:
    bench = Bench(RULE)
    for _ in range(3):
        bench.tick(90.0, 50.0, 95.0)
    assert sorted((one.labels, one.state, one.value) for one in bench.evaluator.incidents()) == [
        ((("host", "0"),), IncidentState.FIRING, 90.0),
        ((("host", "2"),), IncidentState.FIRING, 95.0),
    ]


def test_a_pending_duration_survives_a_restart() -> None:
    bench = Bench(RULE)
    bench.tick(90.0)
    bench.tick(90.0)
    bench.restart()
    bench.tick(90.0)
    (found,) = bench.open()
    assert (found.state, found.since, found.fired_at) == (IncidentState.FIRING, T0, T0 + 20.0)
    bench.restart()
    bench.tick(50.0)
    assert bench.open() == []
    assert [one.resolved_at for one in bench.store.alerts.incidents(open_only=False)] == [T0 + 30.0]


def test_an_incident_says_what_its_rule_says_of_the_newest_value_and_goes_on_to_when_it_is_over() -> None:
    bench = Bench(msgspec.structs.replace(RULE, message="{labels.host} at {value:.0f} %{summary}"))
    bench.tick(90.0)
    assert [one.summary for one in bench.open()] == [""]
    for value, says in ((90.0, ""), (91.0, "0 at 91 %"), (92.0, "0 at 92 %")):
        bench.tick(value)
        assert [one.summary for one in bench.evaluator.incidents()] == [says]
    bench.tick(50.0)
    (over,) = bench.store.alerts.incidents(open_only=False)
    assert (over.state, over.summary) == (IncidentState.RESOLVED, "0 at 92 %")


def test_what_can_not_be_stored_has_not_happened() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0))
    bench.failing = True
    with pytest.raises(StoreError):
        bench.tick(90.0)
    assert bench.open() == []
    bench.failing = False
    bench.clock.move(EVERY)
    bench.tick(90.0)
    assert len(bench.open()) == 1


def test_a_broken_rule_is_an_incident_and_stops_no_other() -> None:
    bench = Bench(RULE, AlertRule(id="b", name="broken", condition="value > nope"))
    for _ in range(3):
        bench.tick(90.0)
    found = {one.rule_id: one for one in bench.evaluator.incidents()}
    assert found["r"].state is IncidentState.FIRING
    assert (found["b"].state, found["b"].labels) == (IncidentState.ERROR, BROKEN)
    assert "no 'nope'" in found["b"].summary
    bench.store.alerts.put_rule(AlertRule(id="b", name="mended", condition="name == 'x' and value > 1"), "test")
    bench.tick(90.0)
    assert [one.rule_id for one in bench.evaluator.incidents()] == ["r"]
    told = [one.notification for one in bench.store.alerts.due(T0 + 1e6) if one.notification.rule_id == "b"]
    assert [(one.kind, one.channel) for one in told] == [("digest", "log")]
    bench.store.alerts.record([delivered(Queued(notification=told[0], attempts=0, next_at=T0))])
    (end,) = [one.notification for one in bench.store.alerts.due(T0 + 1e6) if one.notification.rule_id == "b"]
    assert (end.kind, end.channel) == ("resolved", "log")
    assert "Over: it works again." in end.text


def test_a_corrupt_store_is_a_critical_incident_until_its_file_is_moved_away() -> None:
    bench = Bench(*(rule for rule in DEFAULTS if rule.id == "default-corrupt"))
    bench.tick(0.0, metric=SET_ASIDE)
    assert bench.open() == []
    for _ in range(7):
        bench.tick(1.0, metric=SET_ASIDE)
    assert [(one.state, one.severity) for one in bench.open()] == [(IncidentState.FIRING, Severity.CRITICAL)]
    bench.tick(0.0, metric=SET_ASIDE)
    assert bench.open() == []


@pytest.mark.parametrize(
    "changed", [{"enabled": False}, {"condition": "name == 'load_percent' and value > 80"}], ids=["off", "another"]
)
def test_incidents_end_when_their_rule_is_another(changed: dict[str, object]) -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0))
    bench.tick(90.0)
    bench.store.alerts.put_rule(msgspec.structs.replace(RULE, **changed), "test")
    bench.evaluator.turn()
    bench.tick()
    assert bench.open() == []


def queued(bench: Bench) -> list[tuple[str, str]]:
    return [(one.notification.kind, one.notification.channel) for one in bench.store.alerts.due(T0 + 1e6)]


@pytest.mark.parametrize("restarted", [False, True], ids=["live", "after a restart"])
def test_the_end_of_a_dropped_rule_is_told_to_whom_it_was_told(restarted: bool) -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, channels=("slack",)))
    bench.tick(90.0)
    (firing,) = bench.store.alerts.due(T0 + 1e6)
    bench.store.alerts.record([delivered(firing)])
    bench.store.alerts.drop_rule(RULE.id, "test")
    if restarted:
        bench.restart()
    bench.tick(90.0)
    assert bench.open() == []
    assert queued(bench) == [("resolved", "slack")]


def delivered(one: Queued) -> Delivery:
    return Delivery(
        notification_id=one.notification.id, channel=one.notification.channel, attempt=1, ts=T0, outcome="delivered"
    )


def test_until_resolved_ends_with_the_last_incident_it_was_for() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, channels=("slack",), cooldown=0.0))
    silence = Silence(id="s", matchers=(Match("rule", "busy"),), start=T0 - 5.0, end=None, author="me", comment="")
    bench.store.alerts.put_silence(silence)
    bench.tick(50.0, 50.0)
    assert bench.store.alerts.silences() == [silence]  # nothing has fired yet: it waits
    bench.tick(90.0, 90.0)
    bench.tick(50.0, 90.0)
    bench.restart()
    assert bench.store.alerts.silences() == [silence]
    bench.tick(50.0, 50.0)
    assert bench.store.alerts.silences() == []
    assert queued(bench) == []
    bench.tick(50.0, 90.0)
    assert queued(bench) == [("firing", "slack")]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((90.0, 10.0, 90.0, 10.0), [0]),
        ((90.0, 10.0, 10.0, 10.0, 10.0, 90.0, 10.0), [0, 5]),
        ((90.0, 10.0, 90.0, 10.0, 10.0, 90.0, 10.0), [0]),
    ],
    ids=["20 s later", "50 s later", "flapping by then"],
)
def test_the_same_trouble_is_told_again_only_after_the_cooldown(values: tuple[float, ...], told: list[int]) -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, cooldown=50.0, severity=Severity.CRITICAL))
    found = []
    for number, value in enumerate(values):
        begun = bench.clock.now()
        bench.tick(value)
        new = [one.notification for one in bench.store.alerts.due(begun) if one.notification.created == begun]
        found += [number for one in new if one.kind == "firing"]
    assert found == told


def test_people_acknowledge_and_resolve() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0))
    bench.tick(90.0)
    (found,) = bench.open()
    bench.evaluator.acknowledge(found.id, "me")
    assert [one.acknowledged_by for one in bench.open()] == ["me"]
    bench.tick(90.0)
    bench.evaluator.resolve(found.id, "me")
    assert bench.open() == []
    with pytest.raises(RuleError, match="no open incident"):
        bench.evaluator.acknowledge(found.id, "me")


def test_a_sample_that_comes_between_two_evaluations_is_evaluated_at_once_and_once() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, severity=Severity.CRITICAL))
    bench.tick(10.0)
    bench.clock.move(-3.0)  # 8 s after the evaluation, 2 s before the next one.
    assert not bench.evaluator.turn()
    bench.store.append([Sample(T0 + 7.5, LOAD, (("host", "late"),), 99.0)])
    assert bench.evaluator.turn()
    (one,) = bench.open()
    assert (one.labels, one.fired_at, one.history) == ((("host", "late"),), T0, 1)
    assert not bench.evaluator.turn()
    bench.clock.move(3.0)
    bench.tick(10.0)
    assert bench.open() == [one]


def test_a_group_is_judged_when_all_of_it_is_there() -> None:
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, by=("zone",)))
    bench.tick(99.0)
    (one,) = bench.open()
    bench.clock.move(-3.0)
    bench.store.append([Sample(T0 + 7.5, LOAD, (("host", "late"),), 10.0)])
    bench.evaluator.turn()
    assert bench.open() == [one]


def test_a_group_whose_samples_all_come_late_is_judged_at_the_next_evaluation() -> None:
    quick = msgspec.structs.replace(RULE, id="q", name="each", for_seconds=0.0)
    bench = Bench(msgspec.structs.replace(RULE, for_seconds=0.0, by=("zone",)), quick)
    bench.tick(10.0, metric=Metric("other"))
    bench.clock.move(-3.0)
    bench.store.append([Sample(T0 + 7.5, LOAD, (("host", "late"),), 99.0)])
    bench.evaluator.turn()
    bench.evaluator.turn()
    assert [incident.rule_id for incident in bench.open()] == ["q"]
    bench.clock.move(3.0)
    bench.tick(10.0, metric=Metric("other"))
    assert sorted(incident.rule_id for incident in bench.open()) == ["q", "r"]


def test_a_clock_set_back_does_not_stop_it() -> None:
    bench = Bench(RULE)
    bench.tick(50.0)
    bench.clock.jump(-3_600.0)
    for _ in range(400):
        bench.tick(90.0)
    assert [one.state for one in bench.evaluator.incidents()] == [IncidentState.FIRING]


def test_samples_that_stop_are_told_of_and_forgiven() -> None:
    bench = Bench(AlertRule(id="a", name="gone", kind=RuleKind.ABSENCE, metric="load_percent", window=30.0))
    bench.tick()
    assert [one.state for one in bench.open()] == [IncidentState.FIRING]
    bench.tick(1.0)
    assert bench.open() == []
    for _ in range(4):
        bench.tick()
    assert [(one.state, one.value) for one in bench.open()] == [(IncidentState.FIRING, 40.0)]


def test_a_bad_health_check_fires() -> None:
    bench = Bench(AlertRule(id="h", name="health", kind=RuleKind.HEALTH_CHECK))
    bench.tick(2.0, 3.0, metric=Metric("probe_status"))
    assert [one.labels for one in bench.open()] == [(("host", "1"),)]


def test_a_budget_that_burns_too_fast_fires_once_it_is_enough() -> None:
    rule = AlertRule(
        id="s", name="slo", kind=RuleKind.BURN_RATE, objective=0.99, bad="failed_total", total="asked_total"
    )
    bench = Bench(rule)
    asked, failed = Metric("asked_total", Kind.COUNTER), Metric("failed_total", Kind.COUNTER)
    first = None
    for minute in range(90):
        bad = max(0, minute - 60) * 0.5
        ts = bench.clock.now() - 1.0
        bench.store.append([Sample(ts, asked, (), minute * 1.0), Sample(ts, failed, (), bad)])
        bench.evaluator.turn()
        bench.clock.move(60.0)
        if first is None and bench.evaluator.incidents():
            first = minute
    # One request a minute, every other fails from minute 61 on: the tenth failure is counted 20 minutes later.
    assert first is not None
    assert 80 <= first <= 82
