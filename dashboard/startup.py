"""What happens before the first page: the owner's runtime is opened, heavy imports are paid for, the heap is frozen."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.concurrency import run_in_threadpool

from perf import default, logs, settings
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.api.hosts import answered
from perf.errors import PerfError
from perf.runtime import Runtime
from perf.settings import Settings


def open_runtime() -> Runtime:
    """The process's runtime with its store open, not yet started; ends the process with one clear line when it can't be."""
    try:
        loaded = settings.load()
        logs.configure(loaded.logs, RedactingFilter(Redactor(logs.secrets(loaded))))
        hosts(loaded)
        runtime = Runtime(loaded)
    except PerfError as error:
        print(f"perf: {error}", file=sys.stderr)  # noqa: T201  # Nothing listens to a logger yet.
        raise SystemExit(2) from error
    default.install(runtime)
    return runtime


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, object]]:
    """Start before the first request, stop after the last."""
    runtime = default.get()
    runtime.start(url())
    await run_in_threadpool(_warm)
    # Streamlit collects the oldest generation after every script run; what is frozen here costs those runs nothing.
    gc.collect()
    gc.freeze()
    try:
        yield {}
    finally:
        await run_in_threadpool(runtime.stop)


def script_failed(error: Exception) -> bool:
    """What a reader sees of an error that no panel caught."""
    from dashboard import ui

    return ui.failed(error)


def url() -> str:
    """Where this process answers on its own host."""
    address = _address()
    host = f"[{address}]" if ":" in address else address
    host = "127.0.0.1" if address in ("", "0.0.0.0", "::") else host  # noqa: S104  # Compared, not bound.
    return f"http://{host}:{st.get_option('server.port')}"


def hosts(loaded: Settings) -> tuple[str, ...]:
    """Host names that requests may carry. Raises: SettingsError for an address that is open without being meant to be."""
    names = answered(_address(), insecure=loaded.insecure)
    public = str(st.get_option("browser.serverAddress") or "").lower()
    return (*names, public) if public else names


def _address() -> str:
    return str(st.get_option("server.address") or "")


def _warm() -> None:
    """Import what pages need, so that the first visitor doesn't wait for it."""
    import pandas  # noqa: F401, ICN001
    import plotly.graph_objects  # noqa: F401
    import pyarrow  # noqa: F401, ICN001
    import streamlit.dataframe_util
    import streamlit.elements.plotly_chart  # noqa: F401

    from dashboard import assets, charts, data, overview, tables, ui  # noqa: F401

    assets.warm()
