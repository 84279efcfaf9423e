"""Serves ``live_page.py`` with the stand-in API: ``streamlit run tests/e2e/live_app.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

HERE = Path(__file__).resolve().parent
for folder in (str(HERE), str(HERE.parents[1])):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import live_standin  # noqa: E402

from dashboard import assets  # noqa: E402
from perf.api.middleware import SecurityHeaders  # noqa: E402

app = st.App(
    HERE / "live_page.py",
    routes=[*live_standin.routes(), *assets.routes()],
    middleware=[Middleware(SecurityHeaders)],
)
