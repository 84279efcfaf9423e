"""How does it move?"""

from __future__ import annotations

import streamlit as st

from dashboard import charts, data, panels, tables, ui

state = ui.state()
metrics = ui.metric_picker(data.known(), default=("cpu_usage_percent", "memory_usage_percent"))

if not metrics:
    ui.empty("Choose up to six metrics above; each gets a chart with the extremes of every step.")
    st.stop()

for start in range(0, len(metrics), 2):
    for place, info in zip(st.columns(2), metrics[start : start + 2], strict=False):
        with place, ui.card(info.name, info.help):
            panels.trend(info, state)

hours, aside = st.columns([3, 2])
with hours, ui.card(f"{metrics[0].name} by hour and weekday", "mean of the last 30 days; stronger is more"):
    found = data.by_hour(metrics[0].name)
    if found is None:
        ui.empty("Appears when there is an hour of data.")
    else:
        st.plotly_chart(
            charts.weekday_heatmap(found, state.zone),
            key="by_hour",
            config={"displayModeBar": False},
            alt=f"{metrics[0].name} by hour and weekday",
        )
with aside, ui.card("In this range", "each metric's extremes and mean, all series together"):
    tables.extremes(tuple(info.name for info in metrics), state)

with ui.card("Samples", "as they were measured"):
    tables.samples(state, state.span(data.now()), tuple(info.name for info in metrics))
