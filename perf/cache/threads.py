"""How a value comes about for callers in threads: they run the factory themselves, unless they may have to leave before it ends."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from time import perf_counter

from perf.cache.entry import Entry
from perf.cache.flight import GIVEN_UP, Flight, flying
from perf.cache.loading import LOOK_SECONDS, Loading
from perf.cache.requests import Answer, Request


class Loader(Loading):
    """Loads, once per key at a time."""

    def value(self, request: Request, factory: Callable[[], object]) -> object:
        """The value for *request*; *factory* runs if no tier has it, once for all who ask meanwhile."""
        while True:
            entry = self.local.lookup(request.key)
            if (answer := self.present(request, entry)) is not None:
                if entry is not None and self.due(entry) and (flight := self.refresh(request, entry)) is not None:
                    self.start(request, flight, factory, read=False)
                return answer.value
            if (answer := self._fly(request, factory, entry)) is not None:
                return answer.value

    def renew(self, request: Request, factory: Callable[[], object]) -> object:
        """Run *factory* now, and replace what is held."""
        with self.local.fences.lock:
            self.local.fences.move_keys([request.key])
        stale = self.local.lookup(request.key)
        while True:
            flight, leads = self.join(request)
            if leads:
                flight.stale, flight.replaces = stale, True
                self._run(request, flight, factory, read=False)
            with self.flights.waiting(flight):
                outcome = flight.future.result()
            answer = self.finish(request, outcome, led=leads)
            if answer is not None:
                return answer.value

    def _fly(self, request: Request, factory: Callable[[], object], stale: Entry | None) -> Answer | None:
        flight, leads = self.join(request)
        if leads:
            flight.stale = stale
            if self.arrived(request, flight):
                return self.finish(request, flight.future.result(), led=False)
            if not self.needs_thread(request.options, stale):
                self._run(request, flight, factory)
                return self.finish(request, flight.future.result(), led=True)
            self.start(request, flight, factory)
        elif flight.loop is not None and flight.loop is asyncio._get_running_loop():  # noqa: SLF001 - None where there is none
            # Its factory runs on the loop that this very caller blocks: waiting would never end.
            with self.flights.waiting(flight):
                return Answer(self._alone(request, factory))
        with self.flights.waiting(flight):
            return self._wait(request, flight, leads=leads)

    def _wait(self, request: Request, flight: Flight, *, leads: bool) -> Answer | None:
        began = perf_counter()
        while True:
            left, name = self.patience(request, flight, perf_counter() - began)
            if not flight.future.done() and left <= 0:
                return self.out_of_patience(request, flight, name, led=leads)
            try:
                outcome = flight.future.result(min(max(left, 0.0), self._look(request)))
            except TimeoutError:
                if flight.stranded():
                    self.flights.end(flight)
                continue
            return self.finish(request, outcome, led=leads)

    def _alone(self, request: Request, factory: Callable[[], object]) -> object:
        """Run *factory* for one caller, and keep nothing."""
        self.counts.missed(request.function, "led")
        began = perf_counter()
        try:
            value = factory()
        except Exception:  # Counted, and passed on as it is.
            self.counts.loaded(request.function, perf_counter() - began, failed=True)
            raise
        self.counts.loaded(request.function, perf_counter() - began, failed=False)
        return value

    @staticmethod
    def _look(request: Request) -> float:
        """For how long to wait at one time: what is awaited may change when a tier has answered."""
        soft = request.options.tier_soft_timeout
        return LOOK_SECONDS if soft is None else max(min(soft, LOOK_SECONDS), 0.001)

    def start(self, request: Request, flight: Flight, factory: Callable[[], object], *, read: bool = True) -> None:
        """Run it in a thread of its own, in the context of the caller."""
        context = contextvars.copy_context()

        def run() -> None:
            try:
                context.run(self._run, request, flight, factory, read=read)
            finally:
                self.flights.end(flight)

        try:
            threading.Thread(target=run, name="perf-cache-load", daemon=True).start()
        except RuntimeError:  # No more threads: then here.
            self._run(request, flight, factory, read=read)

    def _run(self, request: Request, flight: Flight, factory: Callable[[], object], *, read: bool = True) -> None:
        """Read the outer tiers, run the factory, store the result. KeyboardInterrupt and the like pass through."""
        try:
            outcome = self.found(request, flight) if read else None
            if outcome is not None:
                flight.land(outcome)
                return
            fences = self.begin(request)
            began = perf_counter()
            try:
                with flying(flight):
                    value = factory()
            except Exception as error:  # noqa: BLE001 - the edge: the factory is the host's, and those who wait get its error.
                self.failed(request, flight, error, perf_counter() - began)
                return
            self.loaded(request, flight, value, perf_counter() - began, fences)
        finally:
            flight.land(GIVEN_UP)
            self.release(flight)
            self.flights.end(flight)
