"""Colours and shapes of states and series, for both themes. The browser gets the same table (see ``dashboard.assets``)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from perf.model import Status


class Look(msgspec.Struct, frozen=True):
    """How a state is shown: never by its colour alone."""

    color: str
    shape: str
    word: str


class Palette(msgspec.Struct, frozen=True):
    """Colours of one theme: *series* in the order they are given out, and the three blues of percentiles."""

    series: tuple[str, ...]
    percentiles: Mapping[str, str]
    muted: str
    calm: str


STATUS: Mapping[str, Look] = {
    "ok": Look("#4848E5", "●", "ok"),
    "warning": Look("#E1772C", "▲", "warning"),
    "critical": Look("#AC325E", "■", "critical"),
    "unknown": Look("#8A8F98", "◌", "no data"),
}
"""States by name. They stay apart under simulated colour-vision deficiencies and keep 3:1 on both backgrounds."""

LOOKS: Mapping[Status, Look] = {
    Status.HEALTHY: Look(STATUS["ok"].color, STATUS["ok"].shape, "healthy"),
    Status.UNKNOWN: Look(STATUS["unknown"].color, STATUS["unknown"].shape, "unknown"),
    Status.DEGRADED: Look(STATUS["warning"].color, STATUS["warning"].shape, "degraded"),
    Status.UNHEALTHY: Look(STATUS["critical"].color, STATUS["critical"].shape, "unhealthy"),
}

BACKGROUND: Mapping[str, str] = {"light": "#FFFFFF", "dark": "#0E1117"}
"""What the contrasts are tested against."""

# Okabe-Ito; each entry keeps its hue and is shifted in lightness where it would fall below 3:1 on that background.
# Vermilion comes last because it is nearest to the warning colour.
PALETTES: Mapping[str, Palette] = {
    "light": Palette(
        series=("#0072B2", "#B87F00", "#009E73", "#C2699B", "#2F8FC4", "#D55E00"),
        percentiles={"p50": "#0B4F8A", "p95": "#2579B5", "p99": "#5496C5"},
        muted="#8A8F98",
        calm="#6B7A90",
    ),
    "dark": Palette(
        series=("#3F9BDB", "#E69F00", "#1FB58A", "#CC79A7", "#7CC4EE", "#E2681A"),
        percentiles={"p50": "#3C8BD0", "p95": "#74B6E8", "p99": "#C2E1F6"},
        muted="#8A8F98",
        calm="#93A1B5",
    ),
}

SERIES_MAX = 6
"""More series than this are drawn as thin grey "other"."""


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two ``#RRGGBB`` colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
