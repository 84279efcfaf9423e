"""What waits for a tier: each name once, bounded, never lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perf.cache.recovery import EVERYTHING, Recovery


def test_each_name_waits_once_in_order() -> None:
    recovery = Recovery()
    recovery.add(["k:a", "t:b"])
    recovery.add(["k:a", "k:c"])
    assert recovery.take() == ("k:a", "t:b", "k:c")


def test_more_than_the_bound_become_everything() -> None:
    recovery = Recovery(bound=2)
    recovery.add(["k:a", "k:b"])
    assert recovery.overflows == 0
    recovery.add(["k:c"])
    recovery.add(["k:d"])
    assert recovery.take() == (EVERYTHING,)
    assert recovery.overflows == 1


def test_everything_stands_for_all_others() -> None:
    recovery = Recovery()
    recovery.add(["k:a", EVERYTHING, "k:b"])
    assert recovery.take() == (EVERYTHING,)


def test_counts_what_is_being_delivered() -> None:
    recovery = Recovery()
    recovery.add(["k:a", "k:b"])
    recovery.take()
    assert len(recovery) == 2
    recovery.add(["k:a"])
    recovery.done()
    assert len(recovery) == 1


def test_a_child_delivers_what_its_parent_was_delivering() -> None:
    recovery = Recovery()
    recovery.add(["k:a"])
    recovery.take()
    recovery.add(["k:b"])
    recovery.forked()
    assert recovery.take() == ("k:a", "k:b")


@given(st.lists(st.one_of(st.lists(st.sampled_from("abcdef"), max_size=4), st.booleans())), st.integers(1, 4))
def test_nothing_is_ever_dropped(steps: list[list[str] | bool], bound: int) -> None:
    """Law: what was added is delivered afterwards, by its name or by "everything". A bool is a delivery, and whether it works."""
    recovery, owed = Recovery(bound), set[str]()
    for step in steps:
        if isinstance(step, list):
            recovery.add(step)
            owed.update(step)
            continue
        taken = recovery.take()
        if step:
            assert EVERYTHING in taken or owed <= set(taken)
            owed.clear()
        else:
            recovery.add(taken)
        recovery.done()
        assert len(recovery) <= bound
    taken = recovery.take()
    assert EVERYTHING in taken or owed == set(taken)
