"""The table of generations: what was marked before a move is void, whoever moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf.cache.tiers.generations import Generations, slot

NAME = "k:key"


@pytest.fixture
def table(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def test_a_mark_that_is_turned_is_the_present_one_and_that_before_is_void(table: Generations) -> None:
    before = table.marks([slot(NAME)])
    turned = table.turned(*before)
    assert table.words[slot(NAME)] == turned != before[1]


@pytest.mark.parametrize("times", [1, 2])
def test_a_mark_that_somebody_moved_meanwhile_is_not_the_present_one_once_turned(
    table: Generations, times: int
) -> None:
    before = table.marks([slot(NAME)])
    for _ in range(times):
        table.move([slot(NAME)])
    assert table.turned(*before) != table.words[slot(NAME)]


def test_of_two_that_turn_the_same_mark_the_later_one_has_it(table: Generations) -> None:
    before = table.marks([slot(NAME)])
    first, second = table.turned(*before), table.turned(*before)
    assert first != second == table.words[slot(NAME)]
