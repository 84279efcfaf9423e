"""Which check fails, since when?"""

from __future__ import annotations

import streamlit as st

from dashboard import data, health, panels, tables, ui

state = ui.state()
every = 10.0 if state.ticks else 0.0
ui.ticking("The answer", health.answer, every)

with ui.card("Checks", "what each said last, and its last day"):
    health.run_all()
    ui.ticking("Checks", lambda: health.grid(state), every)
with ui.card("Uptime", "the share of the watched time in which it was not unhealthy"):
    ui.ticking("Uptime", lambda: health.strips(state), 60.0 if state.ticks else 0.0)
left, right = st.columns([3, 2])
with left, ui.card("Who needs whom", "a check is not run while one that it waits for is down"):
    ui.ticking("Who needs whom", health.needs, every)
with right, ui.card("Score", "and what each part cost"):
    health.score(state)
with ui.card("One check", "how long it took, and when it was in which state"):
    health.past(state)
left, right = st.columns(2)
with left, ui.card("Store", panels.store_note):
    tables.levels(data.usage().levels, state.zone)
    for problem in data.usage().problems:
        st.warning(problem, icon=":material/warning:")
with right, ui.card("Loops", "each must turn in time"):
    ui.ticking("Loops", tables.loops, every)
