"""The score: what each part costs, who shares whose points, and what numbers are called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.errors import SettingsError
from perf.health.score import TITLES, Rated, grade, rated, ratings, scored
from perf.settings import RatingSettings, ScoreSettings, load

GOOD = {"responses": 0.1, "database": 0.01, "errors": 0.0, "cache": 99.0, "cpu": 10.0, "memory": 10.0}
SETTINGS = ScoreSettings()


def test_everything_within_its_target_costs_nothing() -> None:
    found = scored(GOOD, SETTINGS)
    assert (found.value, found.grade, sum(part.points for part in found.parts)) == (100.0, "excellent", 100.0)


def test_a_part_half_way_to_its_worst_costs_half_of_its_points() -> None:
    found = scored({**GOOD, "errors": 5.5, "cache": 60.0}, SETTINGS)  # 1 to 10 %; 85 down to 35 %
    assert found.value == pytest.approx(100.0 - 12.5 - 5.0)
    assert {part.name: part.cost for part in found.parts if part.cost} == {"errors": 12.5, "cache": 5.0}


def test_nothing_costs_more_than_its_points() -> None:
    worst = {"responses": 1e9, "database": 1e9, "errors": 100.0, "cache": 0.0, "cpu": 400.0, "memory": 100.0}
    assert scored(worst, SETTINGS).value == pytest.approx(0.0)


def test_what_nobody_measured_leaves_its_points_to_the_others() -> None:
    found = scored({"cpu": 85.0, "memory": 10.0}, SETTINGS)  # 8 and 7 of 15 points; CPU half way
    costs = {part.name: (part.points, part.cost) for part in found.parts if part.value is not None}
    assert costs == {
        "cpu": (pytest.approx(100 * 8 / 15), pytest.approx(50 * 8 / 15)),
        "memory": (pytest.approx(100 * 7 / 15), 0.0),
    }
    assert found.value == pytest.approx(100 - 50 * 8 / 15)


def test_without_anything_measured_there_is_no_score() -> None:
    found = scored({}, SETTINGS)
    assert (found.value, found.grade, [part.cost for part in found.parts]) == (None, "", [0.0] * 6)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (100, "excellent"),
        (80, "excellent"),
        (79.9, "good"),
        (60, "good"),
        (59.9, "fair"),
        (40, "fair"),
        (39.9, "poor"),
        (0, "poor"),
    ],
)
def test_grades(value: float, word: str) -> None:
    assert grade(value) == word


@pytest.mark.parametrize(
    ("value", "limits", "word"),
    [
        (0.9, (1.0, 5.0), Rated.GOOD),
        (1.0, (1.0, 5.0), Rated.NEEDS_IMPROVEMENT),
        (4.9, (1.0, 5.0), Rated.NEEDS_IMPROVEMENT),
        (5.0, (1.0, 5.0), Rated.POOR),
        (85.1, (85.0, 70.0), Rated.GOOD),
        (85.0, (85.0, 70.0), Rated.NEEDS_IMPROVEMENT),
        (70.1, (85.0, 70.0), Rated.NEEDS_IMPROVEMENT),
        (70.0, (85.0, 70.0), Rated.POOR),
    ],
)
def test_a_number_is_good_needs_improvement_or_is_poor(value: float, limits: tuple[float, float], word: Rated) -> None:
    assert rated(value, limits) is word


def test_ratings_are_of_what_was_measured_and_memory_in_mebibytes() -> None:
    found = ratings({"process_memory": 300 * 2.0**20, "cpu": 10.0, "database": None}, RatingSettings())
    assert [(one.title, one.rated) for one in found] == [
        ("CPU", Rated.GOOD),
        ("Process memory", Rated.NEEDS_IMPROVEMENT),
    ]


@given(st.fixed_dictionaries({name: st.none() | st.floats(0, 1e6) for name in TITLES}))
def test_the_score_is_a_hundred_less_its_costs_and_within_bounds(facts: dict[str, float | None]) -> None:
    """Law: value = 100 - costs, 0 to 100; a worse number never raises it."""
    found = scored(facts, SETTINGS)
    if found.value is None:
        assert all(value is None for value in facts.values())
        return
    assert 0.0 <= found.value <= 100.0
    assert found.value == pytest.approx(100.0 - sum(part.cost for part in found.parts), abs=1e-6)
    errors = facts["errors"]
    if errors is not None:
        worse = scored({**facts, "errors": errors + 1.0}, SETTINGS).value
        assert worse is not None
        assert worse <= found.value + 1e-9


def test_limits_are_settings_and_contradictions_are_refused() -> None:
    assert load(environ={"PERF_HEALTH__SCORE__RESPONSES": "0.2,2,50"}).health.score.responses == (0.2, 2.0, 50.0)
    with pytest.raises(SettingsError, match=r"health\.score\.errors: the first two numbers differ"):
        load(environ={"PERF_HEALTH__SCORE__ERRORS": "1,1,25"})
    with pytest.raises(SettingsError, match=r"health\.ratings\.cpu: good and poor differ"):
        load(environ={"PERF_HEALTH__RATINGS__CPU": "50,50"})


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("PERF_HEALTH__SCORE__ERRORS", "nan,10,25", "health.score.errors"),
        ("PERF_HEALTH__SCORE__ERRORS", "1,inf,25", "health.score.errors"),
        ("PERF_HEALTH__SCORE__ERRORS", "1,10,nan", "health.score.errors"),
        ("PERF_HEALTH__RATINGS__CPU", "50,inf", "health.ratings.cpu"),
    ],
)
def test_limits_of_a_score_are_finite(name: str, value: str, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"{re.escape(key)}: .*finite"):
        load(environ={name: value})
