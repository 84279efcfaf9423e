"""Histograms: exact bounds, exact merge, and percentiles within the stated error of the sample's."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.model import Histogram, HistogramSample, Kind, Metric, Sample
from perf.model.distribution import BASE, ERROR, NOTHING, SMALLEST, bound, bucket_of, merge, middle
from perf.model.measurement import storable

observations = st.lists(st.one_of(st.just(0.0), st.floats(0, 1e6), st.floats(1e-12, 1e-6)), max_size=60)
SHAPES: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda source: source.uniform(0, 2),
    "lognormal": lambda source: source.lognormvariate(-4, 1),
    "bimodal": lambda source: source.gauss(0.01, 0.001) if source.random() < 0.7 else source.gauss(3, 0.2),
    "pareto": lambda source: 0.001 * source.paretovariate(1.1),
    "constant": lambda _: 0.25,
}


def test_a_power_of_two_ends_its_bucket() -> None:
    for power in range(-29, 1024):
        number = 2.0**power
        assert bucket_of(math.nextafter(number, 0)) == 16 * power - 1
        assert bucket_of(number) == 16 * power - 1
        assert bucket_of(math.nextafter(number, math.inf)) == 16 * power
        assert bound(16 * power) == number


@given(st.floats(SMALLEST, 1.7e308))
def test_a_number_lies_in_its_bucket(number: float) -> None:
    index = bucket_of(number)
    assert bound(index) < number <= bound(index + 1)
    assert abs(middle(index) - number) <= ERROR * number * (1 + 1e-12)


def test_the_stated_error_is_that_of_16_buckets_a_doubling() -> None:
    assert pytest.approx(2.0, rel=1e-15) == BASE**16
    assert ERROR < 0.022


def nearest_rank(values: list[float], q: float) -> float:
    return sorted(values)[max(math.ceil(q * len(values) - 1e-9), 1) - 1]


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("seed", range(5))
def test_percentiles_of_merged_parts_are_those_of_the_union(shape: str, seed: int) -> None:
    source = random.Random(f"{shape}{seed}")
    parts = [[SHAPES[shape](source) for _ in range(source.randint(1, 400))] for _ in range(12)]
    union = [value for part in parts for value in part]
    whole = merge(Histogram.of(part) for part in parts)
    for q in (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0):
        assert whole.quantile(q) == pytest.approx(nearest_rank(union, q), rel=0.022)
    assert (whole.count, whole.low, whole.high) == (len(union), min(union), max(union))
    assert whole.total == pytest.approx(math.fsum(union))


@given(observations, st.floats(0, 1))
def test_percentiles_of_anything_are_within_the_error(values: list[float], q: float) -> None:
    found = Histogram.of(values).quantile(q)
    if not values:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(nearest_rank(values, q), rel=ERROR * (1 + 1e-9), abs=SMALLEST)


@given(st.lists(observations, max_size=6), st.randoms(use_true_random=False))
def test_merging_is_exact_in_any_order_and_grouping(parts: list[list[float]], source: random.Random) -> None:
    eighths = [[round(value) / 8 for value in part] for part in parts]  # sums of eighths are exact
    histograms = [Histogram.of(part) for part in eighths]
    shuffled = list(histograms)
    source.shuffle(shuffled)
    right_first = reduce(lambda done, part: part.merged(done), reversed(shuffled), NOTHING)
    assert merge(histograms) == right_first == Histogram.of([value for part in eighths for value in part])


def test_first_and_last_are_exact() -> None:
    found = Histogram.of([0.1, 0.2, 0.3])
    assert (found.quantile(0), found.quantile(1), found.low, found.high) == (0.1, 0.3, 0.1, 0.3)
    assert Histogram.of([0.7]).quantile(0.5) == 0.7


def test_zeros_are_counted_and_answered() -> None:
    found = Histogram.of([0, 0, 1e-10, 1])
    assert (found.count, found.zero, found.quantile(0.5), found.quantile(1)) == (4, 3, 0.0, 1.0)


def test_a_mean_of_equal_numbers_is_that_number() -> None:
    assert Histogram.of([0.1] * 3).mean == 0.1
    assert math.isnan(NOTHING.mean)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_only_finite_numbers_from_zero_on_are_observed(bad: float) -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        Histogram.of([1.0, bad])


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_is_from_0_to_1(q: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        NOTHING.quantile(q)


@given(observations.filter(bool))
def test_what_was_observed_is_sound(values: list[float]) -> None:
    assert Histogram.of(values).sound


@pytest.mark.parametrize(
    "change",
    [
        {"count": 3},
        {"count": 0, "zero": 0, "buckets": {}},
        {"zero": -1, "buckets": {0: 3}},
        {"buckets": {0: 3, 1: -1}},
        {"buckets": {40_000: 2}},
        {"total": math.inf},
        {"low": -1.0},
        {"low": math.nan},
        {"low": 3.0},
        {"high": math.inf},
        {"count": 2**40, "buckets": {0: 2**40}},
    ],
)
def test_what_does_not_add_up_is_not_sound(change: dict[str, object]) -> None:
    good = Histogram(count=2, total=3.0, low=1.0, high=2.0, buckets={-1: 1, 15: 1})
    assert good.sound
    assert not msgspec.structs.replace(good, **change).sound


def test_a_store_takes_distributions_of_distribution_metrics_only() -> None:
    found, waited, gauge = Histogram.of([1.0]), Metric("w", Kind.HISTOGRAM), Metric("g")
    assert storable(HistogramSample(0.0, waited, (), found))
    assert not storable(HistogramSample(0.0, gauge, (), found))
    assert not storable(HistogramSample(0.0, waited, (), NOTHING))
    assert storable(Sample(0.0, gauge, (), 1.0))
    assert not storable(Sample(0.0, waited, (), 1.0))
    assert not storable(Sample(0.0, gauge, (), math.nan))
