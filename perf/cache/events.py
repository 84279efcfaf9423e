"""What a cache tells those who asked: that something was loaded, served stale, invalidated or dropped. A hit is no event."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from perf.cache.stats import Counts
from perf.errors import CacheError

LOADED = "loaded"
FAILED = "failed"
STALE = "stale"
FENCED = "fenced"
TIMEOUT = "timeout"
REFRESHED = "refreshed"
INVALIDATED = "invalidated"
DROPPED = "dropped"
REFUSED = "refused"
NAMES = (LOADED, FAILED, STALE, FENCED, TIMEOUT, REFRESHED, INVALIDATED, DROPPED, REFUSED)


class CacheEvent(msgspec.Struct, frozen=True):
    """What happened to *key*."""

    name: str
    key: str
    detail: str = ""
    """Why: ``error``, ``soft timeout``, the name of a tier, of an exception, ..."""
    seconds: float = 0.0


class Events:
    """Listeners of one cache. They run where it happens, so they should be quick; one that raises is counted, logged once, and kept."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._listeners: dict[str, tuple[Callable[[CacheEvent], object], ...]] = {}

    def on(self, name: str, listener: Callable[[CacheEvent], object]) -> Callable[[], None]:
        """Call *listener* at every event *name*, or at all with ``*``; what is returned ends that. Raises: CacheError."""
        if name != "*" and name not in NAMES:
            raise CacheError(f"no event {name!r}; known: {', '.join(NAMES)}")
        self._listeners[name] = (*self._listeners.get(name, ()), listener)

        def off() -> None:
            self._listeners[name] = tuple(kept for kept in self._listeners[name] if kept is not listener)

        return off

    def emit(self, name: str, key: str, detail: str = "", seconds: float = 0.0) -> None:
        """Tell the listeners."""
        if not self._listeners:
            return
        event = CacheEvent(name, key, detail, seconds)
        for listener in (*self._listeners.get(name, ()), *self._listeners.get("*", ())):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - the edge: the host's listener must not break the host's call.
                self._counts.survived(f"a listener of cache event {name}", error)
