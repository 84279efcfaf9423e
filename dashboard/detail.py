"""One function or endpoint in detail: where its time goes, who calls it, its slowest calls, how each release did."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pandas as pd
import streamlit as st

from dashboard import calls, charts, data, panels, tables
from dashboard.calls import Kind, Row
from dashboard.state import State
from dashboard.units import show
from perf.model import DEPLOY, Annotation, Histogram, Window
from perf.views.traces import Link, Traced

SLOWEST = 15
RELEASES = 6
ENOUGH = 100
"""Calls on each side, below which a change says little."""
USUAL = 0.1
"""A change of p95 within this share is not worth a word; buckets alone may move it by 0.02."""

_NOT_TRACED = ":gray[No call of this range was traced. One a second is, once callers and callees are recorded.]"


def where(row: Row, state: State) -> None:
    """What a mean call spends its time in, now and in the period before."""
    now = calls.span(state)
    found = data.traced(row.name, now)
    if found is None:
        st.markdown(_NOT_TRACED)
        return
    if not found.split:
        st.markdown(":gray[Nothing inside it is recorded: all of its time is its own.]")
        return
    before = data.traced(row.name, _before(now))
    bars = [("before", before), ("now", found)]
    figure = charts.splits([(name, _per_call(one)) for name, one in bars if one is not None and one.calls])
    st.plotly_chart(
        figure, key="split", config={"displayModeBar": False}, alt=f"What the time of {row.name} is spent in"
    )


def links(row: Row, state: State) -> None:
    """Whom it calls, and who calls it."""
    found = data.traced(row.name, calls.span(state))
    if found is None:
        st.markdown(_NOT_TRACED)
        return
    if found.callees:
        _callees(found)
        if found.cut:
            st.caption(shortened(found))
    else:
        st.markdown(":gray[It calls nothing that is recorded.]")
    if found.callers:
        names = ", ".join(
            f"**{tables.escaped(link.name)}** ({_share(link.calls, found.calls)})" for link in found.callers[:5]
        )
        st.markdown(f"Called by {names}")


def shortened(found: Traced) -> str:
    """That callees are underestimated, and by which calls, in a sentence."""
    return (
        f"{_share(found.cut, found.calls)} of the traced calls went on for longer than a trace does (1,000 calls or ten seconds): "
        "what they called after that is missing here, so times a call and shares are too low."
    )


def _callees(found: Traced) -> None:
    links: Sequence[Link] = found.callees[:8]
    frame = pd.DataFrame(
        {
            "Calls": [link.name for link in links],
            "Kind": [link.kind for link in links],
            "Of its time": [min(100.0, 100 * link.seconds / found.seconds) if found.seconds else 0.0 for link in links],
            "Times a call": [f"{link.calls / found.calls:.3g}" for link in links],
            "Mean": [show(link.seconds / link.calls, "s") for link in links],
        }
    )
    share = st.column_config.ProgressColumn("Of its time", min_value=0.0, max_value=100.0, format="%.0f %%")
    st.dataframe(frame, hide_index=True, height="content", column_config={"Of its time": share}, alt="What it calls")


def slowest(kind: Kind, row: Row, state: State) -> None:
    """The slowest calls that were kept, with what tells them apart."""
    found = data.slowest(kind.metric, row.labels, calls.span(state), SLOWEST)
    if not found:
        st.markdown(":gray[No slow call of this range was kept.]")
        return
    rows = [
        {
            "When": data.clock_time(one.ts, state.zone, seconds=True),
            "Took": show(one.seconds, "s"),
            "Error": one.error,
            "Arguments": ", ".join(one.arguments),
            "Called by": " ← ".join(one.parents),
            "Release": one.release,
            "Trace": one.trace[:8],
        }
        for one in found
    ]
    # A column that says nothing is left out.
    told = [name for name in rows[0] if any(each[name] for each in rows)]
    tables.plain([{name: each[name] for name in told} for each in rows], alt="Slowest calls", height=285)


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the range in which one release ran, and what was observed in it."""

    name: str
    window: Window
    histogram: Histogram


def releases(kind: Kind, row: Row, state: State) -> None:
    """How it did under each release, the newest first."""
    window = calls.span(state)
    services = {"", *data.services(kind.metric, row.labels)}
    deploys = [one for one in data.happened(Window(0.0, window.end)) if one.kind == DEPLOY and one.service in services]
    if not deploys:
        st.markdown(":gray[No deploy yet. One is noted when a program reports another release.]")
        return
    parts = [
        Release(name=name, window=part, histogram=data.shape(kind.metric, row.labels, part))
        for name, part in cut(window, deploys)[-RELEASES:]
    ]
    tables.plain([_line(part, state) for part in reversed(parts)], alt="By release")


def cut(window: Window, deploys: Sequence[Annotation]) -> list[tuple[str, Window]]:
    """*window* in the parts between *deploys* (the oldest first, also of before), each with the deploy that begins it."""
    earlier = [one for one in deploys if one.ts <= window.start]
    within = [one for one in deploys if window.start < one.ts < window.end]
    first = panels.mark_text(earlier[-1]).removeprefix(f"{DEPLOY} ") if earlier else "before"
    names = [first, *(panels.mark_text(one).removeprefix(f"{DEPLOY} ") for one in within)]
    edges = [window.start, *(one.ts for one in within), window.end]
    parts = zip(names, edges, edges[1:], strict=False)
    return [(name, Window(start, end)) for name, start, end in parts if end > start]


def _line(part: Release, state: State) -> dict[str, object]:
    found = part.histogram
    return {
        "Release": part.name,
        "From": data.clock_time(part.window.start, state.zone),
        "Calls": f"{found.count:,}",
        "Mean": show(found.total / found.count, "s") if found.count else show(None),
        "p50": show(found.quantile(0.5), "s") if found.count else show(None),
        "p95": show(found.quantile(0.95), "s") if found.count else show(None),
        "Slowest": show(found.high, "s") if found.count else show(None),
    }


def costliest(state: State, count: int) -> None:
    """The rows of all kinds that take most time, and how their p95 changed."""
    window = calls.span(state)
    found = [(kind, total) for kind in calls.KINDS for total in data.totals(kind.metric, window, kind.by)]
    whole = sum(total.total for kind, total in found if kind.outermost) or sum(total.total for _, total in found)
    chosen = sorted(found, key=lambda pair: -pair[1].total)[:count]
    if not chosen:
        st.markdown(":gray[Nothing recorded in this range.]")
        return
    shapes = [data.shape(kind.metric, total.labels, window) for kind, total in chosen]
    earlier = [data.shape(kind.metric, total.labels, _before(window)) for kind, total in chosen]
    frame = pd.DataFrame(
        {
            "Where": [calls.named(kind, total.labels) for kind, total in chosen],
            "Kind": [kind.title for kind, _ in chosen],
            "Share": [min(100.0, 100 * total.total / whole) for _, total in chosen],
            "Calls": [show(float(total.count)) for _, total in chosen],
            "p95": [show(shape.quantile(0.95), "s") for shape in shapes],
            "Errors": [calls.failures(total) for _, total in chosen],
            "p95 was": [change(now, then) for now, then in zip(shapes, earlier, strict=True)],
        }
    )
    share = st.column_config.ProgressColumn("Share", min_value=0.0, max_value=100.0, format="%.0f %%")
    st.dataframe(frame, hide_index=True, height="content", column_config={"Share": share}, alt="Costliest five")


def change(now: Histogram, before: Histogram) -> str:
    """How p95 compares with *before*, in words; within a tenth it is as usual."""
    if min(now.count, before.count) < ENOUGH:
        return "too few calls"
    was = before.quantile(0.95)
    ratio = now.quantile(0.95) / was - 1.0 if was else 0.0
    if abs(ratio) <= USUAL:
        return f"{show(was, 's')}, as usual"
    return f"{show(was, 's')}, {'▲ +' if ratio > 0 else '▼ −'}{abs(100 * ratio):.0f} %"


def _per_call(found: Traced) -> dict[str, float]:
    return {kind: seconds / found.calls for kind, seconds in found.split.items()}


def _before(window: Window) -> Window:
    return Window(window.start - window.seconds, window.start)


def _share(part: float, whole: float) -> str:
    return f"{100 * min(1.0, part / whole):.0f} %" if whole else show(None)
