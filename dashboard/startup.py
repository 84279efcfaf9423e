"""What happens before the first page: the owner's runtime is opened, heavy imports are paid for, the heap is frozen."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import streamlit as st
from starlette.concurrency import run_in_threadpool
from streamlit.watcher.polling_path_watcher import PollingPathWatcher

from dashboard import assets, sessions
from perf import default, logs, settings
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.api.ending import ending, take_over
from perf.api.handles import plenty
from perf.api.healthport import HealthPort, open_port
from perf.api.hosts import answered, with_pages
from perf.api.turns import prompt
from perf.errors import PerfError
from perf.runtime import Runtime
from perf.settings import ProductionSettings, Settings

_ports: list[AbstractContextManager[HealthPort | None]] = []
"""The second port, between its opening (which may fail) and the first request."""
_log = logging.getLogger(__name__)


def open_runtime() -> Runtime:
    """The process's runtime with its store open, not yet started; ends the process with one clear line when it can't be."""
    try:
        loaded = settings.load()
        logs.configure(loaded.logs, RedactingFilter(Redactor(logs.secrets(loaded))))
        hosts(loaded)
        runtime = Runtime(loaded)
        _ports.append(open_port(runtime, _address(), hosts(loaded)))
    except PerfError as error:
        print(f"perf: {error}", file=sys.stderr)  # noqa: T201  # Nothing listens to a logger yet.
        raise SystemExit(2) from error
    default.install(runtime)
    return runtime


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, object]]:
    """Start before the first request, stop after the last."""
    runtime = default.get()
    end = ending(runtime)
    prompt()
    plenty()
    take_over(end)
    # Before there are other threads: the writing one would load pandas at the same time, from inside Arrow and DuckDB.
    _load()
    runtime.start(url())
    await run_in_threadpool(assets.warm)
    if st.get_option("server.fileWatcherType") == "none":
        unwatched()
    # Streamlit collects the oldest generation after every script run; what is frozen here costs those runs nothing.
    gc.collect()
    gc.freeze()
    tidying = asyncio.create_task(_tidy(runtime.settings.production))
    with _ports.pop():
        try:
            yield {}
        finally:
            tidying.cancel()
            await run_in_threadpool(runtime.stop, end.left)
            end.done()


def unwatched() -> int:
    """End Streamlit's watches of its configuration files, which ask for each of them five times a second whatever the setting
    says; how many there were.
    """
    # Nothing but the queue of their threads holds them, and only their own method ends them.
    watchers = [one for one in gc.get_objects() if type(one) is PollingPathWatcher]
    for watcher in watchers:
        watcher.close()
    return len(watchers)


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


def base() -> str:
    """The path that Streamlit's routes lie below, if any."""
    return str(st.get_option("server.baseUrlPath") or "")


def hosts(loaded: Settings) -> tuple[str, ...]:
    """Host names that requests may carry. Raises: SettingsError for an address that is open without being meant to be, or for nobody."""
    with_pages(loaded.access)
    names = answered(_address(), insecure=loaded.insecure, access=loaded.access)
    public = str(st.get_option("browser.serverAddress") or "").lower()
    return (*names, public) if public else names


async def _tidy(settings: ProductionSettings) -> None:
    """Close unused dashboards every so often; on the event loop, where Streamlit wants it."""
    while settings.session_cleanup:
        await asyncio.sleep(settings.session_interval)
        try:
            sessions.known().turn()
        except Exception:  # noqa: BLE001 - a loop of its own: logged, and it goes on.
            _log.exception("unused dashboards were not closed")


def _address() -> str:
    return str(st.get_option("server.address") or "")


def _load() -> None:
    """Import what pages need, so that the first visitor doesn't wait for it."""
    import pandas  # noqa: F401, ICN001
    import plotly.graph_objects  # noqa: F401
    import pyarrow as pa
    import streamlit.dataframe_util
    import streamlit.elements.plotly_chart  # noqa: F401

    from dashboard import charts, data, overview, tables, ui  # noqa: F401

    pa.array([])  # With its first array Arrow loads what it wants of pandas.
