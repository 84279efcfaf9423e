"""Ends sessions of a Streamlit program that nobody has used for long, with the state that they keep."""

from __future__ import annotations

import asyncio
import logging
import threading

from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from perf.ports import Clock

_RESTART = 1012
"""Code of a websocket that ends because its server begins anew (RFC 6455's registry): browsers come back."""
_log = logging.getLogger(__name__)


class Watch:
    """When each session's script last ran as a whole: panels that refresh by themselves are nobody's doing."""

    def __init__(self, clock: Clock, max_age: float) -> None:
        self._clock, self._max_age = clock, max_age
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()
        self._closing: set[asyncio.Future[None]] = set()

    def seen(self) -> None:
        """The session whose script runs here is in use."""
        context = get_script_run_ctx(suppress_warning=True)
        if context is not None:
            self.use(context.session_id)

    def use(self, session: str) -> None:
        """*session* is in use."""
        with self._lock:
            self._used[session] = self._clock.monotonic()

    def _hang_up(self, server: Runtime, session: str) -> None:
        """Close the connection of the tab, which then begins a new session by itself; else it would go on talking to nobody."""
        # Streamlit has no public way to a session's connection.
        info = server._session_mgr.get_active_session_info(session)  # noqa: SLF001
        socket = getattr(info.client if info else None, "_websocket", None)
        if socket is not None:
            closing = asyncio.ensure_future(socket.close(code=_RESTART))
            self._closing.add(closing)
            closing.add_done_callback(self._hung_up)

    def _hung_up(self, closing: asyncio.Future[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled() and (error := closing.exception()) is not None:
            _log.debug("a tab had gone before its session was closed: %s", error)

    def turn_elsewhere(self) -> None:
        """`turn`, asked for by another thread. Raises: AttributeError for a Streamlit that keeps its loop elsewhere."""
        if Runtime.exists():
            # Streamlit closes sessions on its event loop only, and has no public way to it.
            Runtime.instance()._get_async_objs().eventloop.call_soon_threadsafe(self.turn)  # noqa: SLF001

    def turn(self) -> None:
        """On Streamlit's event loop: forget sessions that have ended, and close those not used for *max_age* seconds."""
        if not Runtime.exists():
            return
        server, moment = Runtime.instance(), self._clock.monotonic()
        with self._lock:
            known = dict(self._used)
        for session, used in known.items():
            old = moment - used >= self._max_age
            if server.is_active_session(session) and not old:
                continue
            with self._lock:
                self._used.pop(session, None)
            if old:
                self._hang_up(server, session)
                server.close_session(session)
                _log.info("closed a session that was not used for %.0f s", moment - used)
