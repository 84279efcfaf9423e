"""Where does the time go?"""

from __future__ import annotations

import streamlit as st

from dashboard import calls, detail, ui

state = ui.state()
kind = calls.kind_picker()
rows: list[calls.Row] = []
with ui.framed("The answer"):
    rows = calls.costliest(kind, state)
    calls.answer(kind, rows)
if not rows:
    ui.empty("One line makes them appear:", kind.example, "python")
    st.stop()

with ui.card(kind.title, "by their share of all time spent in this range"):
    calls.table(rows)
chosen = calls.row_picker(rows)

with ui.framed("The numbers"):
    calls.tiles(kind, chosen, state)
left, right = st.columns(2)
with left, ui.card("Duration", "p50, p95, p99 of all calls, within 2.2 %"):
    calls.percentiles(kind, chosen, state)
with right, ui.card("Calls", "per second"):
    calls.rate(kind, chosen, state)
wide, narrow = st.columns([3, 2])
with wide, ui.card("Every call", "time × duration; stronger is more calls"):
    calls.latency(kind, chosen, state)
with narrow, ui.card("Now against before", "grey is the period before"):
    calls.shapes(kind, chosen, state)
left, right = st.columns(2)
with left, ui.card("Where the time goes", "mean per traced call, now and in the period before"):
    detail.where(chosen, state)
with right, ui.card("Callers and callees", "from traced calls"):
    detail.links(chosen, state)
wide, narrow = st.columns([3, 2])
with wide, ui.card("Slowest calls", "arguments as types and lengths"):
    detail.slowest(kind, chosen, state)
with narrow, ui.card("By release", "the range, cut at its deploys"):
    detail.releases(kind, chosen, state)
