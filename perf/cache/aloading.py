"""How a value comes about for callers in event loops: as `perf.cache.loading`, and what blocks runs in a thread."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import cast

from perf.cache.entry import Entry
from perf.cache.flight import GIVEN_UP, Flight, flying
from perf.cache.loading import LOOK_SECONDS
from perf.cache.requests import Answer, Request
from perf.cache.threads import Loader

Factory = Callable[[], object]
"""A function, or one that returns an awaitable."""


def is_async(factory: Factory) -> bool:
    """Whether calling *factory* gives something to await."""
    return inspect.iscoroutinefunction(factory) or inspect.iscoroutinefunction(type(factory).__call__)


class AsyncLoader:
    """The asynchronous side of a `Loader`; both share their flights."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._tasks: set[asyncio.Task[None]] = set()  # A loop refers to its tasks weakly.

    async def value(self, request: Request, factory: Factory) -> object:
        """The value for *request*; *factory* runs if no tier has it, on the loop of the first who asks, or in a thread when
        it is a plain function. Cancelling a caller cancels only its wait.
        """
        loader = self._loader
        while True:
            entry = loader.local.lookup(request.key)
            if (answer := loader.present(request, entry)) is not None:
                if entry is not None and loader.due(entry) and (flight := loader.refresh(request, entry)) is not None:
                    self._start(request, flight, factory, read=False)
                return answer.value
            if (answer := await self._fly(request, factory, entry)) is not None:
                return answer.value

    async def renew(self, request: Request, factory: Factory) -> object:
        """Run *factory* now, and replace what is held."""
        loader = self._loader
        with loader.local.fences.lock:
            loader.local.fences.move_keys([request.key])
        stale = loader.local.lookup(request.key)
        while True:
            if (answer := await self._fly(request, factory, stale, renews=True)) is not None:
                return answer.value

    async def _fly(
        self, request: Request, factory: Factory, stale: Entry | None, *, renews: bool = False
    ) -> Answer | None:
        flight, leads = self._loader.join(request)
        if leads:
            flight.stale, flight.replaces = stale, renews
            if renews or not self._loader.arrived(request, flight):
                self._start(request, flight, factory, read=not renews)
        with self._loader.flights.waiting(flight):
            return await self._wait(request, flight, leads=leads)

    async def _wait(self, request: Request, flight: Flight, *, leads: bool) -> Answer | None:
        loader = self._loader
        landed = asyncio.wrap_future(flight.future)
        began = perf_counter()
        while not landed.done():
            left, name = loader.patience(request, flight, perf_counter() - began)
            if left <= 0:
                return loader.out_of_patience(request, flight, name, led=leads)
            soft = request.options.tier_soft_timeout
            await asyncio.wait([landed], timeout=min(left, LOOK_SECONDS if soft is None else max(soft, 0.001)))
            if not landed.done() and flight.stranded():
                loader.flights.end(flight)
        return loader.finish(request, landed.result(), led=leads)

    def _start(self, request: Request, flight: Flight, factory: Factory, *, read: bool = True) -> None:
        if not is_async(factory):
            self._loader.start(request, flight, factory, read=read)
            return
        loop = flight.loop = asyncio.get_running_loop()
        task = loop.create_task(self._run(request, flight, cast(Callable[[], Awaitable[object]], factory), read=read))
        self._tasks.add(task)

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._loader.flights.end(flight)  # Also when it was cancelled before its first step.

        task.add_done_callback(over)

    async def _run(
        self, request: Request, flight: Flight, factory: Callable[[], Awaitable[object]], *, read: bool
    ) -> None:
        loader = self._loader
        try:
            if loader.outer.tiers and read:
                outcome = await asyncio.to_thread(loader.found, request, flight)
                if outcome is not None:
                    flight.land(outcome)
                    return
            fences = await asyncio.to_thread(loader.begin, request) if loader.outer.tiers else []
            began = perf_counter()
            try:
                with flying(flight):
                    value = await factory()
            except Exception as error:  # noqa: BLE001 - the edge: the factory is the host's, and those who wait get its error.
                loader.failed(request, flight, error, perf_counter() - began)
                return
            loader.loaded(request, flight, value, perf_counter() - began, fences)
        finally:
            flight.land(GIVEN_UP)
            loader.release(flight)
            loader.flights.end(flight)
