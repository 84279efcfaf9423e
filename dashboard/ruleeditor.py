"""The editor of alert rules: fields at the left, and what the rule would have done, before it is saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import streamlit as st

from dashboard import access, alerting, bandchart, data, rulefields, tables, ui
from dashboard.fields import Fields
from dashboard.state import State, lasted
from dashboard.units import show
from perf.alerts import files
from perf.alerts.defaults import DEFAULTS
from perf.alerts.preview import Preview
from perf.errors import PerfError, QueryError
from perf.model import AlertRule, Severity, Window
from perf.model.access import Scope
from perf.views.rules import RuleState

NEW = "new rule"
_EXAMPLE = AlertRule(
    id="", name="", condition="name == 'memory_usage_percent' and value > 85", for_seconds=60.0, severity=Severity.HIGH
)
_replace = msgspec.structs.replace


def editor(state: State) -> None:
    """A rule's fields at the left, what it would have done at the right, and below it what other limits would have."""
    known = {one.rule.name: one for one in alerting.states()}
    if "rule_saved" in st.session_state:
        st.session_state["rule"] = st.session_state.pop("rule_saved")
    chosen = str(st.selectbox("Rule", [NEW, *known], key="rule", width=420, bind="query-params"))
    held = known.get(chosen)
    stored = held.rule if held else _EXAMPLE
    left, right = st.columns([2, 3])
    with left:
        fields = Fields()
        draft = rulefields.drawn(stored, fields)
        with ui.framed("The rule"):
            _buttons(draft, held, right=not fields.wrong)
    if fields.marked:
        with right:
            ui.empty("What the rule would have done stands here once every field can be taken.")
        return
    with right, ui.framed("The preview"):
        _previewed(draft, state)
    with ui.framed("The alternatives"):
        _alternatives(draft, state)


def _buttons(draft: AlertRule, held: RuleState | None, *, right: bool) -> None:
    rules, who = alerting.alerts().rules, alerting.author() or "dashboard"
    stored = held.rule if held else None
    words = "Back to the default" if held and held.default else "Delete"
    with st.container(horizontal=True, gap="small"):
        why = access.reason(Scope.OPERATE)
        save = st.button("Save", type="primary", key="save_rule", disabled=draft == stored or bool(why), help=why)
        off = stored is None or stored in DEFAULTS or bool(why)
        drop = st.button(words, key="drop_rule", disabled=off, help=why)
    if save and right:
        rule = draft if draft.id else _replace(draft, id=files.identity(draft.name))
        act = partial(rules.save, rule, author=who)
        alerting.command("Saving", lambda: _then_open(act, rule.name), f"Saved {rule.name}")
    if drop and held is not None:
        name = held.rule.name if held.default else NEW
        act = partial(rules.drop, held.rule.id, author=who)
        alerting.command("Deleting", lambda: _then_open(act, name), "Done")


def _then_open(act: Callable[[], None], name: str) -> None:
    """Do *act*, and let the editor show the rule called *name* from the next run on."""
    act()
    st.session_state["rule_saved"] = name


def _preview(draft: AlertRule, state: State) -> tuple[Preview, Window]:
    """Raises: QueryError, RuleError."""
    window = state.span(data.now() // 10 * 10)
    named = _replace(draft, name=draft.name or "this rule", id=draft.id or "draft", enabled=True)
    return alerting.preview(named, window), window


def _previewed(draft: AlertRule, state: State) -> None:
    """The sentence, and the metric with the bands in which the rule would have fired."""
    try:
        found, window = _preview(draft, state)
    except QueryError as error:
        st.error(str(error), icon=":material/error:")
        if error.text:
            st.code(f"{error.text}\n{' ' * error.position}^", language=None)
        return
    times = "never" if not found.times else f":orange[{found.times} {'time' if found.times == 1 else 'times'}]"
    total = f", {lasted(found.seconds)} in all" if found.times else ""
    st.markdown(f"In the last {lasted(window.seconds)} this rule would have fired **{times}**{total}")
    _chart(draft, found, window, state.zone)


def _chart(rule: AlertRule, found: Preview, window: Window, zone: str) -> None:
    metric, limit = alerting.subject(rule)
    drawn = alerting.course(metric, rule.aggregate, window) if metric else None
    figure = bandchart.bands(drawn, [(one.start, one.end) for one in found.bands], window, zone, limit=limit)
    words = f"{metric or 'The condition'} over time; {found.times} bands where the rule would have fired"
    st.plotly_chart(figure, key="preview", config={"displayModeBar": False}, alt=words)
    if found.marked:
        st.caption(noted(found))


def noted(found: Preview) -> str:
    """How the firings lie to the notes in the range, in a sentence."""
    where = "the only note" if found.marked == 1 else f"{found.caught or 'none'} of {found.marked} notes"
    verb = "fires" if found.caught or found.marked > 1 else "doesn't fire"
    elsewhere = {0: "never", 1: "once"}.get(found.outside, f"{found.outside} times")
    return f"It {verb} near {where} in this range; elsewhere {elsewhere}."


def _alternatives(draft: AlertRule, state: State) -> None:
    try:
        found, _ = _preview(draft, state)
    except PerfError:
        return  # It has been said beside the fields.
    unit, rows = alerting.unit(draft), []
    for one in found.alternatives:
        limit = "" if one.limit is None else f"limit {show(one.limit, unit)}, "
        row = {
            "Instead": f"{limit}for {files.span(one.for_seconds)}",
            "Firings": one.times,
            "In all": lasted(one.seconds),
        }
        marks = {"Marked caught": f"{one.caught} of {found.marked}", "Outside": one.outside} if found.marked else {}
        rows.append(row | marks)
    if rows:
        tables.plain(rows, alt="What other limits and durations would have meant", height=250)
    if found.left_out:
        st.caption(left_out(found.left_out))


def left_out(count: int) -> str:
    """Why *count* alternatives are missing, in a sentence."""
    what = "One alternative is" if count == 1 else f"{count} alternatives are"
    return (
        f"{what} left out: the series fall silent so often in this range that trying it would take longer than a page should. "
        "Choose a shorter range, or a longer window."
    )
