"""The preview of a rule is what the live evaluator would have done."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from perf.alerts.evaluator import Evaluator
from perf.alerts.kinds import Track
from perf.alerts.kinds.track import BETWEEN, BREACH, CLEARED
from perf.alerts.preview import Preview, preview
from perf.alerts.replay import Band, replay
from perf.alerts.step import Seen, step
from perf.alertsettings import AlertSettings
from perf.clock import ManualClock
from perf.model import (
    EVERY,
    AlertRule,
    Incident,
    IncidentState,
    Kind,
    Labels,
    Metric,
    NoData,
    RuleKind,
    Sample,
    Status,
    Step,
    Transition,
    Window,
)
from perf.settings import Settings
from perf.store.memory import MemoryStore

T0 = 1_700_006_400.0
LOAD = Metric("load_percent", unit="%")
PROBE = Metric("probe_status")
BAD, ALL = (Metric(f"{name}_total", Kind.COUNTER) for name in ("errors", "requests"))


def lived(rule: AlertRule, histories: list[list[float | None]]) -> list[Band]:
    """When *rule* fired, evaluated turn by turn as the samples came."""
    clock = ManualClock(T0 + 1.0)
    store = MemoryStore(Settings().store, clock)
    changes: list[Transition] = []

    def commit(step: Step) -> None:
        store.alerts.commit(step)
        changes.extend(step.transitions)

    store.alerts.put_rule(rule, "test")
    evaluator = Evaluator(store, commit, AlertSettings(), clock)
    ticks = max(map(len, histories))
    for tick in range(ticks):
        store.append([one for n, history in enumerate(histories) for one in told(rule, n, history, tick)])
        evaluator.turn()
        clock.move(EVERY)
    return bands(changes, T0 + ticks * EVERY)


def told(rule: AlertRule, number: int, history: list[float | None], tick: int) -> list[Sample]:
    """What a history means to *rule* at *tick*: a load, a state of a check, or counts of bad events and of all, so far."""
    value = history[tick] if tick < len(history) else None
    if value is None:
        return []
    ts = T0 + tick * EVERY
    if rule.kind is RuleKind.HEALTH_CHECK:
        return [Sample(ts, PROBE, (("probe", f"p{number}"),), float(int(value) % 4))]
    if rule.kind is RuleKind.BURN_RATE:
        known = [one for one in history[: tick + 1] if one is not None]
        bad = sum(one >= 90.0 for one in known)
        return [Sample(ts, BAD, host(number), float(bad)), Sample(ts, ALL, host(number), 2.0 * len(known))]
    return [Sample(ts, LOAD, host(number), value)]


def host(number: int) -> Labels:
    return (("host", str(number)),)


def bands(changes: list[Transition], end: float) -> list[Band]:
    begun: dict[str, Transition] = {}
    over = []
    for change in changes:
        if change.before is change.after:
            continue
        if change.after is IncidentState.RESOLVED:
            first = begun.pop(change.incident_id)
            over.append(Band(first.ts, change.ts, change.labels))
        else:
            begun.setdefault(change.incident_id, change)
    over += [Band(change.ts, end, change.labels) for change in begun.values()]
    return sorted(over, key=lambda band: (band.start, band.labels))


def foreseen(rule: AlertRule, histories: list[list[float | None]]) -> list[Band]:
    clock = ManualClock(T0)
    store = MemoryStore(Settings().store, clock)
    for tick in range(max(map(len, histories))):
        store.append([one for n, history in enumerate(histories) for one in told(rule, n, history, tick)])
    window = Window(T0, T0 + max(map(len, histories)) * EVERY)
    return preview(store, rule, window, alternatives=False).bands


CONDITIONS = [
    "name == 'load_percent' and value > 85",
    "value >= 85 and labels['host'] != '1'",
    "85 < value",
    "value < 20",
    "value > 85 or value < 10",
    "value * 2 > 170",
]
values = st.one_of(st.none(), st.sampled_from([5.0, 50.0, 80.0, 85.0, 90.0, 95.0]))
runs = st.lists(st.tuples(values, st.integers(1, 20)), min_size=1, max_size=8)
histories = st.lists(
    runs.map(lambda found: [value for value, times in found for _ in range(times)]), min_size=1, max_size=3
)


@st.composite
def rules(draw: st.DrawFn) -> AlertRule:
    kind = draw(
        st.sampled_from([RuleKind.THRESHOLD] * 4 + [kind for kind in RuleKind if kind is not RuleKind.THRESHOLD])
    )
    rule = AlertRule(
        id="r",
        name="busy",
        kind=kind,
        metric="load_percent",
        window=draw(st.sampled_from([10.0, 20.0, 30.0, 60.0])),
        for_seconds=draw(st.sampled_from([0.0, 10.0, 25.0, 60.0])),
        keep_firing=draw(st.sampled_from([0.0, 0.0, 15.0, 50.0])),
        no_data=draw(st.sampled_from(list(NoData))),
    )
    if kind is RuleKind.HEALTH_CHECK:
        status = draw(st.sampled_from([Status.UNKNOWN, Status.DEGRADED, Status.UNHEALTHY]))
        return msgspec.structs.replace(rule, metric="", probe=draw(st.sampled_from(["", "p1"])), status=status)
    if kind is RuleKind.BURN_RATE:
        goal, least = draw(st.sampled_from([0.98, 0.995])), draw(st.sampled_from([1, 5]))
        burn = {"metric": "", "bad": "errors_total", "total": "requests_total", "objective": goal, "min_events": least}
        return msgspec.structs.replace(rule, **burn)
    if kind is RuleKind.ABSENCE:
        return msgspec.structs.replace(rule, labels=draw(st.sampled_from([(), host(0), host(9)])))
    condition = draw(st.sampled_from(CONDITIONS))
    single = " or " not in condition and "*" not in condition
    clear = draw(st.sampled_from([None, 80.0 if "< 20" not in condition else 60.0])) if single else None
    return msgspec.structs.replace(
        rule,
        condition=condition,
        clear=clear,
        labels=draw(st.sampled_from([(), (), host(0)])),
        by=draw(st.sampled_from([(), (), (), ("zone",), ("host",)])),
        aggregate=draw(st.sampled_from(["last", "last", "avg", "max"])),
    )


@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules(), histories)
def test_it_fires_when_the_live_evaluator_would_have(rule: AlertRule, given_: list[list[float | None]]) -> None:
    if not any(value is not None for history in given_ for value in history):
        given_[0][0] = 50.0
    assert foreseen(rule, given_) == lived(rule, given_)


def test_alternatives_show_the_trade_between_limit_and_duration() -> None:
    clock = ManualClock(T0)
    store = MemoryStore(Settings().store, clock)
    history = [50.0] * 6 + [90.0] * 3 + [50.0] * 6 + [99.0] * 12 + [50.0] * 3
    store.append([Sample(T0 + i * EVERY, LOAD, (), value) for i, value in enumerate(history)])
    rule = AlertRule(id="r", name="busy", condition="name == 'load_percent' and value > 85", for_seconds=20.0)
    marked = [Window(T0 + 150.0, T0 + 270.0), Window(T0 + 290.0, T0 + 295.0)]
    found = preview(store, rule, Window(T0, T0 + 300.0), marked=marked)
    assert found.bands == [Band(T0 + 80.0, T0 + 90.0, ()), Band(T0 + 170.0, T0 + 270.0, ())]
    assert (found.times, found.seconds, found.marked, found.caught, found.outside) == (2, 110.0, 2, 1, 1)
    table = {(one.limit, one.for_seconds): (one.times, one.caught, one.outside) for one in found.alternatives}
    assert table[85.0, 0.0] == (2, 1, 1)
    assert table[85.0, 60.0] == (1, 1, 0)
    assert table[93.5, 0.0] == (1, 1, 0)
    assert table[85.0, 300.0] == (0, 0, 0)


def noisy(rule: AlertRule, values: list[float | None]) -> Preview:
    clock = ManualClock(T0)
    store = MemoryStore(Settings().store, clock)
    store.append([Sample(T0 + i * EVERY, LOAD, (), value) for i, value in enumerate(values) if value is not None])
    return preview(store, rule, Window(T0, T0 + len(values) * EVERY))


def test_noise_is_counted_exactly_with_every_alternative() -> None:
    rule = AlertRule(id="r", name="busy", condition="name == 'load_percent' and value > 85", keep_firing=5.0)
    found = noisy(rule, [80.0, 90.0] * 1_500)
    assert (found.times, found.left_out, len(found.alternatives)) == (1_500, 0, 15)
    kept = noisy(msgspec.structs.replace(rule, keep_firing=15.0), [80.0, 90.0] * 1_500)
    assert (kept.times, kept.seconds) == (1, 29_990.0)
    cleared = noisy(msgspec.structs.replace(rule, clear=75.0), [80.0, 90.0] * 1_500)
    assert (cleared.times, cleared.seconds) == (1, 29_990.0)


def test_alternatives_of_what_is_silent_very_often_are_left_out_and_counted() -> None:
    rule = AlertRule(id="r", name="busy", condition="name == 'load_percent' and value > 85", window=10.0)
    found = noisy(rule, [90.0, None, None] * 2_002)
    assert (found.times, found.alternatives, found.left_out) == (1, [], 15)
    assert noisy(rule, [90.0, None, None] * 2_000).left_out == 0


def walked(rule: AlertRule, track: Track, window: Window) -> list[Band]:
    """What the state machine says of *track*, asked about every evaluation and at every turn between them."""
    found: list[Band] = []
    incident: Incident | None = None
    following = [*track.ts[1:].tolist(), window.end]
    for index, after in enumerate(following):
        last = float(track.ts[index])
        turns = np.arange(math.floor(last / EVERY) + 1, math.ceil(after / EVERY)) * EVERY
        noticed = [
            (Seen(ts=last, labels=(), breach=None), turn) for turn in turns.tolist() if turn - last > rule.patience
        ]
        for seen, now in [(track.seen(index), last), *noticed]:
            new = step(rule, seen, incident, now).incident
            if incident is not None and new is not None and not new.open and incident.fired_at is not None:
                found.append(Band(incident.fired_at, new.resolved_at or now, ()))
            incident = new if new is not None and new.open else None
    if incident is not None and incident.fired_at is not None:
        found.append(Band(incident.fired_at, window.end, ()))
    return found


steps = st.tuples(
    st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4, 7, 30]), st.sampled_from([CLEARED, CLEARED, BETWEEN, BREACH])
)


@pytest.mark.timeout(600)
@settings(max_examples=1_000, deadline=None)
@given(rules(), st.lists(steps, min_size=1, max_size=60), st.integers(0, 12))
def test_what_is_worked_out_at_once_is_what_the_state_machine_says(
    rule: AlertRule, given_: list[tuple[int, int]], rest: int
) -> None:
    ts = T0 + EVERY * np.cumsum([gap for gap, _ in given_])
    track = Track((), ts, np.array([code for _, code in given_], np.int8), np.zeros(len(ts)))
    window = Window(T0, float(ts[-1]) + EVERY * (rest + 1))
    assert replay(rule, [track], window) == walked(rule, track, window)
