"""What the Health page shows: the answer, every check, how long each was up, who needs whom, the score, and one check's past."""

from __future__ import annotations

import streamlit as st

from dashboard import access, checks, data, dependencies, panels, tables, ui, uptime
from dashboard.components.live import Line
from dashboard.state import State, lasted
from dashboard.theme import LOOKS
from perf.health.result import weight
from perf.model import Status
from perf.model.access import Scope
from perf.views.health import Uptime

EXAMPLE = """[health.probes.dns]
kind = "dns"
name = "shop.example.org"

[health.probes.shop]
kind = "http"
url = "https://shop.example.org/ping"
after = ["dns"]"""


def answer() -> None:
    """Which checks need a look, and the score."""
    health = data.health()
    bad = [result for result in health.results if result.status is not Status.HEALTHY]
    need = "needs" if len(bad) == 1 else "need"
    words = "All checks pass." if not bad else f"{len(bad)} of {len(health.results)} checks {need} a look."
    found = checks.score()
    number = "" if found.value is None else f"Score {found.value:.0f}, {found.grade}. "
    worst = sorted(bad, key=lambda one: (-weight(one).rank, -one.status.rank))[:2]
    reasons = "; ".join(map(checks.said, worst))
    more = f"; and {len(bad) - 2} more" if len(bad) > 2 else ""
    details = f"{words} {number}{reasons + more + '.' if reasons else ''}"
    ui.answer(health.status, f"{LOOKS[health.status].word.capitalize()}.", details)


def run_all() -> None:
    """A button that runs every check at once."""
    why = access.reason(Scope.OPERATE)
    icon = ":material/play_arrow:"
    if st.button("Run all now", icon=icon, shortcut="ctrl+enter", key="run_checks", disabled=bool(why), help=why):
        with ui.framed("The run"), access.doing(Scope.OPERATE, "checks.run"):
            checks.run()


def grid(state: State) -> None:
    """A card for each check."""
    st.html(uptime.cards(checks.states(), _by_name("24 h"), state.zone, data.now()))


def strips(state: State) -> None:
    """A line for each check, with its last day, week and month."""
    names = [one.name for one in checks.states()]
    st.html(uptime.strips(names, {title: _by_name(title) for title in checks.RANGES}, state.zone, data.now()))


def needs() -> None:
    """Who needs whom."""
    states = checks.states()
    drawn = dependencies.picture(states)
    if not drawn:
        ui.empty("No check waits for another. In perf.toml, one that names another is not run while that one is down:")
        st.code(EXAMPLE, language="toml")
        return
    st.html(drawn)
    alone = len(states) - len(dependencies.layout(states))
    others = "One other neither waits nor is" if alone == 1 else f"{alone} others neither wait nor are"
    st.caption("An arrow leads to what waits." + (f" {others} waited for." if alone else ""))


def score(state: State) -> None:
    """The number and its parts, and how it went."""
    found = checks.score()
    if found.value is None:
        ui.empty("The score appears with the first requests, database operations, or readings of CPU and memory.")
        return
    st.html(uptime.score(found))
    panels.chart(
        "score",
        (Line("health_score", "score", style="area"),),
        state,
        unit="1",
        height=130,
        y_max=100.0,
        alt="Score over time",
    )


def past(state: State) -> None:
    """One check: a button that runs it, how long it took, and when it was in which state."""
    states = {one.name: one for one in checks.states()}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = str(st.selectbox("Check", list(states), key="check", width=260, bind="query-params"))
        why = access.reason(Scope.OPERATE)
        if st.button("Run it now", icon=":material/play_arrow:", key="run_check", disabled=bool(why), help=why):
            with ui.framed("The run"):
                with access.doing(Scope.OPERATE, "checks.run", name):
                    checks.run(name)
                st.rerun()
    plan = states[name].plan
    waits = f", after {', '.join(plan.after)}" if plan.after else ""
    own = "one of perf's own" if plan.kind == name else plan.kind
    st.caption(f"{own}, every {lasted(plan.interval)}, {plan.timeout:g} s at most{waits}.")
    left, right = st.columns([2, 3])
    with left, ui.framed("Its time"):
        line = Line(f'probe_duration_seconds{{probe="{name}"}}', "took", style="area")
        panels.chart("probe_took", (line,), state, unit="s", height=220, alt=f"How long {name} took")
    with right, ui.framed("Its states"):
        _spells(name, state)


def _spells(name: str, state: State) -> None:
    now = data.now()
    found = checks.history(name, state.span(now))
    if not found:
        ui.empty("Its states stand here from its first minute in this range on.")
        return
    rows = [
        {
            "State": f"{LOOKS[one.status].shape} {LOOKS[one.status].word}",
            "From": data.clock_time(one.start, state.zone, seconds=True),
            "Lasted": lasted(one.end - one.start),
            "Said last": one.message,
        }
        for one in found
    ]
    tables.plain(rows, alt=f"States of {name}, the newest first", height=220 if len(rows) > 5 else "content")


def _by_name(title: str) -> dict[str, Uptime]:
    return {one.probe: one for one in checks.uptimes(title)}
