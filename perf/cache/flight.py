"""Single flight: one execution per key, whoever asks from whichever thread or event loop."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

import msgspec

from perf.cache.entry import Entry
from perf.cache.fences import Fence, Fences
from perf.errors import CacheError

LOADED = "loaded"
FOUND = "found"
COVERED = "covered"

_under_way: ContextVar[tuple[Flight, ...]] = ContextVar("perf_cache_flights", default=())


class Outcome(msgspec.Struct, frozen=True):
    """How a flight ended."""

    entry: Entry | None
    """None after an error, and when the flight was given up: who waits tries again."""
    how: str = ""
    """loaded, found (in an outer tier) or covered (with a stale value)."""
    error: Exception | None = None


GIVEN_UP = Outcome(None)


class Flight:
    """One execution, with those who wait for it."""

    __slots__ = ("fence", "future", "key", "lease", "loop", "reading", "replaces", "stale", "tags", "until", "waits")

    def __init__(self, key: str, tags: tuple[str, ...], fence: Fence) -> None:
        self.key = key
        self.tags = tags
        self.fence = fence
        self.future: Future[Outcome] = Future()
        self.future.set_running_or_notify_cancel()  # From now on no cancelled waiter can cancel it.
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where its factory runs, when that is a coroutine."""
        self.stale: Entry | None = None
        """What may be served meanwhile."""
        self.lease: bytes | None = None
        """What says that this process is the one that loads."""
        self.until = math.inf
        """When it is given up, by `perf_counter`."""
        self.reading = False
        """Whether it asks the outer tiers now."""
        self.replaces = False
        """Whether what is held, in any tier, must not survive it."""
        self.waits: list[Flight] = []
        """Flights that its factory waits for."""

    def land(self, outcome: Outcome) -> None:
        """Answer those who wait; only the first time counts."""
        if not self.future.done():
            self.future.set_result(outcome)

    def stranded(self) -> bool:
        """Whether it can't end any more, because its event loop has been closed."""
        return self.loop is not None and self.loop.is_closed()

    def overdue(self) -> bool:
        """Whether nobody should wait for it any more."""
        return perf_counter() > self.until


class Flights:
    """Those under way, by key."""

    def __init__(self, fences: Fences) -> None:
        self._fences = fences
        self._flights: dict[str, Flight] = {}

    def join(self, key: str, tags: tuple[str, ...]) -> tuple[Flight, bool]:
        """The flight for *key*, and whether it has just been made: then the caller must `start`, or see to it."""
        overdue: Flight | None = None
        with self._fences.lock:
            flight = self._flights.get(key)
            if flight is not None and flight.overdue():
                overdue, flight = flight, None
                self._give_up(overdue)
            if flight is not None and not flight.stranded() and self._fences.holds(flight.fence, flight.tags):
                return flight, False
            flight = self._flights[key] = Flight(key, tags, self._fences.open(key))
        if overdue is not None:
            overdue.land(GIVEN_UP)
        return flight, True

    def give_up(self) -> None:
        """Let go of all that are overdue."""
        with self._fences.lock:
            overdue = [flight for flight in self._flights.values() if flight.overdue()]
            for flight in overdue:
                self._give_up(flight)
        for flight in overdue:
            flight.land(GIVEN_UP)  # Without the lock: whoever hears of it may call a tier.

    def _give_up(self, flight: Flight) -> None:
        flight.fence.moved = True  # Should it end after all, there is something newer.
        self._fences.close(flight.fence)
        del self._flights[flight.key]

    def under_way(self, key: str) -> Flight | None:
        """The flight for *key* that still holds."""
        flight = self._flights.get(key)
        if flight is None or not self._fences.holds(flight.fence, flight.tags):
            return None
        return flight

    def end(self, flight: Flight) -> None:
        """It is over: the next one who asks starts another."""
        flight.land(GIVEN_UP)
        with self._fences.lock:
            self._fences.close(flight.fence)
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]

    @contextmanager
    def waiting(self, flight: Flight) -> Iterator[None]:
        """Note that the flights to which the caller belongs wait for *flight*.

        Raises: CacheError when waiting for it would be waiting for oneself.
        """
        mine = _under_way.get()
        if mine:
            with self._fences.lock:  # Two who begin to wait for each other: the second sees that the first does.
                _check(mine, flight)
                for own in mine:
                    own.waits.append(flight)
        try:
            yield
        finally:
            for own in mine:
                own.waits.remove(flight)


@contextmanager
def flying(flight: Flight) -> Iterator[None]:
    """What is asked inside belongs to *flight*."""
    token = _under_way.set((*_under_way.get(), flight))
    try:
        yield
    finally:
        _under_way.reset(token)


def twin(error: Exception) -> Exception:
    """A copy of *error* for one who waits: raising one exception in several threads would mix their tracebacks."""
    try:
        other = copy.copy(error)
        alike = type(other) is type(error) and bool(other.args == error.args)
    except Exception:  # noqa: BLE001 - the edge: a host's exception may refuse to be copied or compared; it is counted and raised itself.
        return error
    if not alike:
        return error
    other.__cause__, other.__context__ = error.__cause__, error.__context__
    other.__suppress_context__ = error.__suppress_context__
    return other.with_traceback(error.__traceback__)


def _check(mine: tuple[Flight, ...], wanted: Flight) -> None:
    if wanted.future.done():
        return
    seen: set[int] = set()
    waiting = [wanted]
    while waiting:
        one = waiting.pop()
        if any(one is own for own in mine):
            raise CacheError(f"the factory of {one.key!r} asks for {wanted.key!r}, which waits for it: that never ends")
        if id(one) not in seen:
            seen.add(id(one))
            waiting += one.waits
