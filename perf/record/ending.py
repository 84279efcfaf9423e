"""What is still to be done before the process ends, for those who know of the end before `atexit` does.

A server that ends by the signal it got, as uvicorn does, never comes to `atexit`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

_calls: list[Callable[[], object]] = []
_log = logging.getLogger(__name__)


def at_ending(call: Callable[[], object]) -> None:
    """Have *call* done when the end is near; it may come more than once, and the process may live on."""
    _calls.append(call)


def without(call: Callable[[], object]) -> None:
    """Take *call* back."""
    if call in _calls:
        _calls.remove(call)


def ending() -> None:
    """The end may be near. Never raises."""
    for call in tuple(_calls):
        try:
            call()
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            _log.exception("what was recorded last may be lost")
