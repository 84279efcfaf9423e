"""Holes in a series."""

import numpy as np

from perf.views.gaps import spacing, with_gaps


def test_a_hole_gets_one_row_without_value() -> None:
    ts, values = with_gaps(np.array([0.0, 10, 20, 80, 90]), 10.0, np.array([1.0, 2, 3, 4, 5]))
    assert ts.tolist() == [0, 10, 20, 30, 80, 90]
    assert np.isnan(values[3])
    assert np.delete(values, 3).tolist() == [1, 2, 3, 4, 5]


def test_one_missed_point_is_no_hole() -> None:
    ts, values = with_gaps(np.array([0.0, 10, 30, 40]), 10.0, np.array([1.0, 2, 3, 4]))
    assert ts.tolist() == [0, 10, 30, 40]
    assert values.tolist() == [1, 2, 3, 4]


def test_a_series_slower_than_the_step_has_no_holes() -> None:
    ts = np.array([0.0, 60, 120, 180])
    assert spacing(ts, 5.0) == 60.0
    assert with_gaps(ts, 5.0)[0].tolist() == [0, 60, 120, 180]


def test_few_points_are_left_alone() -> None:
    for points in ([], [5.0]):
        ts, values = with_gaps(np.array(points), 1.0, np.array(points))
        assert ts.tolist() == values.tolist() == points
