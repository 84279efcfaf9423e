"""What the page of functions and endpoints shows: costliest rows, and one row in detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import pandas as pd
import streamlit as st

from dashboard import charts, data, panels, ui
from dashboard.components.live import Line, Tile, live_tiles
from dashboard.state import State
from dashboard.units import show
from perf.model import Histogram, Labels, Selector, Status, Window
from perf.model.matching import Match
from perf.selectors import Expression
from perf.views.distributions import Total

SHOWN = 25
PERCENTILES = ("p50", "p95", "p99")
ROWS_IN_SIGHT = 10


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work: its metric, the labels that name a row, words for it, and the line of code that makes it appear.

    *outermost*: it begins by itself; the time of the other kinds is mostly part of these. Errors are the series of the metric
    that *failed* chooses, or the counter *errors*.
    """

    title: str
    plural: str
    metric: str
    by: tuple[str, ...]
    example: str
    outermost: bool = False
    errors: str = ""
    failed: tuple[Match, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One function or endpoint in the range: its *share* of all time (0 to 1), and everything it observed."""

    name: str
    labels: Labels
    share: float
    total: Total
    histogram: Histogram


KINDS = (
    Kind(
        title="Endpoints",
        plural="requests",
        metric="http_server_request_duration_seconds",
        by=("http_request_method", "http_route"),
        failed=(Match("http_response_status_code", "5..", pattern=True),),
        example="from perf.instrument.asgi import PerformanceMiddleware\n\napp.add_middleware(PerformanceMiddleware)",
        outermost=True,
    ),
    Kind(
        title="Functions",
        plural="functions",
        metric="function_duration_seconds",
        by=("function",),
        errors="function_errors_total",
        example='from perf.monitoring import track_performance\n\n@track_performance("name")\ndef work(): ...',
    ),
    Kind(
        title="Pages",
        plural="page loads",
        metric="page_load_seconds",
        by=("page",),
        example="import perf.instrument.streamlit\n\nperf.instrument.streamlit.instrument()  # before the page's own code",
        outermost=True,
    ),
    Kind(
        title="Queries",
        plural="queries and commands",
        metric="db_client_operation_duration_seconds",
        by=("db_query_summary",),
        example="import perf.instrument.dbapi\n\nconnection = perf.instrument.dbapi.instrument(sqlite3.connect(...))",
    ),
    Kind(
        title="Jobs",
        plural="jobs",
        metric="job_duration_seconds",
        by=("job",),
        failed=(Match("outcome", "failure"),),
        example='import perf.instrument.jobs\n\n@perf.instrument.jobs.job("nightly", every="1d")\ndef work(): ...',
        outermost=True,
    ),
    Kind(
        title="Outgoing",
        plural="outgoing requests",
        metric="http_client_request_duration_seconds",
        by=("http_request_method", "server_address"),
        failed=(Match("error_type", "", negated=True),),
        example="import perf.instrument.http\n\nperf.instrument.http.instrument()  # httpx and requests",
    ),
)


def kind_picker() -> Kind:
    """Endpoints, functions, pages and so on, bound to the URL."""
    titles = [kind.title for kind in KINDS]
    chosen = st.segmented_control(
        "Kind", titles, default=titles[0], required=True, key="kind", label_visibility="collapsed", bind="query-params"
    )
    return next(kind for kind in KINDS if kind.title == chosen)


def costliest(kind: Kind, state: State) -> list[Row]:
    """The rows with the largest share of all time, the largest first."""
    window = span(state)
    totals = data.totals(kind.metric, window, kind.by)
    whole = sum(total.total for total in totals) or 1.0
    return [
        Row(
            name=named(kind, total.labels),
            labels=total.labels,
            share=total.total / whole,
            total=total,
            histogram=data.shape(kind.metric, total.labels, window),
        )
        for total in totals[:SHOWN]
    ]


def named(kind: Kind, labels: Labels) -> str:
    """A row's name: the values of its labels, in the order of the kind."""
    return " ".join(value for _, value in sorted(labels, key=lambda pair: kind.by.index(pair[0]))) or "(unnamed)"


def span(state: State) -> Window:
    """The range now; it moves every ten seconds, so that readers share their answers."""
    return state.span(data.now() // 10 * 10)


def answer(kind: Kind, rows: Sequence[Row]) -> None:
    """Which row costs most, in a sentence."""
    if not rows:
        ui.answer(Status.UNKNOWN, "Nothing recorded.", f"No {kind.plural} in this range.")
        return
    first = rows[0]
    words = f"{100 * first.share:.0f} % of the time in {kind.plural} is spent in {first.name}"
    p95 = show(first.histogram.quantile(0.95), "s")
    ui.answer(
        Status.HEALTHY, f"{words}.", f"{first.total.count:,} calls, p95 {p95}, slowest {show(first.total.high, 's')}."
    )


def table(rows: Sequence[Row]) -> None:
    """The rows, the costliest first."""
    frame = pd.DataFrame(
        {
            "Where": [row.name for row in rows],
            "Share": [100 * row.share for row in rows],
            "Calls": [row.total.count for row in rows],
            "Mean": [show(row.total.mean, "s") for row in rows],
            "p50": [show(row.histogram.quantile(0.5), "s") for row in rows],
            "p95": [show(row.histogram.quantile(0.95), "s") for row in rows],
            "p99": [show(row.histogram.quantile(0.99), "s") for row in rows],
            "Slowest": [show(row.total.high, "s") for row in rows],
            "Errors": [failures(row.total) for row in rows],
        }
    )
    share = st.column_config.ProgressColumn("Share", min_value=0.0, max_value=100.0, format="%.0f %%")
    columns = {"Share": share, "Calls": st.column_config.NumberColumn(format="localized")}
    height: Literal["content"] | int = "content" if len(rows) <= ROWS_IN_SIGHT else 390
    st.dataframe(frame, hide_index=True, column_config=columns, height=height, alt="Where the time goes")


def failures(total: Total) -> str:
    """How many calls failed, in percent; a dash where nobody tells."""
    return show(None) if total.errors is None else show(100 * total.errors / total.count, "%")


def row_picker(rows: Sequence[Row]) -> Row:
    """The row to look into, bound to the URL."""
    names = [row.name for row in rows]
    chosen = st.selectbox("Look into", names, key="where", width=420, bind="query-params")
    return next((row for row in rows if row.name == chosen), rows[0])


def tiles(kind: Kind, row: Row, state: State) -> None:
    """Four or five numbers of one row."""
    text = _selector(kind, row)
    found = (
        Tile(label="Calls", query=f"sum(rate({text}))", unit="1/s", note="per second", worse=None),
        Tile(label="p50", query=f"p50({text})", unit="s", note="half are faster"),
        Tile(label="p95", query=f"p95({text})", unit="s", note="one in twenty is slower"),
        Tile(label="p99", query=f"p99({text})", unit="s", note="one in a hundred is slower"),
    )
    live_tiles("calls", (*found, *_errors(kind, row)), panels.view(state))


def _errors(kind: Kind, row: Row) -> tuple[Tile, ...]:
    """Failures per second, of kinds that tell them."""
    if not kind.errors and not kind.failed:
        return ()
    selector = Selector(kind.errors or kind.metric, row.labels, kind.failed)
    query = f"sum(rate({Expression(selector=selector)}))"
    return (Tile(label="Errors", query=query, unit="1/s", note="per second", quiet=True),)


def percentiles(kind: Kind, row: Row, state: State) -> None:
    """p50, p95 and p99 over time."""
    text = _selector(kind, row)
    lines = tuple(Line(f"{name}({text})", name, color=name, compare=name == "p95") for name in PERCENTILES)
    panels.chart("percentiles", lines, state, unit="s", alt=f"Percentiles of {row.name} over time")


def rate(kind: Kind, row: Row, state: State) -> None:
    """Calls per second, by status where there is one."""
    text = _selector(kind, row)
    status = "http_response_status_code"
    query = (
        f"sum by ({status}) (rate({text}))" if status not in kind.by and "http" in kind.metric else f"sum(rate({text}))"
    )
    panels.chart("rate", (Line(query, "", style="stack"),), state, unit="1/s", alt=f"Calls of {row.name}")


def latency(kind: Kind, row: Row, state: State) -> None:
    """How often each duration occurred, step by step."""
    found = data.heat(kind.metric, row.labels, span(state))
    if found is None:
        st.markdown(":gray[Appears with the first calls in this range.]")
        return
    moments = [(mark.t, mark.text) for mark in panels.marks(state)]
    figure = charts.latency_heatmap(found, state.zone, moments)
    st.plotly_chart(figure, key="latency", config={"displayModeBar": False}, alt=f"Durations of {row.name} over time")


def shapes(kind: Kind, row: Row, state: State) -> None:
    """The distribution of this range over that of the one before."""
    now = span(state)
    before = data.shape(kind.metric, row.labels, Window(now.start - now.seconds, now.start))
    figure = charts.distributions(row.histogram, before)
    st.plotly_chart(
        figure, key="shapes", config={"displayModeBar": False}, alt=f"Durations of {row.name}, now and before"
    )


def _selector(kind: Kind, row: Row) -> str:
    return str(Expression(selector=Selector(kind.metric, row.labels)))
