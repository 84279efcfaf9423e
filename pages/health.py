"""Which check fails, since when?"""

from __future__ import annotations

import streamlit as st

from dashboard import data, panels, tables, ui

state = ui.state()
if st.button("Run now", icon=":material/play_arrow:", shortcut="ctrl+enter", key="run_checks"):
    data.check_now()

ui.ticking("The answer", lambda: panels.verdict(data.health()), 10.0 if state.ticks else 0.0)

with ui.card("Checks", "what each said the last time"):
    ui.ticking("Checks", lambda: tables.probes(data.health().results, state.zone), 10.0 if state.ticks else 0.0)
with ui.card("History", "worst state of each step"):
    panels.checks(state)

left, right = st.columns(2)
with left, ui.card("Store", panels.store_note):
    tables.levels(data.usage().levels, state.zone)
    for problem in data.usage().problems:
        st.warning(problem, icon=":material/warning:")
with right, ui.card("Loops", "each must turn in time"):
    ui.ticking("Loops", tables.loops, 10.0 if state.ticks else 0.0)
