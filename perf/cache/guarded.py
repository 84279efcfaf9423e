"""A tier behind a breaker: never raises, never waits twice, and answers only once it has heard every invalidation."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TypeVar

import msgspec

from perf.cache.breaker import Breaker, BreakerState
from perf.cache.options import EntryOptions
from perf.cache.recovery import EVERYTHING, Recovery
from perf.errors import TierError
from perf.loops import Loop
from perf.model import Held, TierUsage
from perf.ports import Clock, Tier

NO_FENCE = b""
"""The fence when none could be taken: what is loaded behind it is not stored."""
NO_LOCK = b""
"""The token when no lock could be had: load without."""
BATCH = 1_000
"""Names that are replayed in one call."""
CATCH_UP_SECONDS = 1.0
"""How often a tier that has still to hear something is tried when nobody asks it."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class GuardedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a guarded tier."""

    state: BreakerState
    opened: int
    """Times that the breaker opened."""
    errors: dict[str, int]
    """Kind -> calls."""
    timeouts: int
    """Calls that took longer than the hard timeout, with or without an answer."""
    skipped: int
    """Calls that never reached the tier."""
    waiting: int
    """Names that it has still to hear are invalid."""
    overflows: int
    """Times that so many waited that they became one "clear"."""


class Guarded:
    """*tier*, for whoever can do without it. Itself a tier, whose methods don't raise.

    A call that failed to invalidate is made up for: until the tier has heard it, nothing is read from it or written to it.
    So is a plain write (one without a fence) that failed, as it may have left the value before it behind.
    """

    def __init__(self, tier: Tier, breaker: Breaker, clock: Clock, options: EntryOptions) -> None:
        self.name = tier.name
        self._tier = tier
        self._breaker = breaker
        self._clock = clock
        self._limit = float("inf") if options.tier_hard_timeout is None else options.tier_hard_timeout
        self._recovery = Recovery()
        self.caught_up: Callable[[Sequence[str]], None] = lambda _: None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._errors: Counter[str] = Counter()
        self._timeouts = 0
        self._skipped = 0
        self._unlocked()
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forked(mine()))

    def read(self, key: str) -> Held | None:
        """What the tier holds; None also when it can't be asked."""
        # Said twice for speed: this is all that a call pays while the breaker is open.
        if not self._breaker.allows():
            self._skipped += 1
            return None
        return self._called(lambda: self._tier.read(key), None) if self._caught_up() else None

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        """Hold it; False when it was refused or the tier can't be asked."""
        if fence == NO_FENCE:
            return False
        write = partial(self._tier.write, key, held, tags, fence, replaces=replaces)
        stored = self._called(write, None) if self._may() else None
        if stored is None and fence is None:
            self._owe((f"k:{key}",))
        return bool(stored)

    def fence(self, names: Sequence[str]) -> bytes:
        """The generations of *names*; `NO_FENCE` when the tier can't be asked."""
        return self._called(lambda: self._tier.fence(names), NO_FENCE) if self._may() else NO_FENCE

    def invalidate(self, names: Sequence[str]) -> None:
        """Now, or as soon as the tier is back."""
        if not (self._may() and self._did(lambda: self._tier.invalidate(names))):
            self._owe(names)

    def clear(self) -> None:
        """Now, or as soon as the tier is back."""
        if not (self._may() and self._did(self._tier.clear)):
            self._owe((EVERYTHING,))

    def lock(self, key: str, lease: float) -> bytes | None:
        """As `RedisTier.lock`; `NO_LOCK` when the tier has no locks or can't be asked."""
        lock: Callable[[str, float], bytes | None] | None = getattr(self._tier, "lock", None)
        if lock is None or not self._may():
            return NO_LOCK
        token: bytes | None = NO_LOCK
        return self._called(lambda: lock(key, lease), token)

    def unlock(self, key: str, token: bytes) -> None:
        """Give the lease back; when that fails, it runs out."""
        unlock: Callable[[str, bytes], None] | None = getattr(self._tier, "unlock", None)
        if unlock is not None and token != NO_LOCK and self._may():
            self._did(lambda: unlock(key, token))

    def owes(self, key: str) -> bool:
        """Whether the tier has still to hear that *key* may be invalid."""
        return self._recovery.covers(key)

    def usage(self) -> TierUsage:
        """Of the tier; when it can't be asked nothing but what is wrong."""
        found = self._called(self._tier.usage, None) if self._may() else None
        if found is None:
            found = TierUsage(name=self.name, entries=0, bytes=0, bound=0)
        return msgspec.structs.replace(found, state=self.state or found.state, waiting=len(self._recovery))

    def close(self) -> None:
        """Try once more to deliver what waits, then let go of the tier."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=1.0)
        if len(self._recovery):
            self.recover()
        self._tier.close()

    @property
    def state(self) -> str:
        """Empty when all is well, as in `TierUsage`."""
        if (state := self._breaker.state) is not BreakerState.CLOSED:
            return str(state)
        return f"catching up: {waiting} names" if (waiting := len(self._recovery)) else ""

    def counts(self) -> GuardedCounts:
        """What happened so far."""
        return GuardedCounts(
            state=self._breaker.state,
            opened=self._breaker.opened,
            errors=dict(self._errors),
            timeouts=self._timeouts,
            skipped=self._skipped,
            waiting=len(self._recovery),
            overflows=self._recovery.overflows,
        )

    def recover(self) -> bool:
        """Deliver what waits, if the breaker lets a call through; whether nothing waits any more."""
        return not len(self._recovery) or (self._breaker.allows() and self._caught_up())

    def forked(self) -> None:
        """In a child: what its parent's threads held or were delivering is its own now."""
        self._breaker.forked()
        self._recovery.forked()
        self._unlocked()

    def _unlocked(self) -> None:
        self._replaying = threading.Lock()
        self._starting = threading.Lock()

    def _may(self) -> bool:
        if self._breaker.allows():
            return self._caught_up()
        self._skipped += 1
        return False

    def _caught_up(self) -> bool:
        """Whether the tier has heard every invalidation; the first to ask delivers those that wait, others do without it."""
        if not len(self._recovery):
            return True
        if not self._replaying.acquire(blocking=False):
            self._skipped += 1
            return False
        try:
            return self._replay()
        finally:
            self._replaying.release()

    def _replay(self) -> bool:
        names = self._recovery.take()
        try:
            for start in range(0, len(names), BATCH):
                part = names[start : start + BATCH]
                if not self._did(partial(self._deliver, part)):
                    self._recovery.add(names[start:])
                    return False
                self.caught_up(part)  # Still owed while this is done, so that nobody reads in between.
        finally:
            self._recovery.done()
        return True

    def _deliver(self, names: Sequence[str]) -> None:
        if EVERYTHING in names:
            self._tier.clear()
        else:
            self._tier.invalidate(names)

    def _did(self, call: Callable[[], None]) -> bool:
        def done() -> bool:
            call()
            return True

        return self._called(done, False)

    def _called(self, call: Callable[[], T], otherwise: T) -> T:
        began = perf_counter()
        try:
            answer = call()
        except TierError as error:
            slow = perf_counter() - began >= self._limit
            self._count(error, slow=slow or error.kind == "timeout")
            return otherwise
        if perf_counter() - began > self._limit:
            self._timeouts += 1
            self._breaker.failed()
        else:
            self._breaker.worked()
        return answer

    def _count(self, error: TierError, *, slow: bool) -> None:
        if not self._errors[error.kind]:
            _log.warning("cache tier %s: %s; going on without it (said once a kind)", self.name, error)
        self._errors[error.kind] += 1
        self._timeouts += slow
        self._breaker.failed(at_once=slow)

    def _owe(self, names: Sequence[str]) -> None:
        self._recovery.add(names)
        with self._starting:
            if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            # Others read the tier too: they must not wait for the next call of this process.
            loop = Loop("perf-cache-recovery", CATCH_UP_SECONDS, self._turn, self._clock)
            self._thread = threading.Thread(
                target=loop.run, args=(self._stop,), name="perf-cache-recovery", daemon=True
            )
            self._thread.start()

    def _turn(self) -> None:
        self.recover()


def _forked(guarded: Guarded | None) -> None:
    if guarded is not None:
        guarded.forked()
