"""Figures that don't tick."""

from __future__ import annotations

import math

import numpy as np

from dashboard import charts
from perf.model import Aggregate, Level, Metric, Series

MONDAY = 1_699_833_600.0
"""2023-11-13 00:00 UTC."""


def hourly(points: dict[float, float]) -> Series:
    """A series of hours with values by their hours since MONDAY."""
    values = np.array(list(points.values()))
    return Series(
        metric=Metric("cpu_usage_percent", unit="%"),
        labels=(),
        aggregate=Aggregate.AVG,
        step=3600.0,
        level=Level.HOUR,
        ts=np.array([MONDAY + 3600 * at for at in points]),
        values=values,
        low=values,
        high=values,
    )


def test_values_of_one_weekday_and_hour_are_averaged() -> None:
    means = charts.by_hour(hourly({0: 10.0, 7 * 24: 20.0, 25: 5.0}), "UTC")
    assert means.shape == (7, 24)
    assert (means[0, 0], means[1, 1]) == (15.0, 5.0)
    assert np.count_nonzero(~np.isnan(means)) == 2


def test_weekday_and_hour_are_those_of_the_reader() -> None:
    means = charts.by_hour(hourly({0: 10.0}), "America/New_York")
    assert means[6, 19] == 10.0


def test_a_heatmap_says_what_each_cell_holds() -> None:
    figure = charts.weekday_heatmap(hourly({0: 12.34}), "Europe/Berlin")
    trace = figure.data[0]
    assert (trace.y[0], trace.x[1]) == ("Mon", "01")
    assert (trace.text[0][1], trace.text[0][0]) == ("12.3 %", "–")
    assert math.isnan(trace.z[0][0])
    assert figure.layout.xaxis.title.text == "hour, Europe/Berlin"
