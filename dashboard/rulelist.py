"""The rules on the Alerts page: how each stands and what it did, and all of them as a file."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, alerting, ui
from dashboard.state import lasted
from dashboard.units import NOTHING
from perf.alerts.files import Difference
from perf.model.access import Scope

_MARKS = {"firing": "▲", "error": "■", "no_data": "◌", "pending": "▲", "ok": "●", "off": "◌"}


def table() -> None:
    """Every rule, what it did in seven days, and whom it tells."""
    found = alerting.states()
    frame = pd.DataFrame(
        {
            "State": [f"{_MARKS.get(one.state, '●')} {one.state.replace('_', ' ')}" for one in found],
            "Rule": [one.rule.name for one in found],
            "Severity": [one.rule.severity.value for one in found],
            "Condition": [one.rule.condition or one.rule.kind.value.replace("_", " ") for one in found],
            "Fired": [one.past.times for one in found],
            "In all": [lasted(one.past.seconds) if one.past.times else NOTHING for one in found],
            "Last 7 d": [list(one.past.days) for one in found],
            "Acknowledged": [", ".join(sorted({each.acknowledged_by for each in one.open} - {""})) for one in found],
            "Tells": [", ".join(one.rule.channels) or "as in the settings" for one in found],
        }
    )
    days = st.column_config.BarChartColumn("Last 7 d", help="times it fired on each day", y_min=0)
    st.dataframe(frame, hide_index=True, height="content", column_config={"Last 7 d": days}, alt="Rules")


def file() -> None:
    """All rules as YAML to take away, and a file to take in: compared first, then all of it or nothing."""
    rules = alerting.alerts().rules
    st.download_button(
        "Export YAML",
        rules.export,
        "rules.yaml",
        "application/yaml",
        key="export_rules",
        icon=":material/download:",
        on_click="ignore",
    )
    source = st.text_area("Import YAML", key="rules_yaml", height=120, placeholder="rules:\n  - name: ...")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        drop = st.checkbox("Rules that it lacks go", key="rules_drop")
        compare = st.button("Compare", key="compare_rules", disabled=not source)
        why = access.reason(Scope.OPERATE)
        take = st.button("Import", key="import_rules", disabled=not source or bool(why), help=why)
    if take:
        author = alerting.author() or "dashboard"
        alerting.command("Not imported", lambda: rules.take(source, drop=drop, author=author), "Imported")
    if compare:
        with ui.framed("The comparison"):
            _differences(rules.compared(source, drop=drop))


def _differences(found: list[Difference]) -> None:
    if not found:
        ui.empty("It says what is in force.")
        return
    st.code("\n".join(line for one in found for line in (f"{one.verb} {one.name}", *(f"  {it}" for it in one.lines))))
