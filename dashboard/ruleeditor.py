"""The editor of alert rules: fields at the left, and what the rule would have done, before it is saved."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

import msgspec
import streamlit as st

from dashboard import alerting, bandchart, data, tables, ui
from dashboard.state import State, lasted
from dashboard.units import show
from perf.alerts import files
from perf.alerts.defaults import DEFAULTS
from perf.alerts.preview import Preview
from perf.errors import PerfError, QueryError
from perf.model import Aggregate, AlertRule, NoData, RuleKind, Severity, Status, Window
from perf.settingtree import quantity
from perf.views.rules import RuleState

NEW = "new rule"
_EXAMPLE = AlertRule(
    id="", name="", condition="name == 'memory_usage_percent' and value > 85", for_seconds=60.0, severity=Severity.HIGH
)
_replace = msgspec.structs.replace


class DraftError(PerfError):
    """A field of the editor says nothing that a rule could take."""


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
        try:
            draft = _fields(stored)
        except DraftError as error:
            st.error(str(error), icon=":material/error:")
            return
        with ui.framed("The rule"):
            _buttons(draft, held)
    with right, ui.framed("The preview"):
        _previewed(draft, state)
    with ui.framed("The alternatives"):
        _alternatives(draft, state)


def _fields(rule: AlertRule) -> AlertRule:
    """What the editor's fields say, as a rule. Raises: DraftError."""
    at = f"{zlib.crc32(msgspec.json.encode(rule)):x}"  # What is stored anew is shown anew.
    with st.container(horizontal=True, gap="small"):
        name = st.text_input("Name", rule.name, key=f"name_{at}", placeholder="what it tells")
        kinds = list(RuleKind)
        kind = st.selectbox("Kind", kinds, kinds.index(rule.kind), format_func=_words, key=f"kind_{at}", width=150)
    changed = _replace(rule, name=name.strip(), kind=kind)
    looks = {RuleKind.THRESHOLD: _threshold, RuleKind.ABSENCE: _absence, RuleKind.BURN_RATE: _burn}
    changed = looks.get(kind, _check)(changed, at)
    with st.container(horizontal=True, gap="small"):
        held = _span("For", rule.for_seconds, f"for_{at}")
        keep = _span("Keep firing", rule.keep_firing, f"keep_{at}")
        severities = list(Severity)
        place = severities.index(rule.severity)
        severity = st.selectbox("Severity", severities, place, format_func=_words, key=f"severity_{at}")
    names = sorted({*alerting.channels(), *rule.channels})
    tell = st.multiselect("Tell", names, list(rule.channels), key=f"tell_{at}", placeholder="as in the settings")
    changed = _replace(changed, for_seconds=held, keep_firing=keep, severity=severity, channels=tuple(tell))
    with st.expander("More"):
        return _more(changed, at)


def _threshold(rule: AlertRule, at: str) -> AlertRule:
    condition = st.text_input("Condition", rule.condition, key=f"condition_{at}")
    with st.container(horizontal=True, gap="small"):
        ways = [one.value for one in Aggregate]
        way = st.selectbox("Of", ways, ways.index(rule.aggregate), key=f"aggregate_{at}", help="of each window")
        window = _span("Window", rule.window, f"window_{at}")
        clear = st.number_input(
            "Clear below", value=rule.clear, format="%g", placeholder="the limit", key=f"clear_{at}"
        )
    return _replace(rule, condition=condition, aggregate=way, window=window, clear=clear)


def _absence(rule: AlertRule, at: str) -> AlertRule:
    names = sorted({rule.metric, *(info.metric.name for info in data.known())} - {""})
    place = names.index(rule.metric) if rule.metric in names else None
    metric = st.selectbox("Metric that must not stop", names, place, key=f"metric_{at}")
    window = _span("Silent for", rule.window, f"window_{at}")
    return _replace(rule, condition="", metric=metric or "", window=window)


def _burn(rule: AlertRule, at: str) -> AlertRule:
    bad = st.text_input("Bad events", rule.bad, key=f"bad_{at}", placeholder='requests_total{status="500"}')
    total = st.text_input("All events", rule.total, key=f"total_{at}", placeholder="requests_total")
    goal = st.number_input("Objective (%)", value=100 * (rule.objective or 0.999), format="%g", key=f"objective_{at}")
    return _replace(rule, condition="", bad=bad, total=total, objective=(goal or 0.0) / 100)


def _check(rule: AlertRule, at: str) -> AlertRule:
    probe = st.text_input("Check", rule.probe, key=f"probe_{at}", placeholder="every check")
    states = [one for one in Status if one is not Status.HEALTHY]
    place = states.index(rule.status) if rule.status in states else len(states) - 1
    status = st.selectbox("At least", states, place, format_func=_words, key=f"status_{at}")
    return _replace(rule, condition="", probe=probe.strip(), status=status)


def _more(rule: AlertRule, at: str) -> AlertRule:
    message = st.text_input("Message", rule.message, key=f"message_{at}", placeholder="{name}: {value:.1f}")
    by = st.text_input("Together but for the labels", ", ".join(rule.by), key=f"by_{at}", placeholder="each by itself")
    runbook = st.text_input("What to do (address)", rule.runbook, key=f"runbook_{at}")
    with st.container(horizontal=True, gap="small"):
        cooldown = _span("Cooldown", rule.cooldown, f"cooldown_{at}")
        ways = list(NoData)
        silent = st.selectbox("Without data", ways, ways.index(rule.no_data), format_func=_words, key=f"no_data_{at}")
    enabled = st.toggle("Watching", rule.enabled, key=f"enabled_{at}")
    return _replace(
        rule,
        message=message,
        by=tuple(name.strip() for name in by.split(",") if name.strip()),
        runbook=runbook.strip(),
        cooldown=cooldown,
        no_data=silent,
        enabled=enabled,
    )


def _words(value: str) -> str:
    return value.replace("_", " ")


def _span(label: str, seconds: float, key: str) -> float:
    text = st.text_input(label, files.span(seconds), key=key, help="such as 90s, 5m, 1h")
    try:
        return quantity(text, "seconds")
    except ValueError as error:
        raise DraftError(f"{label}: {error}") from error


def _buttons(draft: AlertRule, held: RuleState | None) -> None:
    rules, who = alerting.alerts().rules, alerting.author() or "dashboard"
    stored = held.rule if held else None
    words = "Back to the default" if held and held.default else "Delete"
    with st.container(horizontal=True, gap="small"):
        save = st.button("Save", type="primary", key="save_rule", disabled=draft == stored)
        drop = st.button(words, key="drop_rule", disabled=stored is None or stored in DEFAULTS)
    if save:
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
