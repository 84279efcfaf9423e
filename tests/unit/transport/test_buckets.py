from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.model import Histogram
from perf.model.distribution import SCALE, bound, bucket_of
from perf.transport.buckets import Explicit, Exponential, Odd, converted

DEFAULT_BOUNDS = (
    0.0,
    5.0,
    10.0,
    25.0,
    50.0,
    75.0,
    100.0,
    250.0,
    500.0,
    750.0,
    1_000.0,
    2_500.0,
    5_000.0,
    7_500.0,
    10_000.0,
)
values = st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=1, max_size=60)


def fine(numbers: list[float], scale: int) -> Exponential:
    """The histogram that an OpenTelemetry SDK makes of *numbers*: index = ceil(log2(value) * 2**scale) - 1."""
    buckets: dict[int, int] = {}
    for number in numbers:
        index = math.ceil(math.log2(number) * 2**scale) - 1
        buckets[index] = buckets.get(index, 0) + 1
    return Exponential(
        scale=scale, zero=0, buckets=buckets, total=math.fsum(numbers), low=min(numbers), high=max(numbers)
    )


def explicit(numbers: list[float], bounds: tuple[float, ...]) -> Explicit:
    edges = (-math.inf, *bounds, math.inf)
    counts = tuple(sum(low < n <= high for n in numbers) for low, high in pairwise(edges))
    return Explicit(bounds=bounds, counts=counts, total=math.fsum(numbers), low=min(numbers), high=max(numbers))


@given(numbers=st.lists(st.integers(1, 10**6).map(float), min_size=1, max_size=60), scale=st.integers(SCALE, 10))
def test_a_finer_exponential_histogram_becomes_ours_exactly(numbers: list[float], scale: int) -> None:
    # Law: downscaling merges whole buckets. Whole numbers, so that no logarithm rounds over a bound by accident.
    powers = [number for number in numbers if math.log2(number) % (1 / 16) > 1e-9]
    if powers:
        assert converted(fine(powers, scale)) == (Histogram.of(powers), True)


@given(numbers=values, scale=st.integers(-3, SCALE - 1))
def test_a_coarser_one_keeps_number_sum_and_extremes_and_stays_within_its_buckets(
    numbers: list[float], scale: int
) -> None:
    point = fine(numbers, scale)
    histogram, exact = converted(point)
    assert not exact
    assert (histogram.count, histogram.low, histogram.high) == (len(numbers), min(numbers), max(numbers))
    back: dict[int, int] = {}
    for index, n in histogram.buckets.items():
        back[index >> (SCALE - scale)] = back.get(index >> (SCALE - scale), 0) + n
    assert back == point.buckets


@given(numbers=values)
def test_explicit_bounds_keep_number_sum_and_extremes(numbers: list[float]) -> None:
    histogram, exact = converted(explicit(numbers, DEFAULT_BOUNDS))
    assert not exact
    assert histogram.count == len(numbers) == histogram.zero + sum(histogram.buckets.values())
    assert (histogram.total, histogram.low, histogram.high) == (math.fsum(numbers), min(numbers), max(numbers))
    assert histogram.sound


def test_an_explicit_bucket_is_spread_evenly_over_its_width() -> None:
    # A thousand in (1, 2]: half of them up to 1.5, which lies in the bucket of index 9.
    histogram, _ = converted(Explicit(bounds=(1.0, 2.0), counts=(0, 1_000, 0), total=1_500.0))
    assert sum(n for index, n in histogram.buckets.items() if index < 9) == round(1_000 * (bound(9) - 1))
    assert (histogram.low, histogram.high) == (1.0, 2.0)


def test_the_last_bucket_without_a_maximum_counts_as_its_bound() -> None:
    histogram, _ = converted(Explicit(bounds=(1.0,), counts=(0, 3), total=30.0))
    assert histogram.buckets == {bucket_of(1.0): 3}


def test_milliseconds_become_seconds() -> None:
    histogram, _ = converted(Explicit(bounds=(1_000.0, 2_000.0), counts=(0, 1, 0), total=1_500.0), 1e-3)
    assert histogram.total == 1.5
    assert 1.0 <= histogram.low <= histogram.high <= 2.0


@given(first=values, then=values, scale=st.integers(-2, 8))
def test_a_running_exponential_minus_its_past_is_what_came_since(
    first: list[float], then: list[float], scale: int
) -> None:
    since = fine(first + then, scale).since(fine(first, scale))
    assert since is not None
    assert since.buckets == fine(then, scale).buckets


def test_a_running_one_that_was_downscaled_in_between_still_subtracts() -> None:
    since = fine([1.1, 3.0, 3.1], 2).since(fine([1.1, 3.0], 6))
    assert since is not None
    assert since.buckets == fine([3.1], 2).buckets


def test_a_smaller_count_or_other_bounds_are_no_continuation() -> None:
    one = Explicit(bounds=(1.0,), counts=(2, 0), total=1.0)
    assert Explicit(bounds=(1.0,), counts=(1, 5), total=9.0).since(one) is None
    assert Explicit(bounds=(2.0,), counts=(3, 5), total=9.0).since(one) is None


@pytest.mark.parametrize(
    "point",
    [
        Explicit(bounds=(-1.0, 1.0), counts=(1, 0, 0), total=-2.0),
        Explicit(bounds=(1.0,), counts=(1, 0), total=-2.0),
        Explicit(bounds=(1.0,), counts=(1, 0), total=math.nan),
        Explicit(bounds=(1.0,), counts=(1, 0), total=1.0, high=math.inf),
        Exponential(scale=99, zero=0, buckets={0: 1}, total=1.0),
        Exponential(scale=4, zero=0, buckets={2**31: 1}, total=1.0),
        Exponential(scale=4, zero=2**32, buckets={}, total=1.0),
    ],
)
def test_what_no_distribution_of_ours_can_hold_is_odd(point: Explicit | Exponential) -> None:
    with pytest.raises(Odd):
        converted(point)


def test_numbers_below_a_billionth_are_zeros() -> None:
    histogram, _ = converted(Exponential(scale=4, zero=1, buckets={-2_000: 2, 0: 1}, total=1.0))
    assert (histogram.zero, histogram.buckets, histogram.count) == (3, {0: 1}, 4)


@given(
    scale=st.integers(-10, 20),
    offset=st.integers(-(2**31), 2**31 - 1),
    counts=st.lists(st.integers(0, 2**40), max_size=8),
    zero=st.integers(0, 5),
    factor=st.sampled_from([1.0, 1e-3, 1e-9, 3600.0]),
)
def test_any_exponential_histogram_is_sound_or_odd(
    scale: int, offset: int, counts: list[int], zero: int, factor: float
) -> None:
    buckets = {offset + place: n for place, n in enumerate(counts) if n}
    try:
        histogram, _ = converted(Exponential(scale=scale, zero=zero, buckets=buckets, total=1.0), factor)
    except Odd:
        return
    assert histogram.sound or not histogram.count
