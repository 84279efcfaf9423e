"""One profile of this process at a time, taken on a thread of its own; the newest is kept."""

from __future__ import annotations

import logging
import os
import threading
from typing import Annotated

import msgspec

from perf.errors import PerfError
from perf.ports import Clock
from perf.profile.sampler import sampled
from perf.profile.stacks import Profile

RATES = (1.0, 500.0)
_log = logging.getLogger(__name__)


class ProfilerBusy(PerfError):
    """A profile is being taken."""


class ProfileRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is wanted: looks a second, for how many seconds, and whether threads that wait are shown, too."""

    seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 10.0
    rate: Annotated[float, msgspec.Meta(ge=RATES[0], le=RATES[1])] = 100.0
    idle: bool = False


class ProfilerState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a profile is being taken, by whom, until when (Unix seconds), and why the last one failed."""

    running: bool
    by: str = ""
    until: float | None = None
    error: str = ""


class Profiler:
    """Profiles this process; *longest* seconds at most."""

    def __init__(self, clock: Clock, *, longest: float) -> None:
        self._clock, self.longest = clock, longest
        self._lock = threading.Lock()
        self._state = ProfilerState(running=False)
        self._newest: Profile | None = None
        self._stop = threading.Event()

    def start(self, wanted: ProfileRequest, *, by: str) -> ProfilerState:
        """Begin one for *by*. Raises: ProfilerBusy when one is being taken, PerfError when it would take too long or can't begin."""
        if wanted.seconds > self.longest:
            raise PerfError(f"seconds: at most {self.longest:g} (production.profile_for), not {wanted.seconds:g}")
        with self._lock:
            if self._state.running:
                raise ProfilerBusy(f"{self._state.by} is taking a profile already; one at a time")
            before = self._state
            self._state = ProfilerState(running=True, by=by, until=self._clock.now() + wanted.seconds)
            self._stop.clear()
            try:
                threading.Thread(target=self._take, args=(wanted,), name="perf-profiler", daemon=True).start()
            except RuntimeError as error:
                self._state = before
                raise PerfError(f"the profile can't begin: {error}") from error
        _log.warning("profile of %g s at %g Hz, by %s", wanted.seconds, wanted.rate, by)
        return self._state

    def state(self) -> ProfilerState:
        """What is going on."""
        return self._state

    def newest(self) -> Profile | None:
        """The profile that was taken last."""
        return self._newest

    def stop(self) -> None:
        """End the one that is being taken; what it saw is kept."""
        self._stop.set()

    def _take(self, wanted: ProfileRequest) -> None:
        failed = ""
        try:
            self._newest = sampled(
                wanted.seconds, wanted.rate, self._clock, pid=os.getpid(), idle=wanted.idle, wait=self._stop.wait
            )
        except Exception as error:  # noqa: BLE001 - a thread of its own: it says why it ended.
            _log.exception("the profile failed")
            failed = f"{type(error).__name__}: {error}"
        self._state = ProfilerState(running=False, by=self._state.by, error=failed)
