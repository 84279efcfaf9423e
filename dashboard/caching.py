"""What the page about caches shows: whether they pay, who answered, what they hold, and a way to make them forget."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, calls, data, panels, tables, ui
from dashboard.components.live import Line, Tile, live_tiles
from dashboard.state import State
from dashboard.units import show
from perf.model import Selector, Status
from perf.model.access import Scope
from perf.model.matching import Match
from perf.selectors import Expression
from perf.views.cache import LOADED, OWN, Worth

EXAMPLE = """from perf.cache import cached

@cached(ttl=300, tags=["orders"])
def orders(customer): ..."""
ALL = "all programs"
TOP = 15
ORDER = ("memory", "file", "redis", LOADED)
"""Tiers from the fastest to the slowest."""


def picker() -> str:
    """The cache to look at, bound to the URL; empty for those of all programs."""
    names = data.caches()
    if set(names) <= {OWN} or len(names) < 2:
        return ""
    chosen = st.selectbox(
        "Cache", [ALL, *names], key="cache", width=260, label_visibility="collapsed", bind="query-params"
    )
    return "" if chosen == ALL else str(chosen)


def worth(state: State, cache: str) -> Worth:
    """What the caches were worth in the range."""
    return data.worth(calls.span(state), cache)


def answer(found: Worth) -> None:
    """Whether it pays, in a sentence."""
    if found.ratio is None:
        ui.answer(Status.UNKNOWN, "Nothing cached.", "No cache was asked in this range.")
        return
    hits = found.requests - found.served.get(LOADED, 0.0)
    headline = f"{show(100 * found.ratio, '%')} of {found.requests:,.0f} requests were answered without work."
    saved, spent = found.saved_seconds, found.load_seconds
    words = f"It saved {show(saved, 's')} in {hits:,.0f} hits"
    words += f" and spent {show(spent, 's')} on loads." if spent else "."
    stale = f" {found.stale:,.0f} answers were stale: a factory failed or was slow." if found.stale else ""
    ui.answer(Status.DEGRADED if found.stale else Status.HEALTHY, headline, words + stale)


def tiles(state: State, cache: str) -> None:
    """The numbers of now."""
    asked, loads = _text("cache_requests_total", cache), _text("cache_requests_total", cache, tier=LOADED)
    found = (
        Tile(
            label="Hit ratio",
            query=f"avg({_text('cache_hit_percent', cache)})",
            unit="%",
            note="of all requests",
            reduce="mean",
            delta="points",
            worse="down",
        ),
        Tile(label="Requests", query=f"sum(rate({asked}))", unit="1/s", note="per second", worse=None),
        Tile(label="Not cached", query=f"sum(rate({loads}))", unit="1/s", note="requests that had to wait for work"),
        Tile(
            label="Time saved",
            query=f"sum(rate({_text('cache_saved_seconds_total', cache)}))",
            unit="s",
            note="each second",
            worse="down",
        ),
        Tile(
            label="Memory",
            query=f"sum({_text('cache_bytes', cache, tier='memory')})",
            unit="By",
            note="of all programs" if not cache else "held",
            worse=None,
        ),
        Tile(label="Queue", query=f"sum({_text('cache_queue_depth', cache)})", note="writes that wait"),
    )
    live_tiles("cache-tiles", found, panels.view(state))


def served(state: State, cache: str) -> None:
    """Who answered, over time."""
    lines = tuple(
        Line(f"sum(rate({_text('cache_requests_total', cache, tier=tier)}))", tier, style="stack") for tier in ORDER
    )
    panels.chart("served", lines, state, unit="1/s", alt="Requests by the tier that answered, over time")


def ratio(state: State, cache: str) -> None:
    """Hits among all requests, over time."""
    line = Line(f"avg({_text('cache_hit_percent', cache)})", "hits", style="area")
    panels.chart("ratio", (line,), state, unit="%", y_max=100.0, alt="Share of requests that were hits, over time")


def size(state: State, cache: str) -> None:
    """What memory holds, and may hold."""
    lines = (
        Line(f"sum({_text('cache_bytes', cache, tier='memory')})", "held", style="area"),
        Line(f"sum({_text('cache_bound_bytes', cache, tier='memory')})", "bound"),
    )
    panels.lines("size", lines, state, unit="By", alt="Bytes in memory against the bound, over time")


def evictions(state: State, cache: str) -> None:
    """Why entries left, over time."""
    line = Line(f"sum by (reason) (rate({_text('cache_evictions_total', cache)}))", "", style="stack")
    panels.lines("evictions", (line,), state, unit="1/s", alt="Entries that left by reason, over time")


def waits(state: State, cache: str) -> None:
    """What a read of the outer tiers takes."""
    text = _text("cache_tier_duration_seconds", cache, operation="read")
    line = Line(f"p95 by (tier) ({text})", "")
    panels.lines("waits", (line,), state, unit="s", alt="95th percentile of a read by tier, over time")


def groups(found: Worth) -> None:
    """The cached functions, the largest saving first."""
    frame = pd.DataFrame(
        {
            "Function": [one.function or "(by name)" for one in found.groups],
            "Cache": [f"{one.service} {one.cache}".strip() for one in found.groups],
            "Hits": [100 * one.ratio if one.ratio is not None else None for one in found.groups],
            "Requests": [f"{one.hits + one.misses:,.0f}" for one in found.groups],
            "Time saved": [show(one.saved_seconds, "s") for one in found.groups],
            "Mean load": [show(one.mean, "s") for one in found.groups],
            "Loads": [f"{one.loads:,.0f}" for one in found.groups],
            "Failed": [f"{one.failures:,.0f}" for one in found.groups],
        }
    )
    share = st.column_config.ProgressColumn("Hits", min_value=0.0, max_value=100.0, format="%.0f %%")
    st.dataframe(frame, hide_index=True, height="content", column_config={"Hits": share}, alt="Cached functions")


def tiers(cache: str) -> None:
    """What every tier holds now, and whether it is used."""
    rows = [
        {
            "Tier": one.tier,
            "Cache": f"{one.service} {one.cache}".strip(),
            "State": "■ not used: it fails" if one.failing else "● used",
            "Entries": f"{one.entries:,.0f}",
            "Holds": show(one.bytes, "By"),
            "Bound": show(one.bound, "By"),
        }
        for one in data.cache_tiers(cache)
    ]
    if rows:
        tables.plain(rows, alt="Tiers")
    else:
        st.markdown(":gray[No cache has reported in the last minute.]")


def what_if(cache: str) -> None:
    """The hit ratio of memory at other bounds."""
    found = data.what_if(cache)
    if not found:
        st.markdown(":gray[Appears once a few dozen keys were asked for in memory.]")
        return
    rows = [
        {
            "Cache": f"{one.service} {one.cache}".strip(),
            "Memory": show(one.bound, "By"),
            "Hit ratio": show(100 * one.ratio, "%"),
            "": "as it is" if one.scale == 1.0 else f"× {one.scale:g}",
        }
        for one in found
    ]
    tables.plain(rows, alt="Hit ratio at other bounds")


def top_keys() -> None:
    """The keys of this process's caches that saved most."""
    found = data.top_keys(TOP)
    if not found:
        st.markdown(":gray[The caches of this process have saved nothing yet. Other programs don't send their keys.]")
        return
    rows = [
        {
            "Key": one.saving.key,
            "Cache": one.cache,
            "Saved": show(one.saving.seconds, "s"),
            "Hits": f"{one.saving.hits:,}",
            "Size": show(one.saving.size, "By"),
            "Keys seen": show(100 * one.share, "%"),
        }
        for one in found
    ]
    tables.plain(rows, alt="Keys that saved most")


def forget(cache: str) -> None:
    """A form that makes the caches of this process forget a key, a tag or what matches a pattern."""
    row = st.form("forget", border=False, clear_on_submit=True).container(
        horizontal=True, vertical_alignment="bottom", gap="small"
    )
    what = row.selectbox("Forget", ("key", "tag", "pattern"), width=130)
    text = row.text_input("Which", placeholder="a key, a tag, or user:*")
    why = access.reason(Scope.OPERATE)
    asked = row.form_submit_button("Forget", icon=":material/delete_sweep:", disabled=bool(why), help=why)
    if asked and text.strip():
        with ui.framed("Forgetting"):
            count = data.forget(str(what), text.strip(), cache)
            st.toast(
                f"{what} {text.strip()!r}: {count:,} entries forgotten from memory", icon=":material/delete_sweep:"
            )


def _text(metric: str, cache: str, **labels: str) -> str:
    """A selector of *metric* for one cache, or for those of all programs."""
    wanted = {**labels, **({"cache": cache} if cache else {})}
    tests = () if cache else (Match("cache", OWN, negated=True),)
    return str(Expression(selector=Selector(metric, tuple(sorted(wanted.items())), tests)))
