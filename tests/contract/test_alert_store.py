"""What every store promises about alerting, asked of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from perf.clock import ManualClock
from perf.errors import StoreError
from perf.model import (
    AlertRule,
    Delivery,
    Incident,
    IncidentFilter,
    IncidentState,
    Match,
    Notification,
    Severity,
    Silence,
    Step,
    Transition,
    Waiting,
    Window,
)
from perf.plugins import STORES, resolve
from perf.ports import MetricStore
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from tests.emptystore import empty
from tests.owners import Owners

T0 = 1_700_006_400.0
DAY = 86_400.0
EVER = Window(0.0, 4e9)
RULE = AlertRule(id="r1", name="busy", condition="name == 'x' and value > 1", labels=(("host", "é"),), clear=0.5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


Opener = Callable[[], MetricStore]


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, owners: Owners) -> Iterator[Opener]:
    stores: list[MetricStore] = []
    make = owners.store if request.param == "remote" else resolve("store", request.param, STORES)

    def open_() -> MetricStore:
        settings = StoreSettings(path=str(empty(tmp_path / "x.duckdb")))
        stores.append(make(settings, clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Opener) -> MetricStore:
    return opened()


def incident(id_: str, **changes: object) -> Incident:
    first = Incident(
        id=id_,
        rule_id="r1",
        key="k",
        labels=(("host", "a"),),
        state=IncidentState.FIRING,
        severity=Severity.HIGH,
        since=T0,
        fired_at=T0 + 60.0,
        value=2.0,
    )
    return msgspec.structs.replace(first, **changes)


def notification(id_: str, **changes: object) -> Notification:
    first = Notification(
        id=id_,
        incident_id="i1",
        group="g",
        kind="firing",
        created=T0,
        title="busy",
        text="it is busy",
        severity=Severity.HIGH,
        labels=(),
        value=None,
        rule_id="r1",
        runbook="",
        channel="email",
    )
    return msgspec.structs.replace(first, **changes)


def test_a_rule_is_kept_replaced_and_dropped(store: MetricStore) -> None:
    store.alerts.put_rule(RULE, "me")
    store.alerts.put_rule(msgspec.structs.replace(RULE, id="r2", name="afar"), "me")
    assert [rule.name for rule in store.alerts.rules()] == ["afar", "busy"]
    changed = msgspec.structs.replace(RULE, for_seconds=60.0)
    store.alerts.put_rule(changed, "you")
    store.alerts.drop_rule("r2", "you")
    store.alerts.drop_rule("nobody", "you")
    assert store.alerts.rules() == [changed]


def test_a_rule_that_was_dropped_is_still_known(store: MetricStore) -> None:
    store.alerts.put_rule(RULE, "me")
    last = msgspec.structs.replace(RULE, channels=("slack",))
    store.alerts.put_rule(last, "me")
    store.alerts.drop_rule("r1", "me")
    assert (store.alerts.dropped("r1"), store.alerts.dropped("nobody")) == (last, None)


def test_rules_change_together(store: MetricStore) -> None:
    store.alerts.put_rule(RULE, "me")
    others = [msgspec.structs.replace(RULE, id=f"n{n}", name=f"rule {n}") for n in range(3)]
    store.alerts.change_rules({"r1": None, **{rule.id: rule for rule in others}}, "me")
    assert store.alerts.rules() == others


@pytest.mark.parametrize("opened", ["duckdb"], indirect=True)
def test_rules_change_all_or_not_at_all(opened: Opener) -> None:
    store = opened()
    store.alerts.put_rule(RULE, "me")
    broken = msgspec.structs.replace(RULE, id="n1", name="\udc80")  # a lone surrogate can't be stored
    with pytest.raises((StoreError, UnicodeEncodeError)):
        store.alerts.change_rules({"r1": None, "n0": msgspec.structs.replace(RULE, id="n0"), "n1": broken}, "me")
    assert store.alerts.rules() == [RULE]
    store.close()
    assert opened().alerts.rules() == [RULE]


def test_a_silence_is_kept_replaced_and_dropped(store: MetricStore) -> None:
    one = Silence(id="s", matchers=(Match("rule", "busy"),), start=T0, end=None, author="me", comment="deploy")
    store.alerts.put_silence(one)
    ended = msgspec.structs.replace(one, end=T0 + 5.0)
    store.alerts.put_silence(ended)
    assert store.alerts.silences() == [ended]
    store.alerts.drop_silence("s")
    assert store.alerts.silences() == []


def test_a_silence_ends_with_the_step_that_ends_it(opened: Opener) -> None:
    store = opened()
    one = Silence(id="s", matchers=(Match("rule", "busy"),), start=T0, end=None, author="me", comment="deploy")
    for id_ in ("s", "t"):
        store.alerts.put_silence(msgspec.structs.replace(one, id=id_))
    store.alerts.commit(Step(silences=("s", "nobody")))
    assert [left.id for left in store.alerts.silences()] == ["t"]
    if not isinstance(store, MemoryStore):
        store.close()
        assert [left.id for left in opened().alerts.silences()] == ["t"]


def test_the_newer_incident_replaces_the_older(store: MetricStore) -> None:
    store.alerts.commit(Step(incidents=(incident("i1"), incident("i2", since=T0 - 5.0))))
    newer = incident("i1", acknowledged_by="me", value=None)
    store.alerts.commit(Step(incidents=(newer,)))
    assert store.alerts.incidents() == [incident("i2", since=T0 - 5.0), newer]


def test_what_is_over_stays_for_a_day_among_all(store: MetricStore, clock: ManualClock) -> None:
    over = incident("i1", state=IncidentState.RESOLVED, resolved_at=T0)
    store.alerts.commit(Step(incidents=(over,)))
    assert store.alerts.incidents() == []
    assert store.alerts.incidents(open_only=False) == [over]
    clock.move(90_000.0)
    assert store.alerts.incidents(open_only=False) == []
    assert store.alerts.history(EVER).incidents == [over]


def test_what_was_only_pending_leaves_no_trace(store: MetricStore) -> None:
    pending = incident("i1", state=IncidentState.PENDING, fired_at=None)
    store.alerts.commit(Step(incidents=(pending,)))
    assert store.alerts.incidents() == [pending]
    assert store.alerts.history(EVER).total == 0
    store.alerts.commit(Step(incidents=(incident("i1", state=IncidentState.RESOLVED, fired_at=None, resolved_at=T0),)))
    assert store.alerts.incidents(open_only=False) == []


def test_the_past_is_found_by_page_and_filter(store: MetricStore) -> None:
    kept = [incident(f"i{number}", fired_at=T0 + number, summary=f"Summary {number}") for number in range(5)]
    kept[3] = msgspec.structs.replace(kept[3], severity=Severity.LOW, labels=(("host", "B%_"),))
    kept[4] = msgspec.structs.replace(kept[4], state=IncidentState.RESOLVED, resolved_at=T0 + 9.0)
    store.alerts.commit(Step(incidents=tuple(kept)))
    history = store.alerts.history
    assert [one.id for one in history(EVER, 2, 1).incidents] == ["i3", "i2"]
    assert (history(EVER, 2, 1).total, history(EVER, 2, 99).total, history(EVER, 2, 99).incidents) == (5, 5, [])
    assert [one.id for one in history(Window(T0 + 10.0, T0 + 20.0)).incidents] == ["i3", "i2", "i1", "i0"]
    assert [one.id for one in history(Window(T0, T0 + 1.0)).incidents] == ["i0"]
    assert [one.id for one in history(EVER, wanted=IncidentFilter(severity=Severity.LOW)).incidents] == ["i3"]
    assert [one.id for one in history(EVER, wanted=IncidentFilter(state=IncidentState.RESOLVED)).incidents] == ["i4"]
    assert [one.id for one in history(EVER, wanted=IncidentFilter(search="b%_")).incidents] == ["i3"]
    assert [one.id for one in history(EVER, wanted=IncidentFilter(search="SUMMARY 2")).incidents] == ["i2"]
    assert history(EVER, wanted=IncidentFilter(rule_id="r9")).total == 0


def test_a_notification_waits_for_its_time_and_is_queued_once(store: MetricStore) -> None:
    store.alerts.commit(
        Step(notifications=(notification("n1"), notification("n2", channel="log", not_before=T0 + 9.0)))
    )
    store.alerts.commit(Step(notifications=(notification("n1", text="again"),)))
    assert [(one.notification.id, one.attempts, one.next_at) for one in store.alerts.due(T0)] == [("n1", 0, T0)]
    assert [one.notification.id for one in store.alerts.due(T0 + 9.0)] == ["n1", "n2"]
    assert store.alerts.due(T0)[0].notification == notification("n1")
    assert store.alerts.due(T0 - 1.0) == []


def test_notifications_of_an_incident_keep_their_order(store: MetricStore) -> None:
    first, second = notification("z"), notification("a", kind="resolved")
    later = notification("0", not_before=T0 + 900.0)
    other = notification("b", incident_id="i2")
    tests = (notification("t1", incident_id=""), notification("t2", incident_id=""))
    store.alerts.commit(Step(notifications=(later, first, second, other, *tests)))
    assert [one.notification.id for one in store.alerts.due(T0)] == ["z", "b", "t1", "t2"]
    failed = Delivery(notification_id="z", channel="email", attempt=1, ts=T0 + 5.0, outcome="retry", detail="no")
    store.alerts.record([failed], T0 + 60.0)
    assert [one.notification.id for one in store.alerts.due(T0 + 30.0)] == ["b", "t1", "t2"]
    assert [(one.notification.id, one.attempts) for one in store.alerts.due(T0 + 60.0, 1)] == [("z", 1)]
    store.alerts.record([msgspec.structs.replace(failed, attempt=2, outcome="delivered", detail="")])
    assert [one.notification.id for one in store.alerts.due(T0 + 60.0)] == ["a", "b", "t1", "t2"]
    store.alerts.commit(Step(notifications=(first,)))
    assert "z" not in [one.notification.id for one in store.alerts.due(T0 + 60.0)]


def test_attempts_are_told_the_newest_first(store: MetricStore) -> None:
    attempts = [
        Delivery(notification_id="n", channel="log", attempt=n, ts=T0 + n, outcome="retry", detail="é", seconds=0.5)
        for n in (1, 2, 3)
    ]
    for attempt in attempts:
        store.alerts.record([attempt], T0)
    page = store.alerts.deliveries(EVER, 2, 1)
    assert (page.deliveries, page.total) == ([attempts[1], attempts[0]], 3)
    assert store.alerts.deliveries(Window(T0 + 3.0, T0 + 4.0)).deliveries == [attempts[2]]
    assert store.alerts.deliveries(EVER, 2, 9).total == 3


def test_attempts_are_counted_by_channel_and_outcome(store: MetricStore) -> None:
    for n, (channel, outcome) in enumerate(
        [("log", "retry"), ("log", "retry"), ("log", "dead"), ("file", "delivered")]
    ):
        one = Delivery(notification_id="n", channel=channel, attempt=n, ts=T0 + n, outcome=outcome)
        store.alerts.record([one])
    found = [(one.channel, one.outcome, one.count) for one in store.alerts.tallies(Window(T0 + 1.0, T0 + 4.0))]
    assert found == [("file", "delivered", 1), ("log", "dead", 1), ("log", "retry", 1)]
    assert store.alerts.tallies(Window(T0 + 9.0, T0 + 10.0)) == []


def test_what_waits_is_counted_by_channel_with_the_oldest_that_could_be_sent(store: MetricStore) -> None:
    later = notification("later", not_before=T0 + 900.0)
    rows = (
        notification("n1"),
        notification("n2", created=T0 + 5.0),
        later,
        notification("n3", channel="log", not_before=T0 + 60.0),
    )
    store.alerts.commit(Step(notifications=rows))
    assert store.alerts.waiting(T0 + 10.0) == [
        Waiting(channel="email", count=3, since=T0),
        Waiting(channel="log", count=1, since=None),
    ]
    tried = Delivery(notification_id="n1", channel="email", attempt=1, ts=T0 + 10.0, outcome="retry")
    store.alerts.record([tried], T0 + 600.0)
    assert store.alerts.waiting(T0 + 10.0)[0].since == T0
    store.alerts.record([msgspec.structs.replace(tried, attempt=2, outcome="delivered")])
    assert store.alerts.waiting(T0 + 10.0)[0] == Waiting(channel="email", count=2, since=T0 + 5.0)


def test_what_is_open_or_waits_outlives_retention(store: MetricStore, clock: ManualClock) -> None:
    over = incident("over", state=IncidentState.RESOLVED, resolved_at=T0 + 60.0)
    later = incident("later", state=IncidentState.RESOLVED, resolved_at=T0 + 80 * DAY)
    sent = notification("over.0.email", incident_id="over")
    waits = notification("over.resolved.email", incident_id="over")
    held = notification("open.0.email", incident_id="open")
    changes = tuple(
        Transition(
            ts=T0, incident_id=id_, rule_id="r1", labels=(), before=IncidentState.RESOLVED, after=IncidentState.FIRING
        )
        for id_ in ("over", "open")
    )
    step = Step(incidents=(over, later, incident("open")), transitions=changes, notifications=(sent, waits, held))
    store.alerts.commit(step)
    done = Delivery(notification_id=sent.id, channel="email", attempt=1, ts=T0, outcome="delivered")
    retry = msgspec.structs.replace(done, notification_id=waits.id, outcome="retry")
    store.alerts.record([done, msgspec.structs.replace(done, notification_id=held.id)])
    store.alerts.record([retry], T0 + 5.0)
    store.maintain(clock.now())
    assert store.alerts.history(EVER).total == 3
    clock.move(100 * DAY)
    store.maintain(clock.now())
    assert {one.id for one in store.alerts.history(EVER).incidents} == {"later", "open"}
    assert [one.notification_id for one in store.alerts.deliveries(EVER).deliveries] == [waits.id]
    assert [one.notification.id for one in store.alerts.due(clock.now())] == [waits.id]
    store.alerts.commit(Step(notifications=(held,)))  # it was sent, and is not sent again
    assert [one.notification.id for one in store.alerts.due(clock.now())] == [waits.id]


@pytest.mark.parametrize("opened", ["duckdb"], indirect=True)
def test_everything_is_there_after_a_restart(opened: Opener) -> None:
    store = opened()
    store.alerts.put_rule(RULE, "me")
    silence = Silence(
        id="s", matchers=(Match("rule", "a.*", pattern=True),), start=T0, end=None, author="a", comment=""
    )
    store.alerts.put_silence(silence)
    change = Transition(
        ts=T0,
        incident_id="i1",
        rule_id="r1",
        labels=(),
        before=IncidentState.RESOLVED,
        after=IncidentState.FIRING,
        reason="it holds",
    )
    step = Step(incidents=(incident("i1"),), transitions=(change, change), notifications=(notification("n1"),))
    store.alerts.commit(step)
    store.close()
    again = opened()
    assert again.alerts.rules() == [RULE]
    assert again.alerts.silences() == [silence]
    assert again.alerts.incidents() == [incident("i1")]
    assert [one.notification for one in again.alerts.due(T0)] == [notification("n1")]
    seen = again.sql("SELECT rule, state, severity FROM perf.alerts").rows  # type: ignore[attr-defined]  # DuckDB's
    assert seen == [("busy", "firing", "high")]
