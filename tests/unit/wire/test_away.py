"""Who asks an owner that is away."""

from __future__ import annotations

from perf.clock import ManualClock
from perf.wire.away import LONGEST, SHORTEST, Presence


def test_nobody_is_kept_from_an_owner_that_answers(clock: ManualClock) -> None:
    presence = Presence(clock)
    presence.answered()
    assert presence.kept_away() is None
    assert presence.absence is None


def test_one_asker_tries_after_a_pause_and_the_others_are_told(clock: ManualClock) -> None:
    presence = Presence(clock)
    presence.failed("refused")
    assert (told := presence.kept_away()) is not None
    assert told.reason == "refused"
    clock.move(SHORTEST)
    assert presence.kept_away() is None
    assert presence.kept_away() is not None


def test_pauses_double_up_to_the_longest(clock: ManualClock) -> None:
    presence, pauses = Presence(clock), []
    for _ in range(8):
        presence.failed("refused")
        assert presence.absence is not None
        pauses.append(presence.absence.again - clock.monotonic())
        clock.move(LONGEST)
    wanted = [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert all(0.75 * most <= pause <= most for pause, most in zip(pauses, wanted, strict=True))


def test_it_says_since_when_and_forgets_when_it_answers(clock: ManualClock) -> None:
    presence, began = Presence(clock), clock.now()
    presence.failed("refused")
    clock.move(60)
    presence.failed("timed out")
    assert presence.absence is not None
    assert (presence.absence.reason, presence.absence.since) == ("timed out", began)
    presence.answered()
    assert presence.kept_away() is None
    presence.failed("again")
    assert presence.absence is not None
    assert presence.absence.again - clock.monotonic() <= SHORTEST


def test_an_asker_that_never_tells_costs_the_others_one_pause(clock: ManualClock) -> None:
    presence = Presence(clock)
    presence.failed("refused")
    clock.move(SHORTEST)
    assert presence.kept_away() is None
    clock.move(SHORTEST)
    assert presence.kept_away() is None
