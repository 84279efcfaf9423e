"""The pages' door to rules, incidents and silences, beside `dashboard.data`: cached questions, and commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import streamlit as st

from dashboard import access, data, ui
from dashboard.state import POINTS, State
from perf.alerts.condition import compile
from perf.alerts.preview import Preview
from perf.model import (
    AlertRule,
    DeliveryPage,
    Incident,
    IncidentFilter,
    IncidentPage,
    Kind,
    RuleKind,
    Series,
    Silence,
    Window,
)
from perf.model.access import Scope
from perf.views.alerts import Alerts, ChannelState, Firing
from perf.views.rules import RuleState

PAGE_ROWS = 25
PERCENTILES = ("p50", "p95", "p99")
_HASHED: dict[str | type[Any], Callable[[Any], Any]] = {  # Any: as Streamlit has it
    AlertRule: msgspec.json.encode,
    IncidentFilter: msgspec.json.encode,
}


def alerts() -> Alerts:
    """Rules, incidents and silences of the runtime."""
    return data.runtime().alerts


def span(state: State) -> Window:
    """The range with what happened just now; it moves every ten seconds, so that readers share their answers."""
    return state.span(data.now() // 10 * 10 + 10)


def firing() -> list[Incident]:
    """What is open now, the worst first."""
    return alerts().open()


def rule_names() -> dict[str, str]:
    """Rule's id -> its name."""
    return {rule.id: rule.name for rule in alerts().rules.all()}


def rule_of(incident: Incident) -> AlertRule | None:
    """The rule of *incident*; None when it is gone."""
    return next((rule for rule in alerts().rules.all() if rule.id == incident.rule_id), None)


def silenced(incident: Incident) -> bool:
    """Whether nobody is told of *incident* now."""
    return rule_of(incident) is not None and alerts().silenced(incident) is not None


@st.cache_data(ttl=60.0, max_entries=1_000, show_spinner=False)
def past_name(rule_id: str) -> str:
    """What a rule that is no more was called."""
    return alerts().rules.past_name(rule_id)


@st.cache_data(ttl=5.0, show_spinner=False)
def states() -> list[RuleState]:
    """Every rule with how it stands and what it did."""
    return alerts().rules.states()


@st.cache_data(ttl=5.0, max_entries=100, show_spinner=False, hash_funcs=_HASHED)
def history(window: Window, wanted: IncidentFilter, page: int) -> IncidentPage:
    """One page of incidents, the newest first."""
    return alerts().history(window, PAGE_ROWS, (page - 1) * PAGE_ROWS, wanted)


@st.cache_data(ttl=5.0, max_entries=100, show_spinner=False)
def deliveries(window: Window, page: int) -> DeliveryPage:
    """One page of attempts, the newest first."""
    return alerts().deliveries(window, PAGE_ROWS, (page - 1) * PAGE_ROWS)


@st.cache_data(ttl=5.0, max_entries=100, show_spinner=False)
def delivery(window: Window) -> list[ChannelState]:
    """Every channel: what became of its notifications, and what waits."""
    return alerts().delivery(window)


@st.cache_data(ttl=10.0, max_entries=50, show_spinner=False)
def firings(window: Window) -> list[Firing]:
    """When which rule fired."""
    return alerts().firings(window)


@st.cache_data(ttl=30.0, max_entries=50, show_spinner=False, hash_funcs=_HASHED)
def preview(rule: AlertRule, window: Window) -> Preview:
    """What *rule* would have done in *window*. Raises: QueryError, RuleError."""
    return alerts().rules.preview(rule, window)


def subject(rule: AlertRule) -> tuple[str, float | None]:
    """The metric that *rule* looks at, and the limit of its condition, as far as there are any."""
    if rule.kind is not RuleKind.THRESHOLD:
        return rule.metric, None
    condition = compile(rule.condition)
    return rule.metric or condition.metric, condition.limit.number if condition.limit else None


def unit(rule: AlertRule) -> str:
    """The unit of the metric that *rule* looks at."""
    metric, _ = subject(rule)
    return next((info.metric.unit for info in data.known() if info.metric.name == metric), "")


def course(metric: str, aggregate: str, window: Window) -> Series | None:
    """*metric* over *window*: its percentile where the rule looks at one, else the highest of its series."""
    kind = next((info.metric.kind for info in data.known() if info.metric.name == metric), None)
    if kind is None:
        return None
    inner = f"rate({metric})" if kind is Kind.COUNTER else metric
    query = f"{aggregate}({metric})" if aggregate in PERCENTILES and kind is Kind.HISTOGRAM else f"max({inner})"
    found = data.ranged((query,), window, POINTS)
    return found.series[0][1] if found.series and len(found.series[0][1].ts) else None


def silences() -> list[Silence]:
    """Every silence that is in force or to come."""
    return alerts().silences()


def channels() -> list[str]:
    """The channels that can be reached with the settings in force."""
    return alerts().channels()


def author() -> str:
    """Who looks at this page: the name of the sign-in, else the one typed below the answer."""
    return access.person() if access.signs_in() else str(st.session_state.get("who") or "")


def command(title: str, act: Callable[[], object], done: str) -> None:
    """Do *act*, say that it is *done*, and draw the page anew; a failure says why, and the page stays."""
    with ui.framed(title):
        with access.doing(Scope.OPERATE):
            act()
        for cached in (states, history, deliveries, delivery, firings):
            cached.clear()
        st.toast(done, icon=":material/check:")
        st.rerun()
