from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import msgspec
import pytest

from perf.alerts.channels.port import Channel, ChannelError, Message
from perf.alerts.outbox import Sender, pause, trial
from perf.alertsettings import AlertSettings, SlackSettings
from perf.clock import ManualClock
from perf.model import Delivery, Incident, IncidentState, Match, Notification, Severity, Silence, Step, Window
from perf.ports import AlertStore
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore

T0 = 1_800_000_000.0


class Inline:
    """A writing thread that isn't one."""

    def call(self, function: Callable[[], None], /) -> Future[None]:
        done: Future[None] = Future()
        function()
        done.set_result(None)
        return done


class Fake:
    """A channel that keeps what it took, and fails with what it is told."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.tries = 0
        self.error: Exception | None = None

    def send(self, message: Message) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.taken.append(message)

    def ids(self) -> list[list[str]]:
        return [[one.id for one in message.notifications] for message in self.taken]


class Case:
    """A sender with one channel ``x`` over a store in memory."""

    def __init__(self, settings: AlertSettings | None = None, **more: Channel | str) -> None:
        self.clock = ManualClock(T0)
        self.store: AlertStore = MemoryStore(StoreSettings(backend="memory"), self.clock).alerts
        self.channel = Fake()
        self.sender = Sender(self.store, Inline(), {"x": self.channel, **more}, self.clock, settings)

    def queue(self, *rows: Notification, incidents: tuple[Incident, ...] = ()) -> None:
        self.store.commit(Step(notifications=rows, incidents=incidents))

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.move(seconds)
        self.sender.turn()
        assert self.sender.settled()

    def deliveries(self) -> list[Delivery]:
        return self.store.deliveries(Window(T0 - 1, T0 + 10 * 86_400), 1000).deliveries[::-1]

    def outcomes(self) -> list[tuple[str, str]]:
        return [(one.notification_id, one.outcome) for one in self.deliveries()]


def note(n: int = 1, kind: str = "firing", at: float = T0, **changes: object) -> Notification:
    name = {"firing": f"i{n}.0.x", "resolved": f"i{n}.resolved.x"}.get(kind, kind)
    one = Notification(
        id=name, incident_id=f"i{n}", group=f"g{n}", kind=kind, created=T0, title=name, text="", severity=Severity.HIGH,
        labels=(), value=None, rule_id="r", runbook="", channel="x", not_before=at,
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def incident(n: int = 1, state: IncidentState = IncidentState.FIRING, **changes: object) -> Incident:
    one = Incident(
        id=f"i{n}", rule_id="r", key=f"k{n}", labels=(), state=state, severity=Severity.HIGH, since=T0, fired_at=T0,
        seen=T0, resolved_at=T0 + 1 if state is IncidentState.RESOLVED else None,
    )  # fmt: skip
    return msgspec.structs.replace(one, **changes)


def test_what_is_due_is_sent_once() -> None:
    case = Case()
    case.queue(note(at=T0 + 30), incidents=(incident(),))
    case.turn(29)
    assert case.channel.ids() == []
    case.turn(1)
    case.turn(1)
    assert case.channel.ids() == [["i1.0.x"]]
    assert case.outcomes() == [("i1.0.x", "delivered")]


def test_a_group_that_is_due_at_one_instant_is_one_message() -> None:
    case = Case()
    case.queue(note(1, group="g"), note(2, group="g"), note(3, group="h"))
    case.turn()
    assert case.channel.ids() == [["i1.0.x", "i2.0.x"], ["i3.0.x"]]


def test_a_failure_is_tried_again_and_nothing_overtakes() -> None:
    case = Case()
    case.queue(note(), note(kind="resolved"), incidents=(incident(),))
    case.channel.error = ChannelError("down")
    case.turn()
    case.turn(1)
    assert case.channel.tries == 1
    case.channel.error = None
    for _ in range(4):
        case.turn(2)
    assert case.channel.ids() == [["i1.0.x"], ["i1.resolved.x"]]
    assert [outcome for _, outcome in case.outcomes()] == ["retry", "delivered", "delivered"]


def test_begin_and_end_that_both_wait_become_one() -> None:
    case = Case()
    case.queue(note(at=T0 + 30), incidents=(incident(),))
    case.queue(note(kind="resolved", at=T0 + 10), incidents=(incident(1, IncidentState.RESOLVED),))
    case.turn(10)
    case.turn(20)
    assert case.channel.ids() == [["i1.resolved.x"]]
    assert case.outcomes() == [("i1.resolved.x", "delivered"), ("i1.0.x", "cancelled")]


@pytest.mark.parametrize("state", [IncidentState.NO_DATA, IncidentState.RESOLVED])
def test_a_notice_of_silence_is_not_sent_after_its_end(state: IncidentState) -> None:
    case = Case()
    case.queue(note(kind="digest", at=T0 + 30), incidents=(incident(state=IncidentState.NO_DATA),))
    over = state is IncidentState.RESOLVED
    case.queue(*([note(kind="resolved", at=T0 + 10)] if over else []), incidents=(incident(state=state),))
    case.turn(10)
    case.turn(20)
    assert case.channel.ids() == [["i1.resolved.x"] if over else ["digest"]]
    assert case.outcomes()[-1] == ("digest", "cancelled" if over else "delivered")


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, True),
        ({"acknowledged_by": "me"}, False),
        ({"state": IncidentState.RESOLVED}, False),
    ],
)
def test_a_step_of_the_escalation_is_sent_only_while_nobody_cares(changes: dict[str, object], sent: bool) -> None:
    case = Case()
    case.queue(note(id="i1.step0.x", at=T0 + 900), incidents=(incident(**changes),))
    case.turn(900)
    assert bool(case.channel.taken) is sent
    assert case.outcomes() == [("i1.step0.x", "delivered" if sent else "cancelled")]


def test_a_step_of_the_escalation_is_not_sent_during_a_silence() -> None:
    case = Case()
    matchers = (Match("rule", "cpu"),)
    case.store.put_silence(Silence(id="s", matchers=matchers, start=T0, end=T0 + 1000, author="me", comment=""))
    case.queue(note(id="i1.step0.x", at=T0 + 900, labels=(("rule", "cpu"),)), incidents=(incident(),))
    case.turn(900)
    assert case.outcomes() == [("i1.step0.x", "cancelled")]


def test_retry_after_is_kept_for_the_whole_channel() -> None:
    case = Case()
    case.queue(note(1), note(2))
    case.channel.error = ChannelError("slow down", retry_after=60.0)
    case.turn()
    case.turn(59)
    assert case.channel.tries == 1
    case.channel.error = None
    case.turn(1)
    case.turn(1)
    assert sorted(case.channel.ids()) == [["i1.0.x"], ["i2.0.x"]]


def test_what_is_refused_for_good_is_a_dead_letter_and_blocks_nothing() -> None:
    case = Case()
    case.queue(note(1))
    case.channel.error = ChannelError("status 404", permanent=True)
    case.turn()
    case.channel.error = None
    case.queue(note(2))
    case.turn(1)
    assert case.outcomes() == [("i1.0.x", "dead"), ("i2.0.x", "delivered")]
    (stats,) = case.sender.stats()
    assert (stats.delivered, stats.dead) == (1, 1)


def test_after_a_day_it_is_given_up() -> None:
    case = Case()
    case.queue(note())
    case.channel.error = ChannelError("down")
    for _ in range(400):
        case.turn(300)
    assert case.outcomes()[-1] == ("i1.0.x", "dead")
    assert 30 < case.channel.tries < 80
    assert case.deliveries()[-1].ts - T0 > 86_400 - 3600


def test_a_receiver_that_was_down_for_an_hour_gets_everything_in_order() -> None:
    case = Case(AlertSettings(rate=1000))
    case.channel.error = ChannelError("down")
    for n in range(30):
        case.queue(note(n, at=T0 + n * 120), incidents=(incident(n),))
        case.turn(120)
    case.queue(*(note(n, "resolved", at=T0 + 3600) for n in range(30)))
    assert case.channel.tries < 150
    case.channel.error = None
    for _ in range(330):
        case.turn(1)
    flat = [one for ids in case.channel.ids() for one in ids]
    assert sorted(flat) == sorted(f"i{n}.{what}.x" for n in range(30) for what in ("0", "resolved"))
    assert all(flat.index(f"i{n}.0.x") < flat.index(f"i{n}.resolved.x") for n in range(30))


def test_more_than_the_rate_is_one_digest() -> None:
    case = Case(AlertSettings(rate=5))
    case.queue(*(note(n) for n in range(40)))
    case.turn()
    assert [len(message.notifications) for message in case.channel.taken] == [1, 1, 1, 1, 36]
    case.queue(note(41))
    case.turn(1)
    assert len(case.channel.taken) == 5
    case.turn(120)
    assert len(case.channel.taken) == 6


def test_a_channel_that_is_down_hides_no_other() -> None:
    other = Fake()
    case = Case(y=other)
    case.channel.error = ChannelError("down", retry_after=600.0)
    case.queue(*(note(n) for n in range(300)))
    case.turn()
    case.queue(note(999, channel="y", id="i999.0.y"))
    case.turn(1)
    assert other.ids() == [["i999.0.y"]]


def test_an_unknown_channel_is_a_dead_letter_that_says_so() -> None:
    case = Case(z="the channel z is not set up")
    case.queue(note(1, channel="slak"), note(2, channel="z"))
    case.turn()
    details = {one.channel: one.detail for one in case.deliveries()}
    assert details == {"slak": "no channel 'slak'; known: x, z", "z": "the channel z is not set up"}


def test_a_bug_in_a_channel_is_a_failure_without_its_secrets() -> None:
    url = "https://hooks.example.org/abcdefghijkl"
    case = Case(AlertSettings(slack=SlackSettings(url=url)))
    case.channel.error = RuntimeError(f"could not reach {url}")
    case.queue(note())
    case.turn()
    (one,) = case.deliveries()
    assert (one.outcome, one.detail) == ("retry", "RuntimeError: could not reach ***")


def test_a_trial_goes_the_same_way() -> None:
    case = Case()
    case.queue(trial("x", T0))
    case.turn()
    assert [one.title for one in case.channel.taken] == ["[TEST] perf"]


@pytest.mark.parametrize(
    ("age", "least", "most"), [(0, 3.75, 5), (20, 3.75, 5), (3600, 675, 900), (86_400, 2700, 3600)]
)
def test_pauses_grow_with_the_trouble(age: float, least: float, most: float) -> None:
    found = [pause(age) for _ in range(50)]
    assert least <= min(found) <= max(found) <= most
