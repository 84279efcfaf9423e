from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perf.transport.ledger import Ledger


def test_a_number_and_those_before_it_have_been_seen() -> None:
    ledger = Ledger()
    ledger.remember("a", 5)
    assert [ledger.seen("a", seq) for seq in (4, 5, 6)] == [True, True, False]
    assert not ledger.seen("b", 1)


def test_the_producer_silent_for_longest_is_forgotten_first() -> None:
    ledger = Ledger(capacity=2)
    for producer in ("a", "b", "a", "c"):
        ledger.remember(producer, 1)
    assert [ledger.seen(producer, 1) for producer in ("a", "b", "c")] == [True, False, True]


@given(st.lists(st.integers(0, 9)))
def test_an_older_number_takes_nothing_back(numbers: list[int]) -> None:
    # Law: what was seen stays seen.
    ledger = Ledger()
    for number in numbers:
        ledger.remember("a", number)
    assert all(ledger.seen("a", number) for number in numbers)
