"""Who needs whom, as a picture: checks as boxes in their state's colour, an arrow from each to those that wait for it.

Streamlit takes no SVG inside HTML: the arrows are an image behind the boxes, in colours that fit both themes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

import msgspec

from dashboard.theme import LOOKS, Look
from perf.model import Status
from perf.views.health import ProbeState

WIDTH, HEIGHT, ACROSS, DOWN = 146, 44, 54, 14
"""Of a box, and the room between two, in pixels."""
_MARGIN = 2


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A check at its place: upper left corner in pixels."""

    state: ProbeState
    x: float
    y: float


def layout(states: Sequence[ProbeState]) -> list[Box]:
    """Checks that wait for another or are waited for: in columns by the longest way from one that waits for nothing."""
    plans = {state.name: state.plan.after for state in states}
    needed = {other for after in plans.values() for other in after}
    shown = [state for state in states if state.plan.after or state.name in needed]
    depth: dict[str, int] = {}

    def way(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((way(other) for other in plans[name]), default=-1)
        return depth[name]

    columns: dict[int, list[ProbeState]] = {}
    for state in shown:
        columns.setdefault(way(state.name), []).append(state)
    rows: dict[str, float] = {}
    for _, column in sorted(columns.items()):
        # Near those that it waits for, so that few arrows cross.
        column.sort(key=lambda one: _mean([rows[other] for other in one.plan.after]))
        rows |= {state.name: float(row) for row, state in enumerate(column)}
    tallest = max((len(column) for column in columns.values()), default=0)
    return [
        Box(
            state=state,
            x=_MARGIN + way(state.name) * (WIDTH + ACROSS),
            y=_MARGIN + (rows[state.name] + (tallest - len(columns[way(state.name)])) / 2) * (HEIGHT + DOWN),
        )
        for state in shown
    ]


def picture(states: Sequence[ProbeState]) -> str:
    """The picture as HTML; empty when no check waits for another."""
    boxes = {box.state.name: box for box in layout(states)}
    if not boxes:
        return ""
    wide = max(box.x for box in boxes.values()) + WIDTH + _MARGIN
    tall = max(box.y for box in boxes.values()) + HEIGHT + _MARGIN
    arrows = "".join(_arrow(boxes[other], box) for box in boxes.values() for other in box.state.plan.after)
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{tall:g}">{arrows}</svg>'
    behind = (
        f'<img alt="" src="data:image/svg+xml,{quote(drawn)}" style="position:absolute;left:0;top:0;max-width:none">'
    )
    size = f"position:relative;width:{wide:g}px;height:{tall:g}px"
    inside = f'<div style="{size}">{behind}{"".join(map(_box, boxes.values()))}</div>'
    return f'<div role="img" aria-label="{escape(_told(boxes))}" style="overflow-x:auto">{inside}</div>'


def _arrow(source: Box, target: Box) -> str:
    x0, y0 = source.x + WIDTH, source.y + HEIGHT / 2
    x1, y1 = target.x - 7, target.y + HEIGHT / 2
    bend = (x1 - x0) / 2
    status = _status(source.state)
    blocked = status in (Status.UNHEALTHY, Status.UNKNOWN)
    color = LOOKS[status if blocked else Status.UNKNOWN].color
    dash = ' stroke-dasharray="5 4"' if blocked else ""
    path = f"M{x0:g} {y0:g}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"
    head = f"M{x1 + 6:g} {y1:g}l-8 -4v8z"
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.5"{dash}/><path d="{head}" fill="{color}"/>'


def _box(box: Box) -> str:
    look, name = _look(box.state), box.state.name
    message = box.state.result.message if box.state.result else "not run yet"
    place = (
        f"position:absolute;left:{box.x:g}px;top:{box.y:g}px;width:{WIDTH}px;height:{HEIGHT}px;box-sizing:border-box"
    )
    skin = (
        f"border:1.4px solid {look.color};border-radius:6px;background:color-mix(in srgb,{look.color} 10%,transparent)"
    )
    words = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
    return (
        f'<div title="{escape(f"{name}: {message}")}" style="{place};{skin};padding:3px 11px;font-size:13px;line-height:1.4">'
        f'<div style="font-weight:600;{words}">{escape(name)}</div><div style="font-size:11.5px;{words}">'
        f'<span style="color:{look.color}" aria-hidden="true">{look.shape}</span> {look.word}</div></div>'
    )


def _told(boxes: Mapping[str, Box]) -> str:
    waits = [box.state for box in boxes.values() if box.state.plan.after]
    return "; ".join(f"{one.name} ({_look(one).word}) waits for {', '.join(one.plan.after)}" for one in waits)


def _look(state: ProbeState) -> Look:
    return LOOKS[_status(state)]


def _status(state: ProbeState) -> Status:
    return state.result.status if state.result else Status.UNKNOWN


def _mean(rows: Sequence[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.0
