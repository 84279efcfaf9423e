"""The panels that the browser test looks at."""

from __future__ import annotations

import streamlit as st

from dashboard.components.live import Annotation, Band, Line, Threshold, Tile, View, live_chart, live_strip, live_tiles
from perf.clock import SystemClock

HOUR = 3_600.0
NOW = SystemClock().now()
query = st.query_params
window = float(query.get("window", 3 * HOUR))

st.set_page_config(layout="wide")
st.html("<style>.stMainBlockContainer{padding:2rem 2rem}</style>")
with st.sidebar:
    if st.toggle("six hours"):
        window = 6 * HOUR
    compare = 604_800.0 if st.toggle("compare", value=True) else None
    fewer = st.toggle("fewer", value=query.get("show") == "five")
view = View(
    window_seconds=window,
    step=float(query.get("step", 30)),
    refresh=float(query.get("refresh", 1)),
    zone=query.get("zone", "Europe/Berlin"),
    compare_shift=compare,
    compare_label="last week",
)


def card(title: str, note: str):
    """A bordered container with its heading."""
    place = st.container(border=True)
    place.markdown(f"**{title}** :gray[{note}]")
    return place


live_tiles(
    "tiles",
    (
        Tile(query="cpu_usage_percent", label="CPU", unit="%", warning=80, critical=95, delta="points"),
        Tile(
            query="memory_usage_percent",
            label="Memory",
            unit="%",
            warning=80,
            critical=95,
            note="of 2 GiB, container limit",
        ),
        Tile(query="latency_p95", label="p95 latency", unit="s", warning=0.5, critical=1),
        Tile(query='requests{status="2xx"}', label="Requests", unit="1/s", worse=None),
        Tile(query="sum(rate(network_receive_bytes_total))", label="Network in", unit="By/s"),
        Tile(query="nothing_percent", label="Queue", unit="%", warning=80),
        Tile(query="nothing_failed", label="Errors", unit="1/s", quiet=True),
    ),
    view,
)
left, right = st.columns(2)
deploy = Annotation(NOW - 1.5 * HOUR, "deploy 8f3c1a")
with left, card("Latency", "p50, p95, p99 of all requests"):
    live_chart(
        "latency",
        (Line("latency_p99", "p99"), Line("latency_p95", "p95", compare=True), Line("latency_p50", "p50")),
        view,
        unit="s",
        height=250,
        annotations=(deploy,),
        bands=(Band(NOW - 2900, NOW - 2000, "warning", "p95 > 300 ms, 15 min"),),
        thresholds=(Threshold(0.5, "slow"),),
        alt="Latency over time",
    )
with right, card("Traffic and errors", "requests per second by status"):
    live_chart(
        "traffic",
        (
            Line('requests{status="2xx"}', "2xx", "stack", "4"),
            Line('requests{status="4xx"}', "4xx", "stack", "1"),
            Line('requests{status="5xx"}', "5xx", "stack", "critical"),
        ),
        view,
        unit="1/s",
        height=250,
        annotations=(deploy,),
        alt="Requests per second",
    )
small = st.columns(4)
with small[0], card("CPU", "of 2 cores"):
    live_chart(
        "cpu",
        (Line("cpu_usage_percent", "CPU", "area"),),
        view,
        unit="%",
        y_max=100,
        height=170,
        envelope=True,
        alt="CPU",
        thresholds=(Threshold(80, "warning"),),
    )
with small[1], card("Memory", "in use"):
    live_chart(
        "memory",
        (Line("memory_usage_percent", "memory", "area"),),
        view,
        unit="%",
        y_max=100,
        height=170,
        annotations=(deploy,),
        thresholds=(Threshold(85, "warning"), Threshold(95, "critical", "critical")),
        alt="Memory",
    )
with small[2], card("Network", "in and out"):
    live_chart(
        "network",
        (
            Line("sum(rate(network_receive_bytes_total))", "in"),
            Line("sum(rate(network_transmit_bytes_total))", "out"),
        ),
        view,
        unit="By/s",
        height=170,
        alt="Network",
    )
if fewer:
    st.stop()
with small[3], card("Share", "with a gap"):
    live_chart("gap", (Line("gap_percent", "share", "area"),), view, unit="%", height=170, alt="Share")
left, right = st.columns([2, 3])
with left, card("Empty", "a metric without data"):
    live_chart("empty", (Line("nothing_percent"),), view, unit="%", height=170, alt="Nothing", note="data since 19:02")
with left, card("Wrong", "a query that can't be read"):
    live_chart("wrong", (Line("wrong(cpu)"),), view, unit="%", height=170, alt="Wrong")
with right, card("Checks", "states over time"):
    live_strip("checks", "max_over_time(probe_status)", "probe", view, alt="Checks", height=180)
with left, card("Cores", "each of ten"):
    live_chart("cores", (Line("core_percent"),), view, unit="%", height=170, alt="Cores")
