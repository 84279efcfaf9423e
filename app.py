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

from dashboard import access, assets, first, frontend, nav, startup, subpath  # noqa: E402  # The folder of this file must be importable first.
from perf.api.app import needs, routes  # noqa: E402
from perf.api.direct import Direct, firsts  # noqa: E402
from perf.api.guard import Guard  # noqa: E402
from perf.api.hosts import KnownHosts  # noqa: E402
from perf.api.middleware import SecurityHeaders  # noqa: E402
from perf.api.problem import http_error  # noqa: E402
from perf.api.stack import stack  # noqa: E402

runtime = startup.open_runtime()
ours = [*routes(runtime), *assets.routes()]
app = st.App(
    ROOT / "dashboard" / "main.py",
    lifespan=startup.lifespan,
    routes=nav.routes(),
    middleware=[
        Middleware(subpath.SubPath, first=firsts([*ours, *nav.routes()])),
        *stack(runtime),
        Middleware(KnownHosts, hosts=startup.hosts(runtime.settings)),
        Middleware(SecurityHeaders, https=runtime.settings.access.url.startswith("https:")),
        Middleware(Guard, access=runtime.access, rules=access.rules(needs()), base=startup.base()),
        Middleware(Direct, routes=ours),
        Middleware(assets.Preload),
        Middleware(first.FirstPage),
        Middleware(frontend.Frontend),
    ],
    on_script_error=startup.script_failed,
    exception_handlers={HTTPException: http_error},
)
