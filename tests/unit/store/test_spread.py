"""Distributions as columns say the same as histograms one by one."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.model import Histogram, Level
from perf.model.distribution import merge
from perf.store.duckdb.read import _slices
from perf.store.levels import MICRO, Plan
from perf.store.spread import Spread, joined, merged, quantiles, shapeless, spread

Row = tuple[int, int, Histogram]

rows = st.tuples(
    st.integers(1, 3),
    st.integers(0, 4),
    # Eighths sum exactly; the largest makes the range of buckets wide.
    st.lists(st.one_of(st.integers(0, 4000).map(lambda n: n / 8), st.just(2.0**900)), min_size=1, max_size=6).map(
        Histogram.of
    ),
)
many = st.lists(rows, max_size=30)


def columns(given_rows: list[Row]) -> Spread:
    return spread([row[0] for row in given_rows], [row[1] for row in given_rows], [row[2] for row in given_rows])


def taken(parts: Spread) -> list[Row]:
    return [
        (
            int(parts.keys[i]),
            int(parts.times[i]),
            Histogram(
                count=int(parts.n[i]),
                total=float(parts.total[i]),
                low=float(parts.low[i]),
                high=float(parts.high[i]),
                zero=int(parts.zero[i]),
                buckets=dict(
                    zip(
                        parts.buckets[parts.offsets[i] : parts.offsets[i + 1]].tolist(),
                        parts.observed[parts.offsets[i] : parts.offsets[i + 1]].tolist(),
                        strict=True,
                    )
                ),
            ),
        )
        for i in range(len(parts))
    ]


def by_hand(given_rows: list[Row]) -> list[Row]:
    cells: dict[tuple[int, int], list[Histogram]] = defaultdict(list)
    for key, time, histogram in given_rows:
        cells[key, time].append(histogram)
    return [(key, time, merge(cells[key, time])) for key, time in sorted(cells)]


@given(many)
def test_merging_columns_is_merging_histograms(given_rows: list[Row]) -> None:
    parts = columns(given_rows)
    assert taken(parts) == given_rows
    assert taken(merged(parts, parts.keys)) == by_hand(given_rows)


@given(st.lists(many, max_size=4))
def test_merging_in_parts_changes_nothing(pieces: list[list[Row]]) -> None:
    parts = joined([merged(part, part.keys) for part in map(columns, pieces)])
    assert taken(merged(parts, parts.keys)) == by_hand([row for piece in pieces for row in piece])


@given(many, st.sampled_from([0.0, 0.1, 0.5, 0.95, 0.99, 1.0]))
def test_percentiles_of_columns_are_those_of_histograms(given_rows: list[Row], q: float) -> None:
    parts = columns(given_rows)
    whole = merged(parts, parts.keys)
    expected = [histogram.quantile(q) for _, _, histogram in by_hand(given_rows)]
    assert quantiles(whole, q).tolist() == pytest.approx(expected, rel=1e-15)


def test_a_wide_range_of_buckets_is_merged_without_an_array_of_all() -> None:
    given_rows = [(key, 0, Histogram.of([1e-9, 1e300])) for key in range(400) for _ in range(2)]
    parts = columns(given_rows)
    assert taken(merged(parts, parts.keys)) == by_hand(given_rows)


def test_nothing_merges_to_nothing() -> None:
    nothing = joined([])
    assert len(merged(nothing, nothing.keys)) == len(quantiles(nothing, 0.5)) == 0


def test_shapeless_columns_keep_number_sum_and_extremes() -> None:
    slim = shapeless(columns([(1, 0, Histogram.of([0.0, 1.0, 3.0]))]))
    assert taken(slim) == [(1, 0, Histogram(count=3, total=4.0, low=0.0, high=3.0))]


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(("series", "hours"), [(1, 1), (20, 24), (1_000, 24 * 90), (5, 0)])
def test_slices_cover_a_window_once_in_whole_rows(level: Level, series: int, hours: int) -> None:
    row = round(level.seconds * MICRO) or MICRO
    start, end = 7 * row, 7 * row + hours * 3600 * MICRO
    plan = Plan(level=level, step=row, start=start, end=end, before=start, gap=0)
    found = list(_slices(plan, series, end))
    assert [part[0] for part in found[1:]] == [part[1] for part in found[:-1]]
    assert (found[0][0], found[-1][1]) == (start, end) if hours else found == []
    assert len(found) <= 65
    assert all((part[0] - start) % row == 0 for part in found)


def test_counts_stay_exact_far_beyond_a_million() -> None:
    big = 2**39
    histogram = Histogram(count=big, total=1.0 * big, low=1.0, high=1.0, buckets={-1: big})
    parts = columns([(1, 0, histogram)] * 1000)
    (found,) = taken(merged(parts, np.zeros(1000, np.int64)))
    assert found[2].buckets == {-1: 1000 * big}
