"""Guessing is slowed down by address and by name, without locking everybody out."""

from __future__ import annotations

from perf.access.throttle import KEPT, LONGEST, PER_NAME, PER_PLACE, WINDOW, Throttle
from perf.clock import ManualClock


def test_an_address_waits_after_some_failures_until_the_oldest_is_forgotten() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for number in range(PER_PLACE):
        assert throttle.begin("10.0.0.1", f"name {number}") == 0.0
        clock.move(1.0)
    assert throttle.begin("10.0.0.1", "another") == WINDOW - PER_PLACE
    assert throttle.begin("10.0.0.2", "another") == 0.0
    clock.move(WINDOW - PER_PLACE)
    assert throttle.begin("10.0.0.1", "another") == 0.0
    assert throttle.begin("10.0.0.1", "another") > 0.0


def test_a_name_waits_wherever_it_is_guessed_from() -> None:
    throttle = Throttle(ManualClock())
    for number in range(PER_NAME):
        assert throttle.begin(f"10.0.0.{number}", "ada") == 0.0
    assert throttle.begin("10.0.1.1", "ada") == WINDOW
    assert throttle.begin("10.0.1.1", "otto") == 0.0


def test_a_refused_attempt_does_not_make_the_wait_longer() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(PER_PLACE):
        throttle.begin("10.0.0.1", "ada")
    clock.move(100.0)
    assert throttle.begin("10.0.0.1", "ada") == throttle.begin("10.0.0.1", "ada") == WINDOW - 100.0


def test_success_forgets_the_failures_of_its_address() -> None:
    throttle = Throttle(ManualClock())
    for _ in range(3 * PER_PLACE):
        assert throttle.begin("10.0.0.1", "ada") == 0.0
        throttle.succeeded("10.0.0.1", "ada")


def test_success_elsewhere_does_not_help_whoever_guesses_the_name() -> None:
    throttle = Throttle(ManualClock())
    for number in range(PER_NAME):
        throttle.begin(f"10.0.0.{number}", "ada")
    throttle.succeeded("10.0.0.1", "ada")
    assert throttle.begin("10.0.2.1", "ada") == 0.0
    assert throttle.begin("10.0.2.2", "ada") == WINDOW


def test_what_is_remembered_is_bounded() -> None:
    throttle = Throttle(ManualClock())
    for number in range(KEPT):
        throttle.begin(str(number), str(number))
    assert len(throttle._failures) == KEPT


def test_one_network_of_ipv6_is_one_place() -> None:
    throttle = Throttle(ManualClock())
    for number in range(PER_PLACE):
        assert throttle.begin(f"2001:db8:0:1::{number:x}", f"name {number}") == 0.0
    assert throttle.begin("2001:db8:0:1:ffff::1", "another") == WINDOW
    assert throttle.begin("2001:db8:0:2::1", "another") == 0.0
    throttle.succeeded("2001:db8:0:1::99", "name 0")
    assert throttle.begin("2001:db8:0:1::1", "another") == 0.0


def test_an_ipv4_address_in_ipv6_is_the_same_place() -> None:
    throttle = Throttle(ManualClock())
    for number in range(PER_PLACE):
        throttle.begin("::ffff:10.0.0.1", f"name {number}")
    assert throttle.begin("10.0.0.1", "another") == WINDOW
    assert throttle.begin("::ffff:10.0.0.2", "another") == 0.0


def test_a_long_name_is_not_remembered_whole() -> None:
    throttle = Throttle(ManualClock())
    throttle.begin("10.0.0.1", "n" * 9_000)
    throttle.succeeded("10.0.0.1", "n" * 9_000)
    assert max(len(text) for key in throttle._failures for text in key) <= LONGEST
