"""What all sessions share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard import kept
from perf.model import RowOrder, RowsQuery, Window


@pytest.fixture(autouse=True)
def nothing() -> Iterator[None]:
    kept.forget()
    yield
    kept.forget()


def test_an_answer_is_made_once_for_equal_questions_and_not_copied() -> None:
    asked = []

    @kept.kept(60.0)
    def rows(query: RowsQuery) -> list[RowsQuery]:
        asked.append(query)
        return [query]

    def query(end: float) -> RowsQuery:
        return RowsQuery(window=Window(1.0, end), order=RowOrder.TIME)

    assert rows(query(2.0)) is rows(query(2.0))
    assert rows(query(3.0)) == [query(3.0)]
    assert [one.window.end for one in asked] == [2.0, 3.0]


def test_one_function_can_be_forgotten_alone() -> None:
    asked = []

    @kept.kept(60.0)
    def first() -> None:
        asked.append("first")

    @kept.kept(60.0)
    def second() -> None:
        asked.append("second")

    for forgotten in (None, first):
        kept.forget(forgotten)
        first()
        second()
    assert asked == ["first", "second", "first"]


def test_what_fails_is_asked_again() -> None:
    asked = []

    @kept.kept(60.0)
    def failing() -> None:
        asked.append(1)
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            failing()
    assert len(asked) == 2
