"""Figures that don't tick: values in, Plotly figures out. Nothing here asks or draws."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard.units import show
from perf.model import Array, Series

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_BLUES = ((0.0, "rgba(72,72,229,0.06)"), (0.5, "rgba(72,72,229,0.45)"), (1.0, "rgba(72,72,229,1)"))


def by_hour(series: Series, zone: str) -> Array:
    """Means by weekday and hour in *zone*, (7, 24); NaN where nothing was measured."""
    sums, counts = np.zeros((7, 24)), np.zeros((7, 24))
    place = ZoneInfo(zone)
    for ts, value in zip(series.ts.tolist(), series.values.tolist(), strict=True):
        moment = datetime.fromtimestamp(ts, place)
        sums[moment.weekday(), moment.hour] += value
        counts[moment.weekday(), moment.hour] += 1
    with np.errstate(invalid="ignore"):
        means: Array = sums / np.where(counts > 0, counts, np.nan)
    return means


def weekday_heatmap(series: Series, zone: str) -> go.Figure:
    """Hour x weekday: when is it high? Darker is more."""
    means = by_hour(series, zone)
    words = [[show(value, series.unit) for value in row] for row in means.tolist()]
    trace = {
        "type": "heatmap",
        "z": means,
        "x": [f"{hour:02d}" for hour in range(24)],
        "y": _DAYS,
        "text": words,
        "hovertemplate": "%{y} %{x}:00–%{x}:59<br>%{text}<extra></extra>",
        "colorscale": _BLUES,
        "zmin": min(0.0, float(np.nanmin(means))),
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
    layout = {
        "height": 230,
        "margin": {"l": 40, "r": 8, "t": 4, "b": 34},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "ticks": "", "showgrid": False},
        "xaxis": {"title": {"text": f"hour, {zone}"}, "fixedrange": True, "ticks": "", "showgrid": False, "dtick": 3},
    }
    return go.Figure(data=[trace], layout=layout)
