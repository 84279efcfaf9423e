"""The state machine of incidents."""

from __future__ import annotations

import msgspec
import pytest

from perf.alerts.step import GONE, Seen, flapping_share, step
from perf.model import AlertRule, Incident, IncidentState, NoData, Severity, Transition

T0 = 1_700_006_400.0
RULE = AlertRule(id="r", name="busy", condition="value > 85", for_seconds=20.0)
PENDING, FIRING, RESOLVED, NO_DATA, ERROR = (
    IncidentState.PENDING,
    IncidentState.FIRING,
    IncidentState.RESOLVED,
    IncidentState.NO_DATA,
    IncidentState.ERROR,
)


def changed(rule: AlertRule, **changes: object) -> AlertRule:
    return msgspec.structs.replace(rule, **changes)


def run(rule: AlertRule, codes: str, before: Incident | None = None) -> tuple[Incident | None, list[Transition]]:
    """Evaluate every 10 s: ``#`` breaches, ``-`` lies between limit and clear limit, ``.`` is cleared, a blank is skipped."""
    told: list[Transition] = []
    for tick, code in enumerate(codes):
        if code == " ":
            continue
        ts = T0 + 10.0 * tick
        seen = Seen(ts, (), breach=code == "#", cleared=code == ".", value=1.0)
        before, changes = step(rule, seen, before, ts)
        told += changes
    return before, told


def states(found: list[Transition]) -> list[tuple[float, IncidentState]]:
    return [(change.ts - T0, change.after) for change in found if change.before is not change.after]


def test_it_fires_once_the_condition_held_for_the_duration() -> None:
    assert states(run(RULE, "..##")[1]) == []
    assert states(run(RULE, "..####")[1]) == [(40.0, FIRING)]
    assert states(run(RULE, "..##.##.##")[1]) == []


def test_without_a_duration_it_fires_at_once_and_ends_at_once() -> None:
    assert states(run(changed(RULE, for_seconds=0.0), ".#.")[1]) == [(10.0, FIRING), (20.0, RESOLVED)]


def test_between_the_limits_it_neither_begins_nor_ends() -> None:
    assert states(run(RULE, "---###--#--.")[1]) == [(50.0, FIRING), (110.0, RESOLVED)]


def test_it_keeps_firing_until_it_was_clear_for_long_enough() -> None:
    rule = changed(RULE, keep_firing=30.0)
    assert states(run(rule, "###..#...")[1]) == [(20.0, FIRING), (80.0, RESOLVED)]


def test_a_gap_of_two_windows_begins_the_duration_anew() -> None:
    rule = changed(RULE, window=10.0)
    assert states(run(rule, "##  #")[1]) == []
    assert states(run(rule, "##  ###")[1]) == [(60.0, FIRING)]
    assert states(run(rule, "## #")[1]) == [(30.0, FIRING)]


def test_each_trouble_has_an_id_of_its_own_that_a_replay_repeats() -> None:
    ids = {change.incident_id for change in run(RULE, "###.###.")[1]}
    assert len(ids) == 2
    assert ids == {change.incident_id for change in run(RULE, "###.###.")[1]}


def test_a_silent_series_stays_open_as_no_data_until_it_is_back() -> None:
    firing, _ = run(RULE, "###")
    silent, told = step(RULE, Seen(T0 + 20.0, (), None), firing, T0 + 200.0)
    assert silent is not None
    assert [(change.before, change.after) for change in told] == [(FIRING, NO_DATA)]
    back = step(RULE, Seen(T0 + 210.0, (), breach=True), silent, T0 + 210.0)
    assert [(change.before, change.after) for change in back.transitions] == [(NO_DATA, FIRING)]
    gone = step(RULE, Seen(T0 + 20.0, (), None), silent, T0 + 20.0 + GONE)
    assert [(change.before, change.after) for change in gone.transitions] == [(NO_DATA, RESOLVED)]


def test_what_silence_means_is_the_rules_choice() -> None:
    firing, _ = run(RULE, "###")
    silence = Seen(T0 + 20.0, (), None)
    assert [c.after for c in step(changed(RULE, no_data=NoData.OK), silence, firing, T0 + 200.0)[1]] == [RESOLVED]
    assert [c.after for c in step(changed(RULE, no_data=NoData.ALERT), silence, None, T0 + 200.0)[1]] == [NO_DATA]
    assert step(RULE, silence, None, T0 + 200.0) == (None, ())


def test_a_broken_rule_is_an_error_until_it_works() -> None:
    broken, told = step(RULE, Seen(T0, (), None, error="no such metric"), None, T0)
    assert broken is not None
    assert [(change.after, change.reason) for change in told] == [(ERROR, "no such metric")]
    assert step(RULE, Seen(T0 + 10.0, (), None, error="no such metric"), broken, T0 + 10.0).transitions == ()
    works = step(RULE, Seen(T0 + 20.0, (), breach=False, cleared=True), broken, T0 + 20.0)
    assert [change.after for change in works.transitions] == [RESOLVED]


def test_acknowledging_lapses_when_the_severity_rises() -> None:
    firing, _ = run(RULE, "###")
    assert firing is not None
    known = msgspec.structs.replace(firing, acknowledged_by="me", acknowledged_at=T0)
    seen = Seen(T0 + 30.0, (), breach=True)
    kept = step(changed(RULE, severity=Severity.LOW), seen, known, seen.ts).incident
    assert kept is not None
    assert (kept.acknowledged_by, kept.severity) == ("me", Severity.LOW)
    risen, told = step(changed(RULE, severity=Severity.CRITICAL), seen, known, seen.ts)
    assert risen is not None
    assert (risen.acknowledged_by, risen.severity) == ("", Severity.CRITICAL)
    assert [change.reason for change in told] == ["the severity rose to critical"]


def test_flapping_starts_above_a_fifth_and_stops_below_a_twentieth() -> None:
    rule = changed(RULE, for_seconds=0.0)
    assert not any(change.reason == "flapping" for change in run(rule, "." * 21 + "#.#.")[1][:-1])
    found, told = run(rule, "." * 21 + "#.#.#.")
    assert "flapping" in [change.reason for change in told]
    calm, told = run(rule, "." * 21, found)
    assert "no longer flapping" in [change.reason for change in told]
    assert calm is None


def test_the_share_of_changes_weighs_the_newest_most() -> None:
    assert flapping_share(0) == 0.0
    assert flapping_share(int("01" * 11, 2) & (1 << 21) - 1) == pytest.approx(1.0)
    assert flapping_share(0b1) == pytest.approx(1.2 / 20)
    assert flapping_share(1 << 20) == pytest.approx(0.8 / 20)
