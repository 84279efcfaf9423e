"""The first page: the answer to "is it healthy, and what changed?", and what it shows once a program is connected."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import alerting, alerts, calls, checks, data, detail, panels, tables, ui
from dashboard.components.live import Line, Tile, live_tiles
from dashboard.state import State, lasted
from dashboard.theme import LOOKS
from dashboard.units import show
from perf.health import Health
from perf.model import AlertRule, Incident, IncidentState, Labels, RuleKind, Severity, Status
from perf.views.concerns import Concern

REQUESTS = "http_server_request_duration_seconds"
PAGES = "page_load_seconds"
FAILED = f'sum(rate({REQUESTS}{{http_response_status_code=~"5.."}}))'
COSTLIEST = 5
LISTED = 10
"""Things that the answer names; the rest are counted."""
_RESOURCES = ("cpu_usage_percent", "memory_usage_percent", "swap_usage_percent")
_WORDS = {
    "cpu_usage_percent": "CPU",
    "memory_usage_percent": "memory",
    "disk_usage_percent": "disk",
    "swap_usage_percent": "swap",
}


def connected() -> tuple[bool, bool]:
    """Whether programs have reported requests, and pages."""
    requests = pages = False
    with ui.framed("The programs"):
        requests, pages = data.recorded(REQUESTS), data.recorded(PAGES)
    return requests, pages


def tiles(state: State) -> None:
    """Six numbers that keep themselves up to date."""
    live_tiles("tiles", chosen_tiles(), panels.view(state))


def chosen_tiles() -> tuple[Tile, ...]:
    """Six numbers: of requests and the machine when a program reports requests, else of the machine alone."""
    bound = data.limits()

    def tile(label: str, query: str, unit: str, note: str = "", metric: str = "") -> Tile:
        limit = bound.get(metric)
        return Tile(
            label=label,
            query=query,
            unit=unit,
            note=note,
            warning=limit.warning if limit else None,
            critical=limit.critical if limit else None,
            delta="points" if unit == "%" else "relative",
        )

    machine = (
        tile("CPU", "cpu_usage_percent", "%", panels.cores(), "cpu_usage_percent"),
        tile("Memory", "memory_usage_percent", "%", panels.memory(), "memory_usage_percent"),
        tile("Disk", "max(disk_usage_percent)", "%", "the fullest", "disk_usage_percent"),
    )
    if data.recorded(REQUESTS):
        return (
            Tile(label="Requests", query=f"sum(rate({REQUESTS}))", unit="1/s", note="answered", worse=None),
            Tile(label="Errors", query=FAILED, unit="1/s", note="status 5xx", quiet=True),
            Tile(label="p95", query=f"p95({REQUESTS})", unit="s", note="one request in twenty is slower"),
            *machine,
        )
    return (
        *machine,
        tile("Load", 'load_average{period="1m"}', "", "tasks, 1 min"),
        tile("Network", "sum(rate(network_receive_bytes_total))", "By/s", "received"),
        tile("Disk writes", panels.WRITTEN, "By/s", "all disks"),
    )


def named(metric: str, labels: Labels) -> str:
    """A series in words: ``CPU``, ``disk /data``."""
    values = " ".join(value for _, value in labels)
    return f"{_WORDS.get(metric, metric)} {values}".strip()


def answer() -> None:
    """The overview's answer."""
    ui.answer(*summary())


def summary() -> tuple[Status, str, str]:
    """The state of everything now."""
    return headline(data.concerns(), data.health(), _alerts())


def headline(
    found: Sequence[Concern], health: Health, firing: Sequence[tuple[Incident, AlertRule]] = ()
) -> tuple[Status, str, str]:
    """The state of everything, in a word and a sentence. What the rest says already is not said again for an alert."""
    now = data.now()
    told = {concern.metric for concern in found}
    words = [
        f"alert {alerts.told(one)}"
        for one, rule in firing
        if alerting.subject(rule)[0] not in told and rule.kind is not RuleKind.HEALTH_CHECK
    ]
    words += [
        f"{named(c.metric, c.labels)} {show(c.value, c.unit)}, above {c.limit:g} {c.unit} for {lasted(now - c.since)}"
        for c in found
    ]
    said = {"resources" if concern.metric in _RESOURCES else "disk" for concern in found}
    words += [
        checks.said(result)
        for result in health.results
        if result.status is not Status.HEALTHY
        and not (result.name in said and "free for the store" not in result.message)
    ]
    judged = [Status.UNHEALTHY if one.severity is Severity.CRITICAL else Status.DEGRADED for one, _ in firing]
    status = Status.worst([health.status, *(concern.status for concern in found), *judged])
    if not words:
        return status, "Healthy.", f"{_now()} All {len(health.results)} checks pass."
    count = "One thing needs a look" if len(words) == 1 else f"{len(words)} things need a look"
    more = [f"and {len(words) - LISTED} more"] if len(words) > LISTED else []
    return status, f"{LOOKS[status].word.capitalize()}.", f"{count}: {'; '.join([*words[:LISTED], *more])}."


def _alerts() -> list[tuple[Incident, AlertRule]]:
    """What fires, the worst first."""
    found = [(one, alerting.rule_of(one)) for one in alerting.firing() if one.state is IncidentState.FIRING]
    return [(one, rule) for one, rule in found if rule is not None]


def _now() -> str:
    """The three shares in a sentence; empty before the first values."""
    parts = []
    for metric in ("cpu_usage_percent", "memory_usage_percent", "disk_usage_percent"):
        values = [info.last_value for info in data.newest(metric) if info.last_value is not None]
        if values:
            word = _WORDS[metric] if metric != "disk_usage_percent" else "the fullest disk"
            parts.append(f"{word} {show(max(values), '%')}")
    return f"{', '.join(parts)}." if parts else ""


def requests(state: State) -> None:
    """How long requests take, and how many are answered how."""
    left, right = st.columns(2)
    with left, ui.card("Latency", "p50, p95, p99 of all requests"):
        found = tuple(
            Line(f"{name}({REQUESTS})", name, color=name, compare=name == "p95") for name in calls.PERCENTILES
        )
        panels.chart("latency", found, state, unit="s", height=220, alt="Percentiles of request durations over time")
    with right, ui.card("Traffic and errors", "requests per second by status"):
        found = (Line(f"sum by (http_response_status_code) (rate({REQUESTS}))", "", style="stack"),)
        panels.chart("traffic", found, state, unit="1/s", height=220, alt="Requests per second by status")


def pages(state: State) -> None:
    """How long pages of Streamlit apps take to load, and how much they are used."""
    left, right = st.columns(2)
    with left, ui.card("Page loads", "p95 by page"):
        loads = (Line(f"p95 by (page) ({PAGES})", ""),)
        panels.lines("page_loads", loads, state, unit="s", alt="Page load times by page")
    with right, ui.card("Pages in use", "loads and reruns per second"):
        reruns = "sum(rate(streamlit_rerun_duration_seconds))"
        used = (Line(f"sum(rate({PAGES}))", "loads"), Line(reruns, "reruns"))
        panels.lines("page_use", used, state, unit="1/s", alt="Page loads and reruns per second")


def machine(state: State) -> None:
    """CPU, memory, disk and network in a row of small charts."""
    first, second, third, fourth = st.columns(4)
    with first, ui.card("CPU", panels.cores):
        panels.cpu(state, height=170)
    with second, ui.card("Memory", panels.memory):
        panels.used_memory(state, height=170)
    disk_and_network(state, third, fourth)


def disk_and_network(
    state: State, left: st.delta_generator.DeltaGenerator, right: st.delta_generator.DeltaGenerator
) -> None:
    """Bytes to and from disks and networks."""
    with left, ui.card("Disk", "read and written"):
        found = (Line(panels.READ, "read"), Line(panels.WRITTEN, "written"))
        panels.lines("disk", found, state, unit="By/s", alt="Bytes read from and written to disks")
    with right, ui.card("Network", "in and out"):
        found = (Line(panels.RECEIVED, "in"), Line(panels.SENT, "out"))
        panels.lines("network", found, state, unit="By/s", alt="Bytes received and sent")


def large_machine(state: State) -> None:
    """The machine alone: two large charts and four small ones."""
    left, right = st.columns(2)
    with left, ui.card("CPU", lambda: f"{panels.cores()} · band: extremes of each step"):
        panels.cpu(state)
    with right, ui.card("Memory", lambda: f"{panels.memory()} · band: extremes of each step"):
        panels.used_memory(state)
    first, second, third, fourth = st.columns(4)
    disk_and_network(state, first, second)
    with third, ui.card("Load", "tasks, 1 and 15 min"):
        found = (Line('load_average{period="1m"}', "1 min"), Line('load_average{period="15m"}', "15 min"))
        panels.lines("load", found, state, unit="", alt="Load average")
    with fourth, ui.card("CPU by mode", "where its time goes"):
        panels.lines("modes", panels.MODES, state, unit="%", alt="CPU time by mode")


def bottom(state: State, *, connected: bool) -> None:
    """The costliest work, or disks without any; and the checks."""
    wide, narrow = st.columns([3, 2])
    if connected:
        with wide, ui.card("Costliest five", "by their share of all time spent, and p95 against the period before"):
            detail.costliest(state, COSTLIEST)
    else:
        with wide, ui.card("Disks", "how full, and how much is left"):
            tables.disks()
    with narrow, ui.card("Checks", "over the chosen range"):
        panels.checks(state)
