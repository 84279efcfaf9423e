"""Whether what fires reaches anybody: dead letters, an outbox that grows, a heartbeat that nobody takes."""

from __future__ import annotations

from perf.clock import ManualClock
from perf.errors import StoreClosed
from perf.health.probes.delivery import DeliveryProbe
from perf.model import ChannelStats, ProbeResult, Status, Waiting

T0 = 1_800_000_000.0


class Case:
    """A probe over values that a test changes."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.stats: list[ChannelStats] = []
        self.waiting: list[Waiting] = []
        self.missed = 0
        self.probe = DeliveryProbe(lambda: self.stats, lambda _: self.waiting, lambda: self.missed, self.clock)

    def check(self) -> ProbeResult:
        return self.probe.check()


def test_what_waits_for_a_moment_is_no_trouble() -> None:
    case = Case()
    case.waiting = [
        Waiting(channel="log", count=1, since=T0 - 300.0),
        Waiting(channel="slack", count=5, since=None),
    ]
    found = case.check()
    assert (found.status, found.message) == (Status.HEALTHY, "no notification waits for long")
    assert found.evidence == {"waiting": 6.0, "oldest_seconds": 300.0, "dead": 0.0}


def test_dead_letters_are_told_of_for_an_hour_with_their_reason() -> None:
    case = Case()
    assert case.check().status is Status.HEALTHY
    case.stats = [ChannelStats(channel="slack", dead=2, died="status 404")]
    found = case.check()
    assert (found.status, found.message) == (
        Status.DEGRADED,
        "slack: 2 notifications given up since the start, the last one because: status 404",
    )
    case.clock.move(3599.0)
    assert case.check().status is Status.DEGRADED
    case.clock.move(1.0)
    assert case.check().status is Status.HEALTHY


def test_an_outbox_that_is_not_emptied_is_told_of_with_why() -> None:
    case = Case()
    case.stats = [ChannelStats(channel="email", retry=9, failing="connection refused")]
    case.waiting = [Waiting(channel="email", count=1, since=T0 - 600.0)]
    assert case.check().message == "email: 1 notification waiting, the first for 10 min: connection refused"
    case.waiting = [Waiting(channel="email", count=1_001, since=T0)]
    assert case.check().message == "email: 1,001 notifications waiting, the first for 0 min: connection refused"


def test_a_heartbeat_that_nobody_takes_and_a_store_that_does_not_answer_are_degraded() -> None:
    case = Case()
    case.missed = 3
    assert case.check().message == "the heartbeat was not taken 3 times in a row"

    def closed(_: float) -> list[Waiting]:
        raise StoreClosed("the store is closed")

    found = DeliveryProbe(list, closed, lambda: 0, case.clock).check()
    assert (found.status, found.message) == (Status.DEGRADED, "what waits can't be read: the store is closed")
