"""Who acts in the request or page run that runs now, for the audit log. Set at the edge, read where something changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from perf.model.access import Principal


class Actor:
    """Who acts, from where, and whether what they did has been noted."""

    def __init__(self, who: Principal, address: str = "") -> None:
        self.who = who
        self.address = address
        self.noted = False


_current: ContextVar[Actor | None] = ContextVar("perf_actor", default=None)


def current() -> Actor | None:
    """Who acts now; None outside of requests and pages: then it is perf itself, or a program that uses it."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[Actor]:
    """*actor* acts until the block ends, also on threads that are started for it."""
    token = _current.set(actor)
    try:
        yield actor
    finally:
        _current.reset(token)
