"""The shop's back office: what was sold, and what is left. `perf.instrument.streamlit` records its pages and sessions."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import perf.instrument.streamlit  # noqa: E402  # The examples must be importable first.
from examples.streamlit_app import reports  # noqa: E402
from perf.monitoring import start_performance_monitoring  # noqa: E402

perf.instrument.streamlit.instrument()
start_performance_monitoring(service="back-office")


def overview() -> None:
    """What was sold."""
    st.title("Orders")
    last = st.selectbox("Customers", (100, 500, 2_000), key="customers")
    st.bar_chart(reports.totals(int(last)), x="product", y="orders")


def stock() -> None:
    """What is left."""
    st.title("Stock")
    limit = st.selectbox("Fewer than", (200, 120, 80), key="limit")
    st.dataframe(reports.stock(int(limit)), hide_index=True)


st.navigation([st.Page(overview, default=True), st.Page(stock, url_path="stock")]).run()
