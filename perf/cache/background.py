"""One bounded queue of work that nobody waits for, with one thread that starts when there is some. The last job of a name wins."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

_IDLE_SECONDS = 10.0


class Job(Protocol):
    """Work that nobody waits for."""

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory."""

    def run(self) -> None:
        """Do it."""

    def follows(self, earlier: Job) -> None:
        """It took the place of *earlier*, which is dropped."""

    def drop(self) -> None:
        """It won't be done: a later one took its place."""


class Background:
    """At most *capacity* jobs of *room* bytes, by name, in order of their first request; a later job of the same name takes the place
    of the waiting one.
    """

    def __init__(self, capacity: int, room: int, failed: Callable[[str, Exception], None]) -> None:
        self._capacity = capacity
        self._room = room
        self._failed = failed
        self._reset()

    def _reset(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._bytes = 0
        self._current: tuple[str, Job] | None = None
        self._changed = threading.Condition()
        self._running = False
        self._busy = False
        self._closed = False

    forked = _reset
    """In a child: the parent does its own jobs."""

    def submit(self, name: str, job: Job, *, yields: bool = False) -> bool:
        """Do *job* soon; False when the queue is closed or full, or when *job* yields to another of that name."""
        with self._changed:
            earlier = self._jobs.get(name)
            if self._closed or (yields and self.find(name) is not None) or not self._fits(job, earlier):
                return False
            self._jobs[name] = job
            self._bytes += job.size
            if earlier is not None:
                self._bytes -= earlier.size
                job.follows(earlier)
                earlier.drop()
            if not self._running:
                self._running = True
                try:
                    threading.Thread(target=self._run, name="perf-cache-writer", daemon=True).start()
                except RuntimeError:  # The interpreter is ending, or has no thread left.
                    self._running = False
                    del self._jobs[name]
                    self._bytes -= job.size
                    return False
            self._changed.notify_all()
        return True

    def find(self, name: str) -> Job | None:
        """The job of that name that waits or is being done."""
        if (job := self._jobs.get(name)) is not None:
            return job
        current = self._current
        # Once more: it may have been taken from the queue between the two looks.
        return current[1] if current is not None and current[0] == name else self._jobs.get(name)

    def abandon(self) -> list[Job]:
        """Those that wait, which won't be done."""
        with self._changed:
            jobs = list(self._jobs.values())
            self._jobs.clear()
            self._bytes = 0
        return jobs

    def _fits(self, job: Job, earlier: Job | None) -> bool:
        if earlier is None and len(self._jobs) >= self._capacity:
            return False
        # One that is larger than the room may wait alone.
        left = self._bytes - (0 if earlier is None else earlier.size)
        return not left or left + job.size <= self._room

    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def flush(self, seconds: float) -> bool:
        """Wait until all is done; whether it was within *seconds*."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, seconds)

    def close(self, grace: float) -> bool:
        """Take no more jobs, and wait *grace* seconds for those that wait; whether they were done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        return self.flush(grace)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.run()
            except Exception as error:  # noqa: BLE001 - a thread's loop.
                self._failed("background work of a cache", error)

    def _next(self) -> Job | None:
        with self._changed:
            self._busy = False
            self._current = None
            self._changed.notify_all()
            if not self._jobs and not self._closed:
                self._changed.wait(_IDLE_SECONDS)
            if not self._jobs:
                self._running = False
                return None
            self._busy = True
            # In this order, so that `find` misses it in neither place.
            name = next(iter(self._jobs))
            self._current = name, self._jobs[name]
            job = self._jobs.pop(name)
            self._bytes -= job.size
            return job
