"""A cache for each browser tab of a Streamlit program: what is one visitor's own never reaches another, a file or Redis."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from perf.cache.cache import Cache
from perf.cache.options import EntryOptions
from perf.cache.tiers.memory import MemoryTier
from perf.clock import SystemClock
from perf.errors import CacheError

MAX_BYTES = 16 * 2**20
"""What one session may hold, when nobody says."""
_KEY = "_perf_cache"


def session_cache(
    namespace: str = "session", *, max_bytes: int = MAX_BYTES, defaults: EntryOptions | None = None
) -> Cache:
    """The cache *namespace* of the session that is running: made at its first use, gone with the session.

    It has a memory tier of at most *max_bytes* and nothing else.
    Raises: CacheError outside of a session.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        raise CacheError("there is no session: scope='session' works inside a Streamlit script only")
    caches: dict[str, Cache] = st.session_state.setdefault(_KEY, {})
    found = caches.get(namespace)
    if found is None:
        memory = MemoryTier(max_bytes, SystemClock())
        # Two runs of one session never overlap; should a thread of the program make it meanwhile, one of both wins.
        made = Cache(memory=memory, namespace=namespace, defaults=defaults or EntryOptions())
        found = caches.setdefault(namespace, made)
    return found
