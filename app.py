"""The one process: dashboard, API, health and metrics on one port. Started by ``streamlit run app.py`` (see ``make run``)."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

ROOT = Path(__file__).resolve().parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dashboard import assets, first, frontend, nav, startup  # noqa: E402  # The folder of this file must be importable first.
from perf.api.app import routes  # noqa: E402
from perf.api.hosts import KnownHosts  # noqa: E402
from perf.api.middleware import SecurityHeaders  # noqa: E402
from perf.api.problem import http_error  # noqa: E402

runtime = startup.open_runtime()
app = st.App(
    ROOT / "dashboard" / "main.py",
    lifespan=startup.lifespan,
    routes=[*routes(runtime), *assets.routes(), *nav.routes()],
    middleware=[
        Middleware(KnownHosts, hosts=startup.hosts(runtime.settings)),
        Middleware(SecurityHeaders),
        Middleware(assets.Preload),
        Middleware(first.FirstPage),
        Middleware(frontend.Frontend),
    ],
    on_script_error=startup.script_failed,
    exception_handlers={HTTPException: http_error},
)
