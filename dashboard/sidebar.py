"""The sidebar below the navigation: thresholds with what they would have meant, live or paused, and the zone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial

import msgspec
import streamlit as st

from dashboard import access, data
from dashboard.state import COMPARE, RANGES, lasted
from dashboard.units import show
from perf.errors import PerfError
from perf.model import Threshold
from perf.model.access import Scope

_NAMES = {
    "cpu_usage_percent": "CPU",
    "memory_usage_percent": "Memory",
    "disk_usage_percent": "Disk",
    "swap_usage_percent": "Swap",
}
FIELDS = (
    ("cpu_usage_percent", "CPU above", "cpu"),
    ("memory_usage_percent", "Memory above", "memory"),
    ("disk_usage_percent", "Disk above", "disk"),
)


def thresholds() -> None:
    """One number a metric, bound to the URL, and a button that stores them for everybody."""
    stored = data.limits()
    st.markdown("**Thresholds**")
    drafts = {metric: _field(metric, label, key, stored[metric]) for metric, label, key in FIELDS if metric in stored}
    changed = {metric: value for metric, value in drafts.items() if value != stored[metric].warning}
    why = access.reason(Scope.OPERATE)
    pressed = st.button(
        "Apply",
        key="apply_thresholds",
        type="primary",
        width="stretch",
        disabled=not changed or bool(why),
        help=why or ("Stores the changed thresholds for everybody who looks at this dashboard" if changed else None),
    )
    if pressed:
        _apply(changed, stored)


def _field(metric: str, label: str, key: str, threshold: Threshold) -> float:
    """The draft of one threshold, with its meaning below it."""
    value = st.number_input(
        f"{label} (%)",
        min_value=1.0,
        max_value=100.0,
        value=float(threshold.warning),
        step=1.0,
        format="%g",
        key=f"above_{key}",
        bind="query-params",
    )
    draft = float(value if value is not None else threshold.warning)
    st.caption(meaning(metric, draft))
    return draft


def meaning(metric: str, limit: float) -> str:
    """What *limit* would have meant in the last week, in half a sentence."""
    found = data.breaches(metric, limit)
    if found.highest is None:
        return "no data yet"
    if found.times == 0:
        return f"never in 7 d, highest {show(found.highest, '%')}"
    return f"{found.times}× in 7 d, {lasted(found.seconds)} in all"


def _apply(changed: dict[str, float], stored: dict[str, Threshold]) -> None:
    for metric, value in changed.items():
        before = stored[metric]
        critical = None if before.critical is None else max(before.critical, value)
        try:
            data.set_limit(metric, msgspec.structs.replace(before, warning=value, critical=critical))
        except PerfError as error:
            st.error(f"Not stored: {error}")
            return
    st.toast("Thresholds stored", icon=":material/check:")
    st.rerun()


def editor() -> None:
    """Every threshold with both limits; a row is stored by its button, and can go back to what is configured."""
    stored, configured, why = data.limits(), data.runtime().settings.thresholds, access.reason(Scope.OPERATE)
    for metric, threshold in stored.items():
        with st.form(f"limit_{metric}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            name = _NAMES.get(metric, metric)
            warning = st.number_input(f"{name}: warning above (%)", value=float(threshold.warning), format="%g")
            critical = st.number_input("critical above (%)", value=threshold.critical, format="%g", placeholder="never")
            save = st.form_submit_button("Store", disabled=bool(why), help=why)
            same = configured.get(metric) == threshold
            reset = st.form_submit_button("Reset", disabled=same or bool(why), help=why)
        if save or reset:
            _store(metric, None if reset else Threshold(float(warning or 0.0), critical))


def _store(metric: str, threshold: Threshold | None) -> None:
    try:
        data.set_limit(metric, threshold)
    except PerfError as error:
        st.error(f"Not stored: {error}")
        return
    st.toast("Threshold stored", icon=":material/check:")
    st.rerun()


def view() -> tuple[bool, bool]:
    """Whether the page ticks, and whether times are shown in UTC."""
    refresh = data.runtime().settings.dashboard.refresh
    live = st.toggle(f"Live, every {refresh:g} s", value=True, key="live", bind="query-params")
    utc = st.toggle("Times in UTC", value=False, key="utc", bind="query-params")
    return live, utc


def keys() -> None:
    """Buttons with a key each, for hands that stay on the keyboard."""
    with st.container(horizontal=True, gap="xsmall", key="keys"):
        for icon, key, meaning, turn in _KEYS:
            st.button("", icon=icon, shortcut=key, help=meaning, type="tertiary", key=f"key_{key}", on_click=turn)
        if st.button("", icon=":material/keyboard:", shortcut="k", help="All keys", type="tertiary", key="key_k"):
            _explain()


@st.dialog("Keys")
def _explain() -> None:
    rows = [("k", "this list"), *((key, meaning) for _, key, meaning, _ in _KEYS)]
    rows += [("r", "run the page again"), ("double click", "leave the zoom of all charts")]
    st.markdown("\n".join(["| key | does |", "|---|---|", *(f"| `{key}` | {meaning} |" for key, meaning in rows)]))


def _flip(name: str) -> None:
    st.session_state[name] = not st.session_state[name]


def _turn(name: str, values: Sequence[str]) -> None:
    """The next of *values*, round and round."""
    now = st.session_state.get(name)
    st.session_state[name] = values[(values.index(now) + 1) % len(values)] if now in values else values[0]


_KEYS = (
    (":material/pause:", "p", "pause, or go on", partial(_flip, "live")),
    (":material/public:", "u", "UTC, or this browser's zone", partial(_flip, "utc")),
    (":material/compare_arrows:", "v", "the next comparison", partial(_turn, "compare", tuple(COMPARE))),
    (":material/schedule:", "t", "the next time range", partial(_turn, "range", tuple(RANGES))),
)


def footer(zone: str) -> None:
    """Whose time is shown, and what perf itself takes."""
    cost = data.newest("process_cpu_percent")
    own = next((i.last_value for i in cost if ("process", "perf") in i.labels), None)
    words = "" if own is None else f" · perf uses {show(own, '%')} of a core".replace(" %", "\u00a0%")
    st.caption(f"Times in {zone}{words}")
    if access.signs_in():
        # A link of Streamlit's own would open another tab.
        name = html.escape(access.person())
        st.html(f'<small>Signed in as {name} · <a href="./signout" target="_self">Sign out</a></small>')
