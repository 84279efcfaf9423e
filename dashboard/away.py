"""What stands in place of a page, or above one that is open, while the owner of the data does not answer."""

from __future__ import annotations

import streamlit as st

from dashboard import data, ui
from perf.model import Status

RETRY_SECONDS = 2.0
WATCH_SECONDS = 5.0


def gate() -> None:
    """Let the page be drawn when its data can be asked for, and watch over it; else say why not, and stop here."""
    reason = data.runtime().away()
    if reason:
        ui.answer(
            Status.UNHEALTHY, "The data can't be asked for now.", f"{_sentence(reason)} This page comes back by itself."
        )
        st.fragment(_again, run_every=RETRY_SECONDS)()
        st.stop()
    if data.runtime().distant is not None:
        st.fragment(watch, run_every=WATCH_SECONDS)()


def watch() -> None:
    """Say above an open page that it does not go on: what is drawn stays, an owner that restarts is back soon."""
    reason = data.runtime().away()
    if reason:
        st.warning(
            f"{_sentence(reason)} What you see is from before; it goes on by itself.", icon=":material/cloud_off:"
        )


def _again() -> None:
    if not data.runtime().away():
        st.rerun()


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith(".") else f"{text}."
