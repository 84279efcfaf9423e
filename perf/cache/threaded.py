"""The methods of a cache for threads. `perf.cache.cache` adds those for event loops."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import msgspec

from perf.cache import forks
from perf.cache.aloading import AsyncLoader
from perf.cache.entry import Entry, entry_for
from perf.cache.envelope import Secret
from perf.cache.events import INVALIDATED, Events
from perf.cache.keys import FunctionKeys
from perf.cache.local import EVERYTHING, Local
from perf.cache.metrics import following
from perf.cache.names import Names, wild
from perf.cache.options import EntryOptions, changed
from perf.cache.outer import Outer
from perf.cache.requests import Request
from perf.cache.stats import Counts, FunctionTally
from perf.cache.threads import Loader
from perf.cache.tiers.memory import MemoryTier
from perf.cache.writes import Write
from perf.clock import SystemClock
from perf.errors import CacheError
from perf.model import CacheStats, TierUsage
from perf.ports import Backplane, Clock, Tier

GRACE_SECONDS = 2.0
"""How long `Cache.close` writes what waits."""
FUNCTION = "~f:"
_REMEMBERED = 256

_T = TypeVar("_T")


class Threaded:
    """A cache in tiers. No method raises because of a tier. Keyword arguments named *options* are fields of `EntryOptions`.

    A *key* is any text; tags belong to the namespace. All methods may be called from any thread.
    """

    def __init__(  # noqa: PLR0913 - the composition root of a cache; all but the first have good defaults
        self,
        *,
        memory: MemoryTier,
        outer: Sequence[Tier] = (),
        namespace: str = "default",
        version: str = "1",
        defaults: EntryOptions | None = None,
        backplane: Backplane | None = None,
        clock: Clock | None = None,
        secret: bytes | None = None,
        allow_pickle: bool = False,
    ) -> None:
        self.namespace = namespace
        self.version = version
        self.defaults = defaults or EntryOptions()
        self.counts = Counts()
        self.events = Events(self.counts)
        self.names = Names(namespace, version)
        if allow_pickle and not secret:
            raise CacheError(
                "allow_pickle needs a secret: without one anybody could have written what is read, and it runs"
            )
        self._allow_pickle = allow_pickle
        sealing = Secret(secret, allow_pickle=True) if secret and allow_pickle else secret
        self._backplane = backplane
        self.outer = Outer(outer, self.names, self.counts, self.events, sealing)
        self.local = Local(memory, clock or SystemClock(), self.counts, backplane, self.outer.heard)
        self.outer.announce = self.local.announce
        self.loader = Loader(self.local, self.outer, self.counts, self.events)
        self.aloader = AsyncLoader(self.loader)
        self._requested: dict[object, EntryOptions] = {}
        self.options()
        forks.watch(self)
        following().follow(self)

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:  # Any: whatever was stored
        """The value under *key* of any tier, or *default*; a None that is held comes back as None."""
        request = self.request(key, {})
        entry = self.local.lookup(request.key)
        if (answer := self.loader.present(request, entry)) is not None:
            return answer.value
        flight = self.loader.flights.under_way(request.key)
        if flight is not None and flight.future.done() and (landed := flight.future.result().entry) is not None:
            self.loader.count_hit(request, landed)  # Loaded, but not stored yet.
            return landed.handed()
        if (found := self._found(request)) is None:
            self.counts.missed(request.function, "absent")
            return default
        self.loader.count_hit(request, found)
        return found.handed()

    def peek(self, key: str) -> Entry | None:
        """What memory holds under *key*, stale or not; counts nothing and asks no other tier."""
        entry = self.local.lookup(self.names.key(key))
        return None if entry is None else msgspec.structs.replace(entry, value=entry.handed())

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:  # Any: whatever was stored
        """The values of those *keys* that are held."""
        missing = object()
        found = {key: self.get(key, missing) for key in keys}
        return {key: value for key, value in found.items() if value is not missing}

    def get_or_set(self, key: str, factory: Callable[[], _T], **options: Any) -> _T:  # Any: see EntryOptions
        """The value under *key*; if no tier has it, what *factory* returns, which runs once for all who ask meanwhile.

        Raises: what *factory* raises; LoadTimeout; CacheError when it asks for its own key.
        """
        return cast(_T, self.loader.value(self.request(key, options), factory))

    # -- writing -------------------------------------------------------------------------------------------------------

    def set(self, key: str, value: object, **options: Any) -> None:  # Any: see EntryOptions
        """Hold *value* under *key*: in memory when this returns, in the outer tiers soon after."""
        request = self.request(key, options)
        self.counts.add("sets")
        self.local.hear()  # Of what was said before, this is not a victim.
        fence = self.local.fences.open(request.key)
        fences = self.outer.fences(request.key, request.options.tags)
        entry = entry_for(value, request.options, self.local.clock.monotonic(), mark=fence.mark)
        entry = self.local.kept(entry, copy=request.options.copy)
        write = Write(
            outer=self.outer,
            local=self.local,
            key=request.key,
            entry=entry,
            options=request.options,
            fence=fence,
            fences=fences,
            replaces=True,
        )
        self.outer.replace(write)

    def set_many(self, values: Mapping[str, object], **options: Any) -> None:  # Any: see EntryOptions
        """`set` for each of *values*."""
        for key, value in values.items():
            self.set(key, value, **options)

    def warm(
        self, factories: Iterable[tuple[str, Callable[[], object]]], *, concurrency: int = 1, **options: Any
    ) -> int:
        """Load every key that no tier holds, *concurrency* at a time; how many are held afterwards. Failures are counted."""
        with ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="perf-cache-warm") as pool:
            return sum(pool.map(lambda pair: self._warmed(pair[0], pair[1], options), factories))

    # -- invalidating --------------------------------------------------------------------------------------------------

    def delete(self, key: str) -> bool:
        """Forget *key* in every tier and in every process; whether memory held it."""
        return bool(self._invalidate([f"k:{self.names.key(key)}"]))

    def expire(self, key: str) -> bool:
        """Make *key* stale: the next one who asks loads it, and a failing factory may still be covered; whether it was held."""
        full = self.names.key(key)
        entry = self.local.lookup(full)
        self._invalidate([f"k:{full}"])
        now = self.local.clock.monotonic()
        if entry is not None and entry.stale_until > entry.fresh_until:
            fence = self.local.fences.open(full)
            stale = min(entry.stale_until, max(now, now + entry.stale_until - entry.fresh_until))
            self.local.store(
                full, msgspec.structs.replace(entry, fresh_until=now, plain_until=now, stale_until=stale), fence
            )
            self.local.fences.close(fence)
        return entry is not None

    def clear(self) -> None:
        """Forget everything, in every tier and in every process."""
        self._invalidate([EVERYTHING])

    def invalidate(
        self,
        *,
        tags: Iterable[str] = (),
        pattern: str | None = None,
        key: str | None = None,
        function: Callable[..., object] | None = None,
    ) -> int:
        """Forget what has any of *tags*, what *pattern* (``user:*``) matches, *key*, and all results of *function*.

        Returns how many entries memory held of it, without those of *tags*: their work does not depend on the number of keys.
        """
        if isinstance(tags, str):
            raise CacheError(f"tags is a list of names, not the text {tags!r}")
        names = [f"t:{self.names.tag(tag)}" for tag in tags]
        if key is not None:
            names.append(f"k:{self.names.key(key)}")
        if pattern is not None:
            full = self.names.key(pattern)
            names.append(f"p:{full}" if wild(pattern) else f"k:{full}")
        if function is not None:
            names.append(f"p:{FunctionKeys(self.namespace, self.version, function).prefix}*")
            names.append(f"t:{self.names.tag(function_tag(function))}")
        return self._invalidate(names) if names else 0

    # -- the rest ------------------------------------------------------------------------------------------------------

    def stats(self, usages: Sequence[TierUsage] | None = None) -> CacheStats:
        """What it did since it was made; *usages*: what its tiers were found to hold, when that is known already."""
        usages = [self.local.memory.usage(), *self.outer.usages()] if usages is None else usages
        return self.counts.stats(self.namespace, usages, queued=self.outer.background.waiting())

    def flush(self, seconds: float = GRACE_SECONDS) -> bool:
        """Wait until the outer tiers have what was set and loaded; whether they had within *seconds*."""
        return self.outer.background.flush(seconds)

    def close(self, grace: float = GRACE_SECONDS) -> None:
        """Write what waits, and let go of files, connections and threads. Memory keeps working."""
        self.outer.close(grace)
        if self._backplane is not None:
            self._backplane.close()
        forks.forget(self)

    # -- for the decorator ---------------------------------------------------------------------------------------------

    def options(self, **changes: Any) -> EntryOptions:  # Any: see EntryOptions
        """The cache's defaults with *changes*, and the full names of the tags. Raises: CacheError."""
        options = changed(self.defaults, **changes)
        if options.codec == "pickle" and not self._allow_pickle:
            raise CacheError("codec='pickle' needs a cache with allow_pickle=True: what is read could run any code")
        return msgspec.structs.replace(options, tags=self.names.tags(options.tags))

    def request(self, key: str, changes: Mapping[str, Any], function: FunctionTally | None = None) -> Request:
        """A question for *key*. Raises: CacheError."""
        return Request(self.names.key(key), self._options_for(changes), function or self.counts.direct)

    def _options_for(self, changes: Mapping[str, Any]) -> EntryOptions:
        try:
            named = tuple(changes.items())
            known = self._requested.get(named)
        except TypeError:  # A list of tags.
            return self.options(**changes)
        if known is None:
            known = self.options(**changes)
            if len(self._requested) < _REMEMBERED:
                self._requested[named] = known
        return known

    def _found(self, request: Request) -> Entry | None:
        """A fresh entry of the outer tiers, which memory then holds, too."""
        if not self.outer.tiers:
            return None
        fence = self.local.fences.open(request.key)
        try:
            answer = self.outer.read(request.key, request.options, self.local, fence)
            if answer is None or answer[0].fresh_until <= self.local.clock.monotonic():
                return None
            entry = self.local.adopted(answer[0], copy=request.options.copy)
            self.local.store(request.key, entry, fence)
            return entry
        finally:
            self.local.fences.close(fence)

    def _warmed(self, key: str, factory: Callable[[], object], options: Mapping[str, Any]) -> bool:
        try:
            self.get_or_set(key, factory, **options)
        except Exception:  # noqa: BLE001 - the edge: the factory is the host's; its failure is counted and an event.
            return False
        return True

    def _invalidate(self, names: Sequence[str]) -> int:
        self.counts.add("invalidations")
        count = self._forget(names)
        for name in names:
            self.events.emit(INVALIDATED, name)
        return count

    def _forget(self, names: Sequence[str]) -> int:
        # Memory first, so that writes under way notice; again afterwards, because readers may have fetched the old truth meanwhile.
        count = self.local.forget(names)
        if self.outer.tiers:
            self.outer.invalidate(names)
            self.local.forget(names)
        self.local.announce(names)
        return count


def function_tag(function: Callable[..., object]) -> str:
    """The tag of *function*'s results where they have keys of their own."""
    plain = inspect.unwrap(function)
    return f"{FUNCTION}{plain.__module__}.{plain.__qualname__}"
