"""How much room a flame chart takes."""

from __future__ import annotations

from dashboard.profiles import shown_levels
from perf.profile.stacks import Box


def stack(width: int, depth: int, name: str) -> list[Box]:
    """Boxes of *width* samples, each below the one before."""
    return [Box(path=(name,) * level, count=width, own=0) for level in range(1, depth + 1)]


def test_one_thin_stack_does_not_make_the_chart_tall() -> None:
    assert shown_levels([*stack(960, 9, "a"), *stack(40, 38, "b")]) == 9
    assert shown_levels([*stack(940, 9, "a"), *stack(60, 38, "b")]) == 38


def test_the_chart_has_room_for_a_few_levels_and_an_end() -> None:
    assert shown_levels(stack(10, 1, "a")) == 6
    assert shown_levels(stack(10, 140, "a")) == 40
