"""How a value comes about, from memory, an outer tier or its factory: what `perf.cache.threads` and `perf.cache.aloading` share."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from time import perf_counter

import msgspec

from perf.cache.entry import Entry, entry_for
from perf.cache.events import FAILED, FENCED, LOADED, REFRESHED, STALE, TIMEOUT, Events
from perf.cache.flight import COVERED, FOUND, Flight, Flights, Outcome, twin
from perf.cache.flight import LOADED as LOADED_NOW
from perf.cache.local import Local
from perf.cache.options import EntryOptions
from perf.cache.outer import Outer
from perf.cache.requests import Answer, Request
from perf.cache.stats import Counts
from perf.cache.writes import Write
from perf.errors import LoadFailed, LoadTimeout

REFRESHES = 2
"""Early refreshes at one time: more would take the processor from those who wait."""
LEASE_SECONDS = 10.0
"""How long one process may load while others wait for what it stores; then they load, too."""
POLL_SECONDS = (0.001, 0.02)
"""How often one who waits for another process looks, at first and at last."""
GIVE_UP = 4.0
"""Hard timeouts after which nobody waits for a factory any more: the next one who asks runs it anew."""
LOOK_SECONDS = 1.0
"""How often one who waits looks whether the event loop that loads still lives."""

_log = logging.getLogger(__name__)


class Loading:
    """What callers in threads and in event loops share: decides, counts and stores. Runs no factory."""

    def __init__(self, local: Local, outer: Outer, counts: Counts, events: Events) -> None:
        self.local = local
        self.outer = outer
        self.counts = counts
        self.events = events
        self.flights = Flights(local.fences)
        self._refreshing = threading.BoundedSemaphore(REFRESHES)

    def forked(self) -> None:
        """In a child: the parent's flights land there."""
        self.flights = Flights(self.local.fences)
        self._refreshing = threading.BoundedSemaphore(REFRESHES)

    def present(self, request: Request, entry: Entry | None) -> Answer | None:
        """The answer when *entry* of memory is one without any factory; counts it."""
        now = self.local.clock.monotonic()
        if entry is None:
            if self.local.ghost.sampled(request.key):
                self.local.ghost.asked(request.key, now)
            return None
        if entry.due_from is not None:
            self.local.followed(request.key, entry, now)
        if entry.fresh_until > now:
            self.count_hit(request, entry)
            return Answer(entry.handed())
        if entry.quiet_until > now:
            return self.serve_stale(request, entry, "quiet")
        return None

    def due(self, entry: Entry) -> bool:
        """Whether it is time for an early refresh of *entry*, and there is room for one: then `refreshed` must follow."""
        if entry.negative or not entry.due <= self.local.clock.monotonic() < entry.fresh_until:
            return False
        if self._refreshing.acquire(blocking=False):
            return True
        self.flights.give_up()  # There may be room from the next time on.
        return False

    def refresh(self, request: Request, entry: Entry) -> Flight | None:
        """The flight of an early refresh of *entry*, for which `due` made room; None when one is under way."""
        flight, leads = self.join(request)
        if not leads:
            self._refreshing.release()
            return None
        self.counts.add("eager_refreshes")
        self.events.emit(REFRESHED, request.key)

        def over(_: Future[Outcome]) -> None:
            self._refreshing.release()
            if flight.future.result().how != LOADED_NOW:  # Not again at the very next hit.
                later = self.local.clock.monotonic() + request.options.fail_safe_throttle
                later = min(later, entry.fresh_until)
                self.local.store(request.key, msgspec.structs.replace(entry, plain_until=later), flight.fence)

        flight.future.add_done_callback(over)
        return flight

    def count_hit(self, request: Request, entry: Entry) -> None:
        """Count an answer with *entry*."""
        if entry.negative:
            self.counts.add("negative_hits")
        else:
            request.function.hits.tick()

    def serve_stale(self, request: Request, entry: Entry, why: str) -> Answer:
        """Answer with *entry* although it is stale, and say so."""
        self.counts.add("stale_hits")
        self.events.emit(STALE, request.key, why)
        return Answer(entry.handed())

    def finish(self, request: Request, outcome: Outcome, *, led: bool) -> Answer | None:
        """The answer that *outcome* means for one caller; None: ask again. Raises what the factory raised."""
        if outcome.error is None and outcome.entry is None:
            return None
        if outcome.how == FOUND and outcome.entry is not None:
            self.count_hit(request, outcome.entry)
            return Answer(outcome.entry.handed())
        if outcome.how == COVERED and outcome.entry is not None:
            return self.serve_stale(request, outcome.entry, "error")
        self.counts.missed(request.function, "led" if led else "coalesced")
        if outcome.error is not None:
            raise outcome.error if led else twin(outcome.error)
        return Answer(outcome.entry.handed()) if outcome.entry is not None else None

    def patience(self, request: Request, flight: Flight, waited: float) -> tuple[float, str]:
        """How much longer one who has *waited* waits, and what it is called when that has passed; inf: until it lands."""
        options = request.options
        limits = [(float("inf"), "")]
        if flight.stale is not None:
            if options.tier_soft_timeout is not None and flight.reading:
                limits.append((options.tier_soft_timeout, "tier soft timeout"))
            if options.factory_soft_timeout is not None:
                limits.append((options.factory_soft_timeout, "soft timeout"))
        if options.factory_hard_timeout is not None:
            limits.append((options.factory_hard_timeout, "hard timeout"))
        until, name = min(limits)
        return until - waited, name

    def out_of_patience(self, request: Request, flight: Flight, name: str, *, led: bool) -> Answer:
        """The stale value, or an error. Raises: LoadTimeout."""
        hard = name == "hard timeout"
        self.counts.add("hard_timeouts" if hard else "soft_timeouts")
        self.events.emit(TIMEOUT, request.key, name)
        stale = flight.stale
        if stale is not None and (not hard or request.options.fail_safe):
            if hard:
                self.counts.add("fail_safe")
            return self.serve_stale(request, stale, name)
        self.counts.missed(request.function, "led" if led else "coalesced")
        raise LoadTimeout(f"{request.key} took longer than {request.options.factory_hard_timeout:g} s")

    def needs_thread(self, options: EntryOptions, stale: Entry | None) -> bool:
        """Whether a caller may have to leave before the flight lands."""
        if options.factory_hard_timeout is not None:
            return True
        soft = options.factory_soft_timeout is not None or options.tier_soft_timeout is not None
        return soft and (stale is not None or bool(self.outer.tiers))

    def arrived(self, request: Request, flight: Flight) -> bool:
        """Whether another flight landed since its leader looked: then that is its outcome, too."""
        entry = self.local.lookup(request.key)
        now = self.local.clock.monotonic()
        if entry is None or max(entry.fresh_until, entry.quiet_until) <= now:
            return False
        flight.land(Outcome(entry, FOUND if entry.fresh_until > now else COVERED))
        self.flights.end(flight)
        return True

    def found(self, request: Request, flight: Flight) -> Outcome | None:
        """What the outer tiers have; with *distributed_lock*, None only when this process is the one to load."""
        if not self.outer.tiers:
            return None
        outcome = self._read(request, flight)
        locks = request.options.distributed_lock
        if outcome is not None or not (self.outer.turns.by_default if locks is None else locks):
            return outcome
        try:
            outcome = self._elsewhere(request, flight)
        finally:
            if outcome is not None or flight.future.done():
                self.release(flight)
        return outcome

    def _elsewhere(self, request: Request, flight: Flight) -> Outcome | None:
        """What comes of it when another process loads; None when it is this one's turn."""
        began = perf_counter()
        pause, interval = threading.Event(), POLL_SECONDS[0]
        while perf_counter() - began < LEASE_SECONDS and not flight.future.done():
            flight.lease = self.outer.turns.lock(request.key, LEASE_SECONDS)
            outcome = self._read(request, flight)
            if outcome is not None:
                return outcome
            waited = perf_counter() - began + POLL_SECONDS[0]  # Rather one that ended just before than one more run.
            if interval > POLL_SECONDS[0] and (reason := self.outer.turns.failure(request.key, waited)) is not None:
                return self._land(request, flight, LoadFailed(f"{request.key} failed in another process: {reason}"))
            if flight.lease is not None:
                return None
            pause.wait(interval)
            interval = min(2 * interval, POLL_SECONDS[1])
        return None

    def join(self, request: Request) -> tuple[Flight, bool]:
        """`Flights.join`, for a flight that is given up some time after its hard timeout: a factory may never end."""
        flight, leads = self.flights.join(request.key, request.options.tags)
        if leads and request.options.factory_hard_timeout is not None:
            flight.until = perf_counter() + GIVE_UP * request.options.factory_hard_timeout
            flight.future.add_done_callback(lambda _: self._given_up(flight))
        return flight, leads

    def _given_up(self, flight: Flight) -> None:
        if flight.overdue():
            self.release(flight)

    def release(self, flight: Flight) -> None:
        """Let other processes load."""
        lease, flight.lease = flight.lease, None
        self.outer.turns.unlock(flight.key, lease)

    def _read(self, request: Request, flight: Flight) -> Outcome | None:
        """What the outer tiers have; a stale value is noted in *flight*."""
        flight.reading = True
        try:
            answer = self.outer.read(request.key, request.options, self.local, flight.fence)
        finally:
            flight.reading = False
        if answer is None:
            return None
        entry = self.local.adopted(answer[0], copy=request.options.copy)
        if entry.fresh_until <= self.local.clock.monotonic():
            flight.stale = flight.stale or entry
            return None
        self.local.store(request.key, entry, flight.fence)
        return Outcome(entry, FOUND)

    def loaded(
        self, request: Request, flight: Flight, value: object, seconds: float, fences: list[bytes | None]
    ) -> None:
        """Answer those who wait with *value*, then store it: what it pushes out of memory may itself wait for this flight."""
        self.counts.loaded(request.function, seconds, failed=False)
        now, mark = self.local.clock.monotonic(), flight.fence.mark
        entry = entry_for(value, request.options, now, mark=mark, load_seconds=seconds, loaded=True)
        entry = self.local.kept(entry, copy=request.options.copy)
        flight.land(Outcome(entry, LOADED_NOW))
        self.events.emit(LOADED, request.key, seconds=seconds)
        if flight.replaces:
            stored = self.outer.replace(self._write(request, flight, entry, fences))
        elif (stored := self.local.store(request.key, entry, flight.fence)) and self.outer.tiers and entry.size >= 0:
            self.outer.write(self._write(request, flight, entry, fences))
        if not stored:
            self.events.emit(FENCED, request.key)
        self.release(flight)

    def _write(self, request: Request, flight: Flight, entry: Entry, fences: list[bytes | None]) -> Write:
        """*entry* on its way to the outer tiers; it has the lease of *flight* from now on."""
        lease, flight.lease = flight.lease, None
        return Write(
            outer=self.outer,
            local=self.local,
            key=request.key,
            entry=entry,
            options=request.options,
            fence=self.local.fences.again(flight.fence),
            fences=fences,
            replaces=flight.replaces,
            lease=lease,
        )

    def failed(self, request: Request, flight: Flight, error: Exception, seconds: float) -> None:
        """Cover *error* with a stale value if that is wanted and there is one; else hand it to those who wait."""
        self.counts.loaded(request.function, seconds, failed=True)
        if flight.lease:
            self.outer.turns.failed(request.key, error)
            self.release(flight)
        self.events.emit(FAILED, request.key, type(error).__name__, seconds)
        self._land(request, flight, error)

    def _land(self, request: Request, flight: Flight, error: Exception) -> Outcome:
        """Answer those who wait with the stale value, if that is wanted and there is one; else with *error*."""
        now = self.local.clock.monotonic()
        stale = flight.stale
        if not request.options.fail_safe or stale is None or stale.stale_until <= now:
            outcome = Outcome(None, "", error)
            flight.land(outcome)
            return outcome
        self.counts.add("fail_safe")
        quiet = msgspec.structs.replace(
            stale, quiet_until=min(now + request.options.fail_safe_throttle, stale.stale_until)
        )
        outcome = Outcome(quiet, COVERED)
        flight.land(outcome)
        self.local.store(request.key, quiet, flight.fence)
        return outcome

    def begin(self, request: Request) -> list[bytes | None]:
        """Note, before the factory runs, what is true in the outer tiers."""
        return self.outer.fences(request.key, request.options.tags) if self.outer.tiers else []
