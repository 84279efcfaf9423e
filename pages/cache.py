"""Does it pay?"""

from __future__ import annotations

import streamlit as st

from dashboard import caching, ui

state = ui.state()
cache = caching.picker()
found = None
with ui.framed("The answer"):
    found = caching.worth(state, cache)
    caching.answer(found)
if found is None or found.ratio is None:
    ui.empty("One line makes it appear:", caching.EXAMPLE, "python")
    st.stop()

with ui.framed("The numbers"):
    caching.tiles(state, cache)
left, right = st.columns(2)
with left, ui.card("Who answered", "requests per second; load: nobody, it had to be made"):
    caching.served(state, cache)
with right, ui.card("Hit ratio", "of all requests"):
    caching.ratio(state, cache)
with ui.card("What is cached", "by the time it saved: hits × the mean time of a load"):
    caching.groups(found)
left, middle, right = st.columns(3)
with left, ui.card("Memory", "held, against its bound"):
    caching.size(state, cache)
with middle, ui.card("Evictions", "entries per second, by reason"):
    caching.evictions(state, cache)
with right, ui.card("Files and Redis", "one read in twenty takes longer"):
    caching.waits(state, cache)
wide, narrow = st.columns([3, 2])
with wide, ui.card("Tiers", "now"):
    caching.tiers(cache)
with narrow, ui.card("With more memory, or less", "simulated on a sample of the keys"):
    caching.what_if(cache)
with ui.card("Keys that saved most", "caches of this process"):
    caching.top_keys()
with ui.card("Forget", "in the caches of this process, by key, tag or pattern"):
    caching.forget(cache)
