"""The session tier: one visitor's values are one visitor's."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from streamlit.runtime.scriptrunner_utils import script_run_context
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.state import SafeSessionState, SessionState
from streamlit.testing.v1 import AppTest

from perf.cache import cached
from perf.cache.tiers.session import MAX_BYTES, session_cache
from perf.errors import CacheError
from tests.services import eventually

SESSIONS = 200
_CONTEXT = script_run_context.SCRIPT_RUN_CONTEXT_ATTR_NAME


@contextmanager
def session() -> Iterator[None]:
    """This thread runs the script of a new session."""
    state = SafeSessionState(SessionState(), lambda: None)
    nothing: Any = None  # Any: parts of a session that a cache has no use for
    context = ScriptRunContext(
        session_id=uuid4().hex,
        _enqueue=lambda _: None,
        query_string="",
        session_state=state,
        uploaded_file_mgr=nothing,
        main_script_path="",
        user_info={},
        fragment_storage=nothing,
        pages_manager=nothing,
    )
    thread = threading.current_thread()
    before = getattr(thread, _CONTEXT, None)
    setattr(thread, _CONTEXT, context)
    try:
        yield
    finally:
        if before is None:
            delattr(thread, _CONTEXT)
        else:
            setattr(thread, _CONTEXT, before)


def script() -> None:
    import streamlit as st

    from perf.cache.tiers.session import session_cache

    cache = session_cache("visitor")
    name = st.session_state.get("name", "nobody")
    st.write(cache.get_or_set("name", lambda: name))


def test_a_session_keeps_its_own_values_over_reruns() -> None:
    first, second = (AppTest.from_function(script, default_timeout=60.0) for _ in range(2))
    first.session_state["name"], second.session_state["name"] = "Ada", "Grace"
    first.run()
    second.run()
    first.session_state["name"] = "somebody else"
    assert first.run().markdown[0].value == "Ada"
    assert second.run().markdown[0].value == "Grace"


def test_two_hundred_sessions_share_nothing() -> None:
    seen = []
    for number in range(SESSIONS):
        with session():
            seen.append(session_cache().get_or_set("key", lambda number=number: number))  # type: ignore[misc]
    assert seen == list(range(SESSIONS))


def test_a_session_is_bounded_and_gone_with_its_end() -> None:
    with session():
        cache = session_cache(max_bytes=100_000)
        for number in range(100):
            cache.set(f"key:{number}", bytes(5_000))
        usage = cache.stats().tiers[0].usage
        assert usage is not None
        assert usage.bytes <= 100_000
        left = weakref.ref(cache)
        del cache
    eventually(lambda: gc.collect() >= 0 and left() is None)


def decorated() -> None:
    import streamlit as st

    from perf.cache import cached

    @cached(scope="session")
    def secret(what: str) -> str:
        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        return f"{what} of {st.session_state['name']}"

    st.write(secret("salary"))


def test_a_decorated_function_runs_once_a_session_and_over_its_reruns() -> None:
    apps = [AppTest.from_function(decorated, default_timeout=60.0) for _ in range(3)]
    for _ in range(2):
        for number, app in enumerate(apps):
            app.session_state["name"] = f"visitor {number}"
            assert app.run().markdown[0].value == f"salary of visitor {number}"
    assert [app.session_state["runs"] for app in apps] == [1, 1, 1]


def test_two_hundred_sessions_of_a_decorated_function_are_apart_bounded_and_gone() -> None:
    runs: list[int] = []

    @cached(scope="session")
    def own(number: int) -> bytes:
        runs.append(visitor)
        return visitor.to_bytes(4, "big") * 25_000

    left = []
    for visitor in range(SESSIONS):
        with session():
            for number in range(4):
                for _ in range(2):
                    assert own(number)[:4] == visitor.to_bytes(4, "big")
            if not visitor:
                assert own.stats().hits == 4
                own.invalidate(0)
                for number in range(4, 300):
                    own(number)
            cache = session_cache()
            usage = cache.local.memory.usage()
            assert usage.bytes <= MAX_BYTES
            assert usage.entries == (4 if visitor else usage.entries)
            left.append(weakref.ref(cache))
            del cache
    assert len(runs) == 4 * SESSIONS + 296
    eventually(lambda: gc.collect() >= 0 and not any(ref() is not None for ref in left))


def test_what_one_session_forgets_another_keeps() -> None:
    runs = []

    @cached(scope="session")
    def own() -> int:
        runs.append(1)
        return 1

    with session():
        own()
        with session():
            own()
            assert own.invalidate()
        own()
    assert len(runs) == 2


def test_a_coroutine_function_has_the_scope_too() -> None:
    @cached(scope="session")
    async def own() -> str:
        return name

    for name in ("Ada", "Grace"):
        with session():
            assert [asyncio.run(own()), asyncio.run(own())] == [name, name]


def test_a_session_has_no_tier_that_others_reach() -> None:
    with session():
        assert session_cache().outer.tiers == ()


def test_outside_of_a_session_it_says_so() -> None:
    with pytest.raises(CacheError, match="Streamlit"):
        session_cache()
