"""A write that somebody waits for: done on the writing thread, or given up for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from perf.errors import StoreBusy
from perf.store.writer import Writer

PATIENCE = 10.0
"""Seconds that a write may wait for the writer."""

_T = TypeVar("_T")


def written(writer: Writer, act: Callable[[], _T], what: str, *, patience: float = PATIENCE) -> _T:
    """What *act* returned on the writing thread; *what* is written, for the error.

    Raises: StoreBusy when the writer does not come to it (then it never will), StoreClosed, and whatever *act* raises.
    """
    given_up = threading.Event()

    def turn() -> _T | None:
        return None if given_up.is_set() else act()

    done = writer.call(turn)
    try:
        found = done.result(timeout=patience)
    except TimeoutError as error:
        given_up.set()
        reason = writer.stats().stuck or "the writer is busy"
        raise StoreBusy(f"{what}: not stored within {patience:g} s: {reason}") from error
    return found  # type: ignore[return-value]  # None only where nobody waits any more
