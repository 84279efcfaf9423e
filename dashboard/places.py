"""A few scripts of pages compute at a time: more of them end no sooner, but keep the event loop, and with it health, from the interpreter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PLACES = 2
PATIENCE = 1.0
"""Seconds after which a script goes on without a place: those that have one may wait for a store that hangs."""

_places = threading.BoundedSemaphore(PLACES)


@contextmanager
def taken(places: threading.Semaphore = _places, patience: float = PATIENCE) -> Iterator[None]:
    """A place while the block runs, as soon as there is one."""
    has = places.acquire(timeout=patience)
    try:
        yield
    finally:
        if has:
            places.release()
