"""The figure of a rule's preview."""

from __future__ import annotations

import math

import numpy as np

from dashboard import bandchart
from perf.model import Aggregate, Level, Metric, Series, Window

WINDOW = Window(1_000.0, 2_000.0)


def series(ts: list[float]) -> Series:
    values = np.full(len(ts), 40.0)
    return Series(
        metric=Metric("cpu_usage_percent", unit="%"),
        labels=(),
        aggregate=Aggregate.MAX,
        step=10.0,
        level=Level.RAW,
        ts=np.array(ts),
        values=values,
        low=values,
        high=values,
    )


def test_a_hole_in_the_data_is_a_hole_in_the_line() -> None:
    figure = bandchart.bands(series([1_000.0, 1_010.0, 1_020.0, 1_500.0]), [], WINDOW, "UTC", limit=None)

    assert [math.isnan(value) for value in figure.data[0].y] == [False, False, False, True, False]


def test_without_data_only_the_firings_are_drawn() -> None:
    figure = bandchart.bands(None, [(1_100.0, 1_200.0)], WINDOW, "UTC", limit=85.0)

    assert len(figure.layout.shapes) == 1
    assert len(figure.data[0].x) == 0


def test_the_axis_ends_on_round_numbers() -> None:
    figure = bandchart.bands(series([1_000.0, 1_010.0]), [], WINDOW, "UTC", limit=85.0)

    assert figure.layout.yaxis.ticktext == ("0 %", "20 %", "40 %", "60 %", "80 %", "100 %")
