"""Figures that don't tick: values in, Plotly figures out. Nothing here asks or draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboard.theme import PALETTES, SERIES_MAX, STATUS
from dashboard.units import show, ticks
from perf.model import Array, Histogram, Series
from perf.model.distribution import bound
from perf.views.distributions import Heatmap

_GROUP = 4  # Buckets in one column: four to a doubling.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SPENT = ("self", "function", "database", "cache", "http")
"""What a call's time may be spent in, in the order it is drawn."""
_KIND_WORDS = {"self": "itself", "function": "functions", "http": "outgoing HTTP"}
_ROOM = 0.22
"""Share of a chart's width that the words of a moment take."""
_MOMENT = {"color": STATUS["unknown"].color, "width": 1, "dash": "dot"}
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
    """Hour x weekday: when is it high? Stronger is more."""
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


def latency_heatmap(found: Heatmap, zone: str, moments: Sequence[tuple[float, str]] = ()) -> go.Figure:
    """Time x duration on a logarithmic axis; stronger is more observations. *moments* are Unix seconds and words."""
    bounds, counts = _coarser(found)
    place = ZoneInfo(zone)
    edges = [*found.ts.tolist(), found.ts[-1] + found.step]
    trace = {
        "type": "heatmap",
        "x": [datetime.fromtimestamp(ts, place).replace(tzinfo=None) for ts in edges],
        "y": np.log10(bounds),
        "z": np.log1p(counts.T.astype(np.float64)),
        "customdata": counts.T,
        "text": [[_between(bounds, row)] * counts.shape[0] for row in range(counts.shape[1])],
        "hovertemplate": "%{x|%H:%M:%S}<br>%{text}<br>%{customdata} calls<extra></extra>",
        "colorscale": _BLUES,
        "zmin": 0.0,
        "showscale": False,
    }
    marked = _decades(bounds)
    within = [(ts, text) for ts, text in moments if edges[0] <= ts <= edges[-1]]
    shown = [(datetime.fromtimestamp(ts, place).replace(tzinfo=None), text) for ts, text in within]
    ends = [datetime.fromtimestamp(ts, place).replace(tzinfo=None) for ts in (edges[0], edges[-1])]
    worded = _apart(within, (edges[-1] - edges[0]) * _ROOM)
    layout = {
        "height": 280,
        "margin": {"l": 64, "r": 8, "t": 18 if shown else 4, "b": 34},
        "shapes": [
            {"type": "line", "x0": t, "x1": t, "y0": 0, "y1": 1, "yref": "paper", "line": _MOMENT} for t, _ in shown
        ],
        "annotations": [
            {
                "x": t,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": f"▼ {escape(text)}",
                "showarrow": False,
                "font": {"size": 11},
            }
            for (t, text), clear in zip(shown, worded, strict=True)
            if clear
        ],
        "xaxis": {"title": {"text": zone}, "showgrid": False, "fixedrange": True, "range": ends},
        "yaxis": {
            "tickvals": np.log10(marked),
            "ticktext": [show(tick, found.metric.unit) for tick in marked],
            "showgrid": False,
            "fixedrange": True,
        },
    }
    return go.Figure(data=[trace], layout=layout)


def splits(bars: Sequence[tuple[str, Mapping[str, float]]]) -> go.Figure:
    """What a mean call's time is spent in, in seconds, one stacked bar for each of *bars*."""
    kinds = [kind for kind in SPENT if any(kind in parts for _, parts in bars)]
    kinds += sorted({kind for _, parts in bars for kind in parts} - set(kinds))
    longest = max((sum(parts.values()) for _, parts in bars), default=0.0)
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": _KIND_WORDS.get(kind, kind),
            "y": [name for name, _ in bars],
            "x": [parts.get(kind, 0.0) for _, parts in bars],
            "text": [show(parts[kind], "s") if parts.get(kind, 0.0) > 0.06 * longest else "" for _, parts in bars],
            "customdata": [show(parts.get(kind), "s") for _, parts in bars],
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "constraintext": "none",
            "marker": {"color": PALETTES["light"].series[at % SERIES_MAX]},
            "hovertemplate": "%{fullData.name}: %{customdata}<extra>%{y}</extra>",
        }
        for at, kind in enumerate(kinds)
    ]
    shown = ticks(longest, "s")
    layout = {
        "height": 210,
        "barmode": "stack",
        "bargap": 0.35,
        "margin": {"l": 52, "r": 12, "t": 4, "b": 34},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        "uniformtext": {"minsize": 10, "mode": "hide"},
        "xaxis": {"tickvals": shown, "ticktext": [show(tick, "s") for tick in shown], "fixedrange": True},
        "yaxis": {"fixedrange": True, "showgrid": False, "autorange": "reversed"},
    }
    return go.Figure(data=traces, layout=layout)


def distributions(now: Histogram, before: Histogram) -> go.Figure:
    """Shares of calls by duration, *now* as bars over *before* as a grey outline."""
    low = min((min(one.buckets) for one in (now, before) if one.buckets), default=0) // _GROUP
    high = max((max(one.buckets) for one in (now, before) if one.buckets), default=0) // _GROUP + 1
    bounds = np.array([bound(place * _GROUP) for place in range(low, high + 1)])
    middles = np.sqrt(bounds[:-1] * bounds[1:])
    shares = {name: _shares(one, low, high) for name, one in (("now", now), ("before", before))}
    words = [show(middle, "s") for middle in middles.tolist()]
    common = {
        "x": np.log10(middles),
        "text": words,
        "hovertemplate": "about %{text}: %{y:.1f} %<extra>%{fullData.name}</extra>",
    }
    traces = [
        {
            "type": "bar",
            "name": "now",
            "y": shares["now"],
            "marker": {"color": STATUS["ok"].color},
            "opacity": 0.75,
            "textposition": "none",
            **common,
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "before",
            "y": shares["before"],
            "line": {"shape": "hvh", "color": STATUS["unknown"].color, "width": 1.5},
            **common,
        },
    ]
    marked = _decades(bounds)
    layout = {
        "height": 280,
        "margin": {"l": 44, "r": 8, "t": 4, "b": 34},
        "bargap": 0.05,
        "showlegend": False,
        "xaxis": {"tickvals": np.log10(marked), "ticktext": [show(t, "s") for t in marked], "fixedrange": True},
        "yaxis": {"ticksuffix": " %", "rangemode": "tozero", "fixedrange": True, "nticks": 5},
    }
    return go.Figure(data=traces, layout=layout)


def _apart(moments: Sequence[tuple[float, str]], least: float) -> list[bool]:
    """Which of *moments* are named: those at least *least* seconds from the last named one."""
    named: list[bool] = []
    last = -math.inf
    for ts, _ in moments:
        named.append(ts - last >= least)
        last = ts if named[-1] else last
    return named


def _shares(one: Histogram, low: int, high: int) -> Array:
    """Percent of all observations in each group of buckets from *low* to *high*, (high - low,)."""
    found = np.zeros(high - low)
    for index, count in one.buckets.items():
        found[index // _GROUP - low] += count
    shares: Array = 100 * found / max(one.count, 1)
    return shares


def _coarser(found: Heatmap) -> tuple[Array, npt.NDArray[np.int64]]:
    """Bounds (m + 1,) and counts (n, m) with *_GROUP* buckets in one: finer ones can't be told apart on a screen."""
    positive = found.bounds[0] > 0
    starts = np.arange(0, found.counts.shape[1], _GROUP)
    counts = np.add.reduceat(found.counts, starts, axis=1)
    bounds = np.append(found.bounds[starts], found.bounds[-1])
    if not positive:
        bounds[0] = min(1e-9, bounds[1] / 2)
    return bounds, counts


def _between(bounds: Array, row: int) -> str:
    return f"{show(float(bounds[row]), 's')} to {show(float(bounds[row + 1]), 's')}"


def _decades(bounds: Array) -> list[float]:
    """Round durations within *bounds*: powers of ten, and what lies between when there are few."""
    first, last = int(np.floor(np.log10(bounds[0]))), int(np.ceil(np.log10(bounds[-1])))
    steps = (1.0, 2.0, 5.0) if last - first <= 3 else (1.0,)
    marked = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [tick for tick in marked if bounds[0] <= tick <= bounds[-1]]
