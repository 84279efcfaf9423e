"""Puts live panels on a page. Nothing here reruns: the browser asks the API for new points by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import streamlit as st

from dashboard.assets import MODULES, live_path, plotly_path
from dashboard.components.live.specs import Annotation, Band, Line, Threshold, Tile, View

NAME = "perf_live"

# Streamlit imports this text from a blob, where relative imports mean nothing: addresses are made from the page's.
_ENTRY = """
const home = new URL("%(home)s", document.baseURI).href;
function hint(attributes) {
  if (document.head.querySelector(`link[href="${attributes.href}"]`)) return null;
  return document.head.appendChild(Object.assign(document.createElement("link"), attributes));
}
for (const name of %(modules)s) hint({ rel: "modulepreload", href: home + name });
hint({ rel: "preload", as: "script", href: new URL("%(plotly)s", document.baseURI).href });
const style = hint({ rel: "stylesheet", href: home + "live.css" });
const styled = new Promise((done) => (style ? (style.onload = style.onerror = done) : done()));
export default async function (component) {
  const [{ mount }] = await Promise.all([import(home + "main.js"), styled]);
  return mount(component);
}
"""


def live_chart(  # noqa: PLR0913 - a chart has this many independent options, each with a default
    key: str,
    lines: Sequence[Line],
    view: View,
    *,
    unit: str,
    alt: str,
    height: int = 240,
    y_max: float | None = None,
    thresholds: Sequence[Threshold] = (),
    annotations: Sequence[Annotation] = (),
    bands: Sequence[Band] = (),
    envelope: bool = False,
    note: str = "",
) -> None:
    """A chart of *lines* that keeps itself up to date, *height* pixels high.

    *unit* is the metric's, as in ``Tile``; *alt* is read to people who can't see it. *y_max* fixes the upper end of the axis
    unless the data go beyond. *envelope* shades what lies between the lowest and the highest sample of each step. *note* is
    shown when there is nothing to draw, for example since when there are data.
    """
    spec = {
        "kind": "chart",
        "key": key,
        "view": _view(view),
        "lines": msgspec.to_builtins(list(lines)),
        "unit": unit,
        "alt": alt,
        "height": height,
        "y_max": y_max,
        "thresholds": msgspec.to_builtins(list(thresholds)),
        "annotations": msgspec.to_builtins(list(annotations)),
        "bands": [{"from": b.start, "to": b.end, "status": b.status, "label": b.label} for b in bands],
        "envelope": envelope,
        "note": note,
    }
    _component()(key=key, data=spec)


def live_tiles(key: str, tiles: Sequence[Tile], view: View) -> None:
    """A row of *tiles* that keep themselves up to date; on a narrow page it wraps."""
    spec = {"kind": "tiles", "key": key, "view": _view(view), "tiles": msgspec.to_builtins(list(tiles))}
    _component()(key=key, data=spec)


def live_strip(key: str, query: str, label: str, view: View, *, alt: str, height: int = 0) -> None:
    """States over time: one row for each value of *label* in the answer to *query*, whose numbers are ``Status.rank``.

    The rows share *height* pixels as far as they stay readable; 0 leaves it to them.
    """
    spec = {
        "kind": "strip",
        "key": key,
        "view": _view(view),
        "query": query,
        "label": label,
        "alt": alt,
        "height": height,
    }
    _component()(key=key, data=spec)


def _view(view: View) -> dict[str, object]:
    compare = {"shift": view.compare_shift, "label": view.compare_label} if view.compare_shift else None
    return {
        "window": view.window_seconds,
        "step": view.step,
        "end": view.end,
        "refresh": view.refresh if view.end is None else None,
        "zone": view.zone,
        "compare": compare,
    }


@cache
def _component() -> Any:  # Any: Streamlit's protocol for the callable is private
    """Registered at the first use: once per process, and again by Streamlit itself for each new runtime."""
    modules = msgspec.json.encode(MODULES).decode()
    script = _ENTRY % {"home": live_path(), "modules": modules, "plotly": plotly_path()}
    return st.components.v2.component(NAME, js=script, isolate_styles=False)
