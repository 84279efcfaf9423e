"""What the Alerts page shows: the answer, what fires, and what fired. `silences`, `deliveries` and `ruleeditor` show the rest."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import access, alerting, data, nav, tables, theme, ui
from dashboard.silences import SPANS
from dashboard.state import State, lasted
from dashboard.units import NOTHING, counted, show
from perf.model import AlertRule, Incident, IncidentFilter, IncidentState, Severity, Status
from perf.model.access import Scope

PARTS = ("Firing", "History", "Rules", "Silences", "Deliveries")
SHOWN = 10
"""Incidents on a page of those that fire."""
_LEVEL = {Severity.CRITICAL: "critical", Severity.HIGH: "critical", Severity.MEDIUM: "warning", Severity.LOW: "unknown"}
_ANY = "any"


def answer() -> None:
    """What fires, since when, and who knows."""
    found = alerting.firing()
    if not found:
        rules = [state.rule for state in alerting.states() if state.rule.enabled]
        watching = "One rule is" if len(rules) == 1 else f"{len(rules)} rules are"
        ui.answer(Status.HEALTHY, "Nothing fires.", f"{watching} watching.")
        return
    first = found[0]
    status = Status.UNHEALTHY if first.severity is Severity.CRITICAL else Status.DEGRADED
    count = "One alert is firing." if len(found) == 1 else f"{len(found)} alerts are firing."
    ui.answer(status, count, f"{told(first)}.")


def told(one: Incident) -> str:
    """An incident in a sentence."""
    rule = alerting.rule_of(one)
    where = tables.labels_text(one.labels)
    name = f"{rule.name if rule else alerting.past_name(one.rule_id)}{f' ({where})' if where else ''}"
    known = f"{one.acknowledged_by} looks after it" if one.acknowledged_by else "nobody has acknowledged it"
    above = alerting.alerts().inhibited(one)
    marks = ("silenced", alerting.silenced(one)), ("flapping", one.flapping), (f"kept quiet by {above}", above)
    notes = [note for note, holds in marks if holds]
    state = "" if one.state is IncidentState.FIRING else f" ({one.state.value.replace('_', ' ')})"
    since = lasted(max(0.0, data.now() - one.since))
    return f"{name}{state} for {since}, {', '.join([known, *notes])}"


def part() -> str:
    """The chosen part of the page, bound to the URL."""
    chosen = st.segmented_control(
        "Part",
        PARTS,
        default=PARTS[0],
        required=True,
        key="part",
        label_visibility="collapsed",
        bind="query-params",
    )
    return str(chosen)


def who() -> None:
    """The name under which this reader acts; asked for only where nobody signed in."""
    if not access.signs_in():
        st.text_input("Your name", key="who", placeholder="who acknowledges, silences, resolves", width=300)


def firing(state: State) -> None:
    """Everything that is open, the worst first, with what can be done about it."""
    found = alerting.firing()
    ui.ticking("Firing", partial(_renew, [one.id for one in found]), 5.0 if state.ticks else 0.0)
    if not found:
        ui.empty("What fires stands here, with its value, and with buttons to acknowledge, silence and resolve it.")
        return
    who()
    page = min(int(st.session_state.get("firing_page") or 1), -(-len(found) // SHOWN))
    for one in found[(page - 1) * SHOWN : page * SHOWN]:
        with st.container(border=True, gap="small", key=f"incident_{one.id}"), ui.framed("This incident"):
            _incident(one, state)
    if len(found) > SHOWN:
        st.pagination(-(-len(found) // SHOWN), key="firing_page", bind="query-params")


def _renew(drawn: list[str]) -> None:
    """Draw the page anew when other incidents are open than those that it shows."""
    if [one.id for one in alerting.firing()] != drawn:
        st.rerun()


def _incident(one: Incident, state: State) -> None:
    rule = alerting.rule_of(one)
    look = theme.STATUS[_LEVEL[one.severity]]
    st.markdown(f"{look.shape} **{tables.escaped(told(one))}**&ensp;:gray[{one.severity.value}]")
    if one.summary:
        st.markdown(tables.escaped(one.summary))
    value = f"value {one.value:g} · " if one.value is not None else ""
    st.caption(f"{value}since {data.clock_time(one.since, state.zone, seconds=True)} · incident {one.id}")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _actions(one)
        _links(rule)


def _actions(one: Incident) -> None:
    desk, by = alerting.alerts(), alerting.author()
    quiet, why = alerting.silenced(one), access.reason(Scope.OPERATE)
    if st.button(
        "Acknowledge",
        key=f"acknowledge_{one.id}",
        icon=":material/visibility:",
        disabled=bool(one.acknowledged_by or why),
        help=why or "No more reminders, until it gets worse",
    ):
        alerting.command("Acknowledging", lambda: desk.acknowledge(one.id, by=by), "Acknowledged")
    span = st.selectbox("Silence for", list(SPANS), key=f"span_{one.id}", width=150, label_visibility="collapsed")
    if st.button(
        "Silence", key=f"silence_{one.id}", icon=":material/notifications_off:", disabled=bool(quiet or why), help=why
    ):
        seconds = SPANS[str(span)]
        alerting.command("Silencing", lambda: desk.silence_incident(one.id, seconds=seconds, author=by), "Silenced")
    if st.button(
        "Resolve",
        key=f"resolve_{one.id}",
        icon=":material/check:",
        disabled=bool(why),
        help=why or "It begins anew if it still holds",
    ):
        alerting.command("Resolving", lambda: desk.resolve(one.id, by=by), "Resolved")


def _links(rule: AlertRule | None) -> None:
    if rule is None:
        return
    metric, _ = alerting.subject(rule)
    if metric:
        trends = nav.entry("Trends")
        st.page_link(trends.source, label="Look into it", icon=trends.icon, query_params={"metric": metric})
    if rule.runbook.startswith(("http://", "https://")):
        st.link_button("What to do", rule.runbook, icon=":material/menu_book:")


def history(state: State) -> None:
    """What fired in the range, page by page."""
    names = alerting.rule_names()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        search = st.text_input("Search", key="alert_search", placeholder="part of a label", bind="query-params")
        rule = _chosen("Rule", [_ANY, *names.values()], "alert_rule", 260)
        severity = _chosen("Severity", [_ANY, *(one.value for one in Severity)], "alert_severity", 140)
        shown = [one.value for one in IncidentState if one is not IncidentState.PENDING]
        stands = _chosen("State", [_ANY, *shown], "alert_state", 140)
    wanted = IncidentFilter(
        rule_id=next((key for key, name in names.items() if name == rule), ""),
        severity=None if severity == _ANY else Severity(severity),
        state=None if stands == _ANY else IncidentState(stands),
        search=search or "",
    )
    window = alerting.span(state)
    found = tables.turned(partial(alerting.history, window, wanted), alerting.PAGE_ROWS, "alert_page")
    if not found.total:
        ui.empty("Nothing fired in this range, or nothing of what is asked for.")
        return
    tables.plain([_past(one, names, state) for one in found.incidents], alt="Incidents, the newest first")
    tables.paged(counted(found.total, "incident"), found.total, alerting.PAGE_ROWS, "alert_page")


def _past(one: Incident, names: dict[str, str], state: State) -> dict[str, object]:
    fired = one.fired_at or one.since
    end = one.resolved_at or data.now()
    return {
        "Fired": data.clock_time(fired, state.zone, seconds=True),
        "State": one.state.value.replace("_", " "),
        "Rule": names.get(one.rule_id) or alerting.past_name(one.rule_id),
        "Labels": tables.labels_text(one.labels),
        "Severity": one.severity.value,
        "Lasted": lasted(max(0.0, end - fired)),
        "Value": show(one.value),
        "Acknowledged": one.acknowledged_by or NOTHING,
        "Says": one.summary,
    }


def _chosen(label: str, options: list[str], key: str, width: int) -> str:
    return str(st.selectbox(label, options, key=key, width=width, bind="query-params"))
