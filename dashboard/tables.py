"""Tables: values in, Streamlit tables out, with units and pages. Sorting, filtering and paging happen in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.data import Setting
from dashboard.state import POINTS, State, lasted
from dashboard.theme import LOOKS
from dashboard.units import NOTHING, counted, exact, show
from perf.model import Change, Labels, LevelUsage, RowOrder, Rows, RowsQuery, Selector, Status, Window
from perf.settings import as_thresholds
from perf.sources.sampler import SourceState
from perf.timerange import rfc3339

PAGE_ROWS = 50
_Page = TypeVar("_Page", bound="Counted")
_ORDERS = {
    "newest first": (RowOrder.TIME, True),
    "oldest first": (RowOrder.TIME, False),
    "largest value": (RowOrder.VALUE, True),
    "smallest value": (RowOrder.VALUE, False),
    "metric": (RowOrder.METRIC, False),
}


def labels_text(labels: Labels) -> str:
    """Labels as ``core=0, mode=user``."""
    return ", ".join(f"{name}={value}" for name, value in labels)


def escaped(words: str) -> str:
    """*words* without what Markdown would take for its own."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+-.!|<>~$:" else letter for letter in words)


def plain(rows: Sequence[Mapping[str, object]], *, alt: str, height: int | Literal["content"] = "content") -> None:
    """A small table that fits the page."""
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=height, alt=alt, width="stretch")


class Counted(Protocol):
    """A page of something, and of how many it is one."""

    @property
    def total(self) -> int:
        """How many there are on all pages."""


def turned(ask: Callable[[int], _Page], rows: int, key: str) -> _Page:
    """What *ask* answers for the page that is chosen below; for the first when a filter or a range left fewer pages."""
    page = int(st.session_state.get(key) or 1)
    found = ask(page)
    return found if found.total > (page - 1) * rows else ask(1)


def paged(what: str, total: int, rows: int, key: str) -> None:
    """How many there are, and the choice of a page of so many *rows*."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{what}, {rows} a page")
        st.pagination(max(1, -(-total // rows)), key=key, bind="query-params")


def samples(state: State, window: Window, metrics: tuple[str, ...]) -> None:
    """Raw samples, page by page, with search, order and the whole result as a download."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        search = st.text_input(
            "Search", key="search", placeholder="part of a metric or label", live="300ms", bind="query-params"
        )
        ordered = st.selectbox("Order", list(_ORDERS), key="order", width=180, bind="query-params")
        place = st.container(horizontal=True, gap="small", width="content")
    order, descending = _ORDERS[str(ordered)]
    query = RowsQuery(
        window=window,
        selectors=tuple(Selector(metric) for metric in metrics),
        search=search or "",
        order=order,
        descending=descending,
        limit=PAGE_ROWS,
    )
    found = turned(
        lambda page: data.samples(msgspec.structs.replace(query, offset=(page - 1) * PAGE_ROWS)), PAGE_ROWS, "page"
    )
    with place:
        _downloads(metrics, window, search or "", state.zone)
    if not found.total:
        st.markdown(":gray[No samples match in this range.]")
        return
    _rows(found, state.zone)
    paged("10,000+ samples" if found.capped else counted(found.total, "sample"), found.total, PAGE_ROWS, "page")


def _rows(found: Rows, zone: str) -> None:
    place = ZoneInfo(zone)
    infos = [found.series[int(sid)] for sid in found.sids]
    moments = [
        datetime.fromtimestamp(ts, place).isoformat(" ", "milliseconds")[:23].removesuffix(".000")
        for ts in found.ts.tolist()
    ]
    values = found.values.tolist()
    frame = pd.DataFrame(
        {
            f"Time ({zone})": moments,
            "Metric": [info.metric.name for info in infos],
            "Labels": [labels_text(info.labels) for info in infos],
            "Value": [show(value, info.metric.unit) for value, info in zip(values, infos, strict=True)],
            "Exact": [exact(value, info.metric.unit) for value, info in zip(values, infos, strict=True)],
        }
    )
    st.dataframe(frame, hide_index=True, height=390, alt="Raw samples, one a row", width="stretch")


def _downloads(metrics: tuple[str, ...], window: Window, search: str, zone: str) -> None:
    """Links to the streaming export: the whole result, not the page shown."""
    common = [("raw", "1"), ("from", rfc3339(window.start)), ("to", rfc3339(window.end)), ("search", search)]
    queries = [("query", metric) for metric in metrics]
    for name, extra in (("CSV", [("format", "csv"), ("zone", zone)]), ("Parquet", [("format", "parquet")])):
        address = f"api/v1/export?{urlencode([*queries, *common, *extra])}"
        st.link_button(name, address, icon=":material/download:", help=f"Every matching sample of the range as {name}")


def disks() -> None:
    """File systems, the fullest first."""
    free = {info.labels: info.last_value for info in data.newest("disk_free_bytes")}
    total = {info.labels: info.last_value for info in data.newest("disk_total_bytes")}
    found = sorted(data.newest("disk_usage_percent"), key=lambda info: -(info.last_value or 0.0))
    if not found:
        st.markdown(":gray[Disks stand here once the host source has read them.]")
        return
    frame = pd.DataFrame(
        {
            "Mount": [dict(info.labels).get("mount", "") for info in found],
            "Used": [info.last_value for info in found],
            "Free": [show(free.get(info.labels), "By") for info in found],
            "Size": [show(total.get(info.labels), "By") for info in found],
        }
    )
    used = st.column_config.ProgressColumn("Used", min_value=0.0, max_value=100.0, format="%.1f %%")
    st.dataframe(frame, hide_index=True, column_config={"Used": used}, height="content", alt="Disks")


def loops() -> None:
    """perf's own threads with their newest sign of life."""
    rows = [
        {
            "Loop": beat.name,
            "Last turn": f"{lasted(age)} ago" if age >= 1 else "now",
            "Interval": lasted(beat.interval) if beat.interval >= 1 else show(beat.interval, "s"),
            "Errors": beat.errors,
        }
        for beat, age in data.beats()
    ]
    plain(rows, alt="Loops of this process")


def sources(found: Sequence[SourceState], zone: str) -> None:
    """What is read, how often, what it costs, and what is wrong with it."""
    rows = [
        {
            "State": f"{LOOKS[Status.DEGRADED].shape} failing"
            if source.failure
            else f"{LOOKS[Status.HEALTHY].shape} ok",
            "Source": source.name,
            "Every": show(source.interval, "s"),
            "Last": NOTHING if source.last is None else data.clock_time(source.last, zone, seconds=True),
            "Took": show(source.seconds, "s"),
            "Errors": source.errors,
            "Says": source.failure or "",
        }
        for source in found
    ]
    plain(rows, alt="Sources")


def extremes(metrics: tuple[str, ...], state: State) -> None:
    """Lowest, mean and highest value of each metric over the range."""
    found = data.ranged(metrics, state.span(data.now() // 10 * 10), POINTS)
    rows = []
    for index, metric in enumerate(metrics):
        series = [s for i, s in found.series if i == index and len(s.ts)]
        if series:
            low, high = min(s.low.min() for s in series), max(s.high.max() for s in series)
            mean = sum(s.values.mean() for s in series) / len(series)
            unit = series[0].unit
            cells = {"Lowest": show(low, unit), "Mean": show(mean, unit), "Highest": show(high, unit)}
            rows.append({"Metric": metric, "Series": len(series), **cells})
    if rows:
        plain(rows, alt="Extremes and means of the chosen metrics")
    else:
        st.markdown(":gray[Nothing was measured in this range.]")


def options(found: Sequence[Setting]) -> None:
    """Every setting with its value and where it can be changed."""
    rows = [
        {
            "Setting": option.key,
            "Value": option.value,
            "Means": option.meaning,
            "Set": "changed" if option.changed else "default",
            "Variable": option.variable,
        }
        for option in found
    ]
    plain(rows, alt="Settings in force", height=390)


def levels(found: Sequence[LevelUsage], zone: str) -> None:
    """What each level of the store holds, and for how long it is kept."""
    rows = [
        {
            "Level": level.name,
            "Rows": f"{level.rows:,}",
            "From": NOTHING if level.first is None else data.clock_time(level.first, zone),
            "To": NOTHING if level.last is None else data.clock_time(level.last, zone),
            "Kept": lasted(level.retention),
        }
        for level in found
    ]
    plain(rows, alt="Rows per level of the store")


def _limits(value: str) -> str:
    """A stored threshold in words."""
    limit = as_thresholds(value)
    return f"{limit.warning:g} / " + ("never" if limit.critical is None else f"{limit.critical:g}")


def changes(found: Sequence[Change], zone: str) -> None:
    """Who changed which setting when."""
    rows = [
        {
            "When": data.clock_time(change.ts, zone),
            "Setting": change.path.removeprefix("thresholds."),
            "Warning / critical": "as configured" if change.value is None else _limits(change.value),
            "By": change.author or NOTHING,
        }
        for change in found
    ]
    plain(rows, alt="Changes of settings, newest first")
