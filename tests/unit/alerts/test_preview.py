"""The preview of a rule is what the live evaluator would have done."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, given, settings

from perf.alerts.evaluator import Evaluator
from perf.alerts.preview import Band, Preview, preview
from perf.alertsettings import AlertSettings
from perf.clock import ManualClock
from perf.model import (
    EVERY,
    AlertRule,
    IncidentState,
    Labels,
    Metric,
    NoData,
    RuleKind,
    Sample,
    Step,
    Transition,
    Window,
)
from perf.settings import Settings
from perf.store.memory import MemoryStore

T0 = 1_700_006_400.0
LOAD = Metric("load_percent", unit="%")


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
        ts = T0 + tick * EVERY
        values = [(number, history[tick]) for number, history in enumerate(histories) if tick < len(history)]
        store.append([Sample(ts, LOAD, host(n), value) for n, value in values if value is not None])
        evaluator.turn()
        clock.move(EVERY)
    return bands(changes, T0 + ticks * EVERY)


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
    for number, history in enumerate(histories):
        store.append([Sample(T0 + i * EVERY, LOAD, host(number), v) for i, v in enumerate(history) if v is not None])
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
    condition = draw(st.sampled_from(CONDITIONS))
    single = " or " not in condition and "*" not in condition
    clear = draw(st.sampled_from([None, 80.0 if "< 20" not in condition else 60.0])) if single else None
    kind = draw(st.sampled_from([RuleKind.THRESHOLD] * 4 + [RuleKind.ABSENCE]))
    return AlertRule(
        id="r",
        name="busy",
        kind=kind,
        metric="load_percent",
        condition=condition,
        clear=clear,
        by=draw(st.sampled_from([(), (), (), ("zone",)])),
        aggregate=draw(st.sampled_from(["last", "last", "avg", "max"])) if kind is RuleKind.THRESHOLD else "last",
        window=draw(st.sampled_from([20.0, 30.0, 60.0])),
        for_seconds=draw(st.sampled_from([0.0, 10.0, 25.0, 60.0])),
        keep_firing=draw(st.sampled_from([0.0, 0.0, 15.0, 50.0])),
        no_data=draw(st.sampled_from(list(NoData))),
    )


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


def noisy(rule: AlertRule, values: list[float]) -> Preview:
    clock = ManualClock(T0)
    store = MemoryStore(Settings().store, clock)
    store.append([Sample(T0 + i * EVERY, LOAD, (), value) for i, value in enumerate(values)])
    return preview(store, rule, Window(T0, T0 + len(values) * EVERY))


def test_noise_is_counted_exactly_and_its_alternatives_are_bounded() -> None:
    rule = AlertRule(id="r", name="busy", condition="name == 'load_percent' and value > 85", keep_firing=5.0)
    found = noisy(rule, [80.0, 90.0] * 1_500)
    assert (found.times, found.left_out) == (1_500, 9)
    assert {one.limit for one in found.alternatives} == {76.5, 93.5}
    plain = noisy(msgspec.structs.replace(rule, keep_firing=0.0), [80.0, 90.0] * 1_500)
    assert (plain.times, plain.left_out, len(plain.alternatives)) == (1_500, 0, 15)
