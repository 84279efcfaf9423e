"""The entry script of every page: what all pages share, then the page itself."""

from __future__ import annotations

import streamlit as st

from dashboard import access, away, nav, places, sessions, sidebar, style, ui

st.set_page_config(page_title="perf", page_icon=style.ICON, layout="wide", initial_sidebar_state="expanded")
st.html(style.CSS)
st.logo(style.LOGO, size="large")
if not access.may(access.READ):
    st.html('<p>Your session is over. <a href="./signin" target="_self">Sign in</a> to go on.</p>')
    st.stop()

sections: dict[str, list[st.Page]] = {}
for item in nav.ENTRIES:
    page = st.Page(
        item.source,
        title=item.title,
        icon=item.icon,
        url_path=item.path,
        default=item is nav.ENTRIES[0],
        help=item.help,
    )
    sections.setdefault(item.section, []).append(page)
chosen = st.navigation(sections)
sessions.known().seen()
away.gate()

with places.taken():
    with st.sidebar:
        with ui.framed("Thresholds"):
            sidebar.thresholds()
        live, utc = sidebar.view()
    st.session_state["view"] = state = ui.header(nav.entry(chosen.title), live=live, utc=utc)
    with st.sidebar:
        sidebar.keys()
        with ui.framed("The footer"):
            sidebar.footer(state.zone)
    chosen.run()
