"""Thresholds, sources, retention, and what perf itself costs."""

from __future__ import annotations

import streamlit as st

from dashboard import data, keyring, panels, sidebar, tables, ui

state = ui.state()
left, right = st.columns(2)
with left, ui.card("Thresholds", "stored, audited, and stronger than the configured ones"):
    sidebar.editor()
with right, ui.card("Changes", "the newest first"):
    found = data.changes()
    if found:
        tables.changes(found, state.zone)
    else:
        ui.empty("Every change of a threshold will stand here, with its time and author.")

with ui.card("API keys", "for programs; what is kept of a key opens nothing"):
    keyring.keys(state)
with ui.card("Audit log", "who changed what, when and from where"):
    keyring.audit(state)

left, right = st.columns(2)
with left, ui.card("Sources", "what is read, how often, and what a reading costs"):
    tables.sources(data.sources(), state.zone)
with right, ui.card("Retention", panels.growth):
    tables.levels(data.usage().levels, state.zone)

with ui.card("perf itself", "share of one core, memory, commits, the store's size, and what recording costs and loses"):
    panels.overhead(state)

with ui.card("Settings in force", "defaults < perf.toml < PERF_ variables"):
    tables.options(data.options())
