"""Profiles of perf's own process on their page: begun, watched, drawn as a flame chart, downloaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import access, data, tables, theme
from dashboard.state import clock_time
from dashboard.units import show
from perf.model.access import Scope
from perf.profile import Profile
from perf.profile.profiler import ProfileRequest
from perf.profile.stacks import Box, boxes, collapsed, costliest, speedscope

_ROW = 22
"""Pixels a level of the chart takes."""
_TALLEST = 900
_THIN = 0.05
"""A level whose boxes hold less of all samples is seen after a click only: one deep stack would leave the chart empty."""


def running() -> bool:
    """Whether one is being taken."""
    return data.runtime().profiler.state().running


def newest() -> Profile | None:
    """The one that was taken last."""
    return data.runtime().profiler.newest()


def controls() -> None:
    """How long, how often, and the button."""
    profiler = data.runtime().profiler
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = max(1, int(min(120.0, profiler.longest)))
        seconds = st.number_input("Seconds", 1, most, min(10, most), key="profile_seconds", width=140)
        rate = st.number_input("Looks a second", 10, 500, 100, step=10, key="profile_rate", width=160)
        idle = st.toggle("waiting threads, too", key="profile_idle")
        why = access.reason(Scope.OPERATE)
        icon, off = ":material/local_fire_department:", running() or bool(why)
        if st.button("Profile", type="primary", icon=icon, disabled=off, help=why):
            wanted = ProfileRequest(seconds=float(seconds), rate=float(rate), idle=idle)
            with access.doing(Scope.OPERATE, "profile.start", f"{wanted.seconds:g} s at {wanted.rate:g} Hz"):
                profiler.start(wanted, by=access.person())
            st.rerun()


def progress() -> None:
    """How far it is; draws the page anew when it is done."""
    state = data.runtime().profiler.state()
    if state.error:
        st.error(f"The last profile failed: {state.error}")
    if state.running:
        st.session_state["profiling"] = True
        left = max(0.0, (state.until or 0.0) - data.now())
        st.markdown(f":gray[{tables.escaped(state.by)} is taking a profile; {left:.0f} s to go.]")
    elif st.session_state.pop("profiling", False):
        st.rerun()


def note(profile: Profile, zone: str) -> str:
    """When it was taken, of how many looks it consists, and what it cost."""
    when = clock_time(profile.started, zone, data.now(), seconds=True)
    looks = f"{when}, {profile.samples:,} looks in {profile.seconds:.1f} s; looking took {show(profile.cost, 'ratio')} of a core"
    missed = f"{show(1 - profile.kept, 'ratio')} of the looks missed: the process or the machine was busy"
    return f"{looks}, {missed}" if profile.kept < 0.95 else looks


def flame(profile: Profile) -> None:
    """Threads at the top, what they call below; as wide as its share of the samples. A click goes deeper."""
    found = boxes(profile)
    if not found:
        st.markdown(":gray[Every thread was waiting all the time.]")
        return
    levels = shown_levels(found)
    figure = go.Figure(_icicle(found, profile, levels))
    figure.update_layout(
        height=(levels + 1) * _ROW,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        uniformtext={"minsize": 9, "mode": "hide"},
    )
    st.plotly_chart(figure, key="flame", config={"displayModeBar": False})
    st.caption("A click on a box goes deeper; the line above the chart leads back.")


def shown_levels(found: Sequence[Box]) -> int:
    """How many levels of *found* are worth their room before anything is clicked."""
    widths: Counter[int] = Counter()
    for box in found:
        widths[len(box.path)] += box.count
    worth = max(level for level, width in widths.items() if width >= _THIN * widths[1])
    return min(max(worth, 6), _TALLEST // _ROW)


def table(profile: Profile) -> None:
    """The functions in which most samples ended."""
    total = max(1, sum(one.count for one in profile.stacks))
    rows = [(name, 100 * own / total, 100 * whole / total) for name, own, whole in costliest(profile)]
    share = st.column_config.ProgressColumn(format="%.1f %%", min_value=0.0, max_value=100.0)
    st.dataframe(
        pd.DataFrame(rows, columns=["Function", "Self", "With calls"]),
        hide_index=True,
        column_config={"Self": share, "With calls": share},
        alt="Costliest functions",
    )


def downloads(profile: Profile) -> None:
    """The whole of it, for other tools."""
    with st.container(horizontal=True):
        st.download_button("speedscope", lambda: speedscope(profile), "perf.speedscope.json", "application/json")
        st.download_button("collapsed stacks", lambda: collapsed(profile).encode(), "perf.collapsed.txt", "text/plain")


def _icicle(found: Sequence[Box], profile: Profile, levels: int) -> go.Icicle:
    period = profile.seconds / max(1, profile.samples)
    return go.Icicle(
        ids=["\n".join(box.path) for box in found],
        parents=["\n".join(box.parent) for box in found],
        labels=[box.path[-1].partition(" (")[0] for box in found],
        values=[box.count for box in found],
        customdata=[(box.path[-1], box.count * period, box.own * period) for box in found],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]:.2f} s, itself %{customdata[2]:.2f} s<extra></extra>",
        branchvalues="total",
        tiling={"orientation": "v", "pad": 1},
        sort=False,
        leaf={"opacity": 1.0},
        marker={"colors": [_color(box) for box in found], "line": {"width": 0}},
        textposition="middle left",
        pathbar={"visible": True, "thickness": _ROW},
        maxdepth=levels + 1,  # The root above the threads, which isn't drawn, counts.
    )


def _color(box: Box) -> str:
    """Of the module, so that what belongs together looks alike; threads are grey."""
    if len(box.path) == 1:
        return theme.STATUS["unknown"].color
    file = box.path[-1].rpartition(" (")[2].rpartition(":")[0]
    return _COLORS[sum(file.encode()) % len(_COLORS)]


_COLORS = ("#8FB8DE", "#F2C879", "#9AD5BF", "#EFA98A", "#D9B3CC", "#B5D8F0")
"""Pale ones of the series' colours: dark text reads on all of them, on both themes."""
