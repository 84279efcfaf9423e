"""Is it healthy, and what changed?"""

from __future__ import annotations

import streamlit as st

from dashboard import panels, tables, ui
from dashboard.components.live import Line

state = ui.state()

ui.ticking("The answer", panels.answer, 60.0 if state.ticks else 0.0)
with ui.framed("The tiles"):
    panels.tiles(state)

left, right = st.columns(2)
with left, ui.card("CPU", lambda: f"{panels.cores()} · band: extremes of each step"):
    panels.cpu(state)
with right, ui.card("Memory", lambda: f"{panels.memory()} · band: extremes of each step"):
    panels.used_memory(state)

first, second, third, fourth = st.columns(4)
with first, ui.card("Disk", "read and written"):
    panels.lines(
        "disk",
        (Line(panels.READ, "read"), Line(panels.WRITTEN, "written")),
        state,
        unit="By/s",
        alt="Bytes read from and written to disks",
    )
with second, ui.card("Network", "in and out"):
    panels.lines(
        "network",
        (Line(panels.RECEIVED, "in"), Line(panels.SENT, "out")),
        state,
        unit="By/s",
        alt="Bytes received and sent",
    )
with third, ui.card("Load", "tasks, 1 and 15 min"):
    panels.lines(
        "load",
        (Line('load_average{period="1m"}', "1 min"), Line('load_average{period="15m"}', "15 min")),
        state,
        unit="",
        alt="Load average",
    )
with fourth, ui.card("CPU by mode", "where its time goes"):
    panels.lines("modes", panels.MODES, state, unit="%", alt="CPU time by mode")

wide, narrow = st.columns([3, 2])
with wide, ui.card("Disks", "how full, and how much is left"):
    tables.disks()
with narrow, ui.card("Checks", "over the chosen range"):
    panels.checks(state)
