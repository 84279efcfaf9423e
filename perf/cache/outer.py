"""The tiers beyond memory: asked in order, written in the background, and never a reason for the host's call to fail."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import TypeVar

from perf.cache.background import Background
from perf.cache.entry import ANY_TAG, Entry
from perf.cache.envelope import EnvelopeError, Secret, Unsealed, seal, unseal
from perf.cache.events import DROPPED, REFUSED, Events
from perf.cache.fences import Fence
from perf.cache.local import EVERYTHING, Local
from perf.cache.names import Names
from perf.cache.options import EntryOptions
from perf.cache.stats import Counts
from perf.cache.turns import Turns
from perf.cache.writes import Promotion, Write
from perf.model import Held, TierUsage
from perf.ports import Tier

QUEUE = 1_000
"""Writes that may wait; each keeps its value in memory."""
ROOM = 64 * 2**20
"""Bytes of values that may wait."""
LIMIT = 512 * 2**20
"""Bytes that a value read from a tier may take when it is unpacked."""
WAITING = "waiting"
_ANY = "~"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Outer:
    """All outer tiers of a cache, the fastest first. The last one is the truth that the others copy."""

    def __init__(
        self, tiers: Sequence[Tier], names: Names, counts: Counts, events: Events, secret: Secret | bytes | None
    ) -> None:
        self.tiers: tuple[Tier, ...] = tuple(tiers)
        self.background = Background(QUEUE, ROOM, counts.survived)
        self.counts = counts
        self.events = events
        self.names = names
        self._secret = secret
        self._owing: list[Callable[[str], bool]] = []
        for tier in self.tiers:
            if (owes := getattr(tier, "owes", None)) is not None:
                self._owing.append(owes)
                tier.caught_up = self._caught_up  # type: ignore[attr-defined]  # who owes catches up
        self.turns = Turns(self.tiers[-1] if tiers else None, secret, self._ask)
        self.announce: Callable[[Sequence[str]], None] = lambda _: None
        """What tells the other caches that names are no longer true."""
        self.timed: list[Callable[[str, str, float], None]] = []  # Told of each read and write: tier, which, seconds.
        self._logged: set[tuple[str, str]] = set()

    def read(self, key: str, options: EntryOptions, local: Local, fence: Fence) -> tuple[Entry, str] | None:
        """The first fresh value under *key* and the tier that had it; else a stale one; None when no tier has any.

        A value that still waits to be written counts before all of them: what they have is older, also when it holds no more.
        """
        job = self.background.find(key)
        if isinstance(job, Write) and not job.written and ((holds := job.holds()) or job.replaces):
            return (job.entry, WAITING) if holds and job.entry.stale_until > local.clock.monotonic() else None
        if any(owes(key) for owes in self._owing):
            return None  # The tier itself says nothing now, but others may take what it has, and copy it to the faster ones.
        stale: tuple[Entry, str] | None = None
        copies: list[bytes | None] = []
        for tier in self.tiers:
            held = self._timed(tier, "read", partial(tier.read, key))
            unsealed = self._unsealed(tier, key, held) if held is not None else None
            if held is not None and unsealed is not None:
                entry = _entry(unsealed, held, options, local.clock.monotonic(), fence.mark)
                if held.fresh > 0:
                    self.counts.tier(tier.name, "negative_hits" if entry.negative else "hits")
                    self._promote(key, held, copies, local, fence)
                    return entry, tier.name
                stale = stale or (entry, tier.name)
            else:
                self.counts.tier(tier.name, "misses")
            if tier is not self.tiers[-1]:
                copies += self._fences([tier], key, (ANY_TAG,))
        return stale

    def fences(self, key: str, tags: tuple[str, ...]) -> list[bytes | None]:
        """What each tier needs to refuse a write that was overtaken by an invalidation."""
        return self._fences(self.tiers, key, tags)

    def write(self, write: Write) -> bool:
        """Queue *write*; False when it was dropped."""
        if not self.tiers:
            write.drop()
            if write.replaces:
                self.announce([f"k:{write.key}"])
            return True
        if self.background.submit(write.key, write):
            return True
        self.counts.add("dropped")
        self.events.emit(DROPPED, write.key, "queue full")
        write.drop()
        if write.replaces:
            self.invalidate([f"k:{write.key}"])
        return False

    def replace(self, write: Write) -> bool:
        """Queue *write*, then keep it in memory; False when it was overtaken. In this order, so that who finds it in neither began to
        look before: what they find elsewhere is not kept.
        """
        local = write.local
        fence = local.fences.again(write.fence)
        try:
            if write.fence.superseded:
                write.drop()
            else:
                self.write(write)
            return local.store(write.key, write.entry, fence, instead=write.fence)
        finally:
            local.fences.close(fence)

    def promote(self, key: str, held: Held, fences: Sequence[bytes | None]) -> None:
        """Copy *held* to the first tiers, as many as there are *fences*."""
        tags = self._tags(key, (ANY_TAG,))
        for tier, fence in zip(self.tiers, fences, strict=False):
            if fence is not None:
                self._ask(tier, lambda tier=tier, fence=fence: tier.write(key, held, tags, fence))  # type: ignore[misc]  # as above

    def invalidate(self, names: Iterable[str], *, copies_only: bool = False) -> None:
        """Make what *names* mean (``k:``, ``t:``, ``p:``, ``*``) untrue in every tier; *copies_only*: in all but the last."""
        # The slowest first: else a reader may take what it still has, and copy it to a faster one that has been cleared already.
        for tier in reversed(self.tiers[:-1] if copies_only else self.tiers):
            wanted = self._outer_names(names, last=tier is self.tiers[-1])
            if wanted is None:
                self._ask(tier, tier.clear)
            elif wanted:
                self._ask(tier, lambda tier=tier, wanted=wanted: tier.invalidate(wanted))  # type: ignore[misc]  # as above

    def heard(self, names: Sequence[str] | None) -> None:
        """Another cache invalidated *names*, and the last tier with it; None: who knows what."""
        self.invalidate([EVERYTHING] if names is None else names, copies_only=True)

    def _caught_up(self, names: Sequence[str]) -> None:
        """A tier heard only now that *names* are invalid: until then others took what it still had, and copied it."""
        self.invalidate(names, copies_only=True)
        self.announce(self.names.spoken(names))

    def usages(self) -> list[TierUsage]:
        """What each tier holds."""
        found = (self._ask(tier, tier.usage) for tier in self.tiers)
        return [usage for usage in found if usage is not None]

    def close(self, grace: float) -> None:
        """Write what waits, as far as *grace* seconds allow, and close every tier."""
        if not self.background.close(grace):
            undone = self.background.abandon()
            _log.warning("a cache was closed with %d writes undone", len(undone))
            # Else what they would have replaced lived on.
            if keys := [f"k:{job.key}" for job in undone if isinstance(job, Write) and job.replaces]:
                self.invalidate(keys)
        for tier in self.tiers:
            self._ask(tier, tier.close)

    def perform(self, write: Write, local: Local) -> None:
        """Do *write*, on the background thread."""
        entry = write.entry
        now = local.clock.monotonic()
        try:
            data = seal(
                entry.value,
                write.key,
                options=write.options,
                secret=self._secret,
                load_seconds=entry.load_seconds,
                negative=entry.negative,
            )
        except EnvelopeError as error:
            self.counts.add("unencodable")
            self.events.emit(REFUSED, write.key, str(error))
            stored = False
        else:
            held = Held(data, entry.fresh_until - now, entry.stale_until - now)
            # One that expired while it waited was set all the same: what was there before must not come back.
            stored = held.stale > 0 and self._write_all(write, held, local)
        if write.replaces and not stored:
            self.invalidate([f"k:{write.key}"])

    def _write_all(self, write: Write, held: Held, local: Local) -> bool:
        """Whether every tier has it, or need not: one that replaces others has to."""
        tags = self._tags(write.key, write.entry.tags)
        stored = True
        fenced = list(zip(self.tiers, write.fences, strict=True))
        # As in `invalidate`, the slowest first when it replaces; else the fastest, where others wait for it.
        for tier, fence in reversed(fenced) if write.replaces else fenced:
            if not local.fences.holds(write.fence, write.entry.tags):
                self.counts.add("fenced")
                return not write.replaces
            if fence is None:
                stored = False
                continue
            put = partial(tier.write, write.key, held, tags, fence, replaces=write.replaces)
            done = self._timed(tier, "write", put)
            if done:
                self.counts.tier(tier.name, "sets")
                self.counts.tier(tier.name, "set_bytes", len(held.data))
            else:
                self.counts.refused(tier.name, "refused" if done is False else "error")
                stored = False
        return stored

    def _tags(self, key: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        group = self.names.group(key)
        kept = tuple(tag or self.names.tag(_ANY) for tag in tags)
        return kept if group is None else (*kept, group)

    def _outer_names(self, names: Iterable[str], *, last: bool) -> list[str] | None:
        """*names* as tiers know them; None: all."""
        wanted: list[str] = []
        for name in names:
            kind, _, what = name.partition(":")
            if kind == "p":
                group = self.names.group_of(what)
                if group is None:
                    return None
                wanted.append(f"t:{group}")
            elif name == EVERYTHING:
                return None
            else:
                wanted.append(name)
                if kind == "t" and not last:
                    wanted.append(f"t:{self.names.tag(_ANY)}")
        return wanted

    def _fences(self, tiers: Sequence[Tier], key: str, tags: tuple[str, ...]) -> list[bytes | None]:
        names = [f"k:{key}", *(f"t:{tag}" for tag in self._tags(key, tags))]
        return [self._ask(tier, lambda tier=tier: tier.fence(names)) for tier in tiers]  # type: ignore[misc]  # as above

    def _promote(self, key: str, held: Held, fences: list[bytes | None], local: Local, fence: Fence) -> None:
        """On the thread that writes: here a newer value could be set and written between the look and the copy."""
        if fences:
            job = Promotion(
                outer=self,
                local=local,
                key=key,
                held=held,
                read_at=local.clock.monotonic(),
                fence=local.fences.again(fence),
                fences=fences,
            )
            if not self.background.submit(key, job, yields=True):
                job.drop()

    def _unsealed(self, tier: Tier, key: str, held: Held) -> Unsealed | None:
        try:
            return unseal(held.data, key, secret=self._secret, limit=LIMIT)
        except EnvelopeError as error:
            self.counts.refused(tier.name, error.reason)
            self.events.emit(REFUSED, key, f"{tier.name}: {error.reason}")
            self._ask(tier, lambda: tier.invalidate([f"k:{key}"]))
            return None

    def _timed(self, tier: Tier, what: str, call: Callable[[], _T]) -> _T | None:
        began = perf_counter()
        answer = self._ask(tier, call)
        for tell in self.timed:
            tell(tier.name, what, perf_counter() - began)
        return answer

    def _ask(self, tier: Tier, call: Callable[[], _T]) -> _T | None:
        """What *call* answers; None when it fails."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the edge: the host's call must not fail because of a tier.
            self.counts.add("errors")
            self.counts.tier(tier.name, "errors")
            if (tier.name, type(error).__name__) not in self._logged:
                self._logged.add((tier.name, type(error).__name__))
                _log.warning("tier %s: %s: %s", tier.name, type(error).__name__, error)
            return None


def _entry(unsealed: Unsealed, held: Held, options: EntryOptions, now: float, mark: int) -> Entry:
    """A value from an outer tier, with the time that it has left there."""
    fresh = now + held.fresh
    due = fresh
    if options.eager_refresh and options.ttl:
        due -= options.ttl * (1.0 - options.eager_refresh)
    return Entry(
        unsealed.value,
        fresh,
        now + max(held.fresh, held.stale),
        (ANY_TAG,),
        (mark,),
        unsealed.negative,
        unsealed.load_seconds,
        plain_until=-math.inf if unsealed.negative else due,
    )
