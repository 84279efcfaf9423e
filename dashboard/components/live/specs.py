"""What the live component is told to draw: frozen specs that travel to the browser as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "warning", "critical", "unknown"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The time that a page shows, shared by its panels.

    *window_seconds*, *step*, *refresh* and *compare_shift* in seconds. *end* is Unix seconds, or None to follow the clock; *refresh*
    None stands still. *zone* is an IANA name, empty for the reader's own. Panels of equal span and step share their requests.
    """

    window_seconds: float
    step: float
    end: float | None = None
    refresh: float | None = 5.0
    zone: str = ""
    compare_shift: float | None = None
    compare_label: str = ""


class Line(msgspec.Struct, frozen=True):
    """One query of a chart, which may answer several series.

    *name* is written at the line's end; several series are named by the labels that tell them apart. *style* ``area`` fills
    to zero, ``stack`` stands on the stacked lines before it. *color* is a state, ``p50``/``p95``/``p99``, ``0`` to ``5`` in
    the order of the series colours, or any CSS colour; None chooses. *compare* draws it again for the compared range; None
    means: when it is the only line.
    """

    query: str
    name: str = ""
    style: Literal["line", "area", "stack"] = "line"
    color: str | None = None
    compare: bool | None = None


class Threshold(msgspec.Struct, frozen=True):
    """A threshold line at *value*, in the chart's unit."""

    value: float
    label: str = ""
    status: State = "warning"


class Annotation(msgspec.Struct, frozen=True):
    """A moment, such as a deploy, at *t* (Unix seconds)."""

    t: float
    text: str


class Band(msgspec.Struct, frozen=True):
    """A stretch of time from *start* to *end* (Unix seconds), such as a firing alert."""

    start: float
    end: float
    status: State = "warning"
    label: str = ""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One number with its state, its change and its line.

    *unit* is the metric's (``s``, ``By``, ``By/s``, ``%``, ``ratio``, ``1/s``, empty for counts). *warning* and *critical* are exclusive
    limits in that unit; with *below* a smaller value is worse. *reduce* makes one number of the window. *delta* says how the
    change of the mean is written: ``relative`` in percent, ``points`` for values that are percentages, ``absolute`` in the
    unit, None not at all; it is coloured only when *worse* says which way is worse and the change is beyond two standard
    deviations of the compared range. *quiet*: no news is zero, as for errors, which are counted only when there are some.
    """

    query: str
    label: str
    unit: str = ""
    warning: float | None = None
    critical: float | None = None
    below: bool = False
    note: str = ""
    reduce: Literal["last", "mean", "max", "sum"] = "last"
    delta: Literal["relative", "points", "absolute"] | None = "relative"
    worse: Literal["up", "down"] | None = "up"
    quiet: bool = False
