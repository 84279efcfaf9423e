"""The figure of a rule's preview: one line, and the stretches in which the rule would have fired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard.theme import PALETTES, STATUS
from dashboard.units import show, ticks
from perf.model import Series, Window
from perf.views.gaps import with_gaps


def bands(
    series: Series | None, spans: Sequence[tuple[float, float]], window: Window, zone: str, *, limit: float | None
) -> go.Figure:
    """One line over *window* with *spans* (Unix seconds) shaded, and its *limit*. Without *series* only the spans."""
    place = ZoneInfo(zone)

    def moment(ts: float) -> datetime:
        return datetime.fromtimestamp(ts, place).replace(tzinfo=None)

    unit = series.unit if series else ""
    ts, high = with_gaps(series.ts, 1.0, series.high) if series else (np.empty(0), np.empty(0))
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [moment(at) for at in ts.tolist()],
        "y": high,
        "text": [show(value, unit) for value in high.tolist()],
        "line": {"color": PALETTES["light"].series[0], "width": 1.2},
        "hovertemplate": "%{x|%a %H:%M}<br>%{text}<extra></extra>",
    }
    # A firing of a minute is narrower than a pixel of a week.
    least = window.seconds / 400
    shaded = [(moment(start), moment(max(end, start + least))) for start, end in spans]
    color = STATUS["warning"].color
    shapes: list[dict[str, object]] = [
        {
            "type": "rect",
            "x0": a,
            "x1": b,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "fillcolor": color,
            "opacity": 0.35,
            "line": {"width": 0},
        }
        for a, b in shaded
    ]
    if limit is not None and series is not None:
        line = {"color": STATUS["critical"].color, "width": 1.5, "dash": "dash"}
        shapes.append({"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": limit, "y1": limit, "line": line})
    top = max([*(series.high.tolist() if series else []), limit or 0.0], default=1.0)
    shown = ticks(top, unit)
    layout = {
        "height": 260,
        "margin": {"l": 64, "r": 8, "t": 4, "b": 34},
        "shapes": shapes,
        "showlegend": False,
        "xaxis": {
            "type": "date",
            "title": {"text": zone},
            "range": [moment(window.start), moment(window.end)],
            "fixedrange": True,
        },
        "yaxis": {
            "tickvals": shown,
            "ticktext": [show(tick, unit) for tick in shown],
            "fixedrange": True,
            "rangemode": "tozero",
        },
    }
    return go.Figure(data=[trace], layout=layout)
