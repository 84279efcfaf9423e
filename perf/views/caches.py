"""The caches of this process: what they did, which keys they saved most with, and how to make them forget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from perf.cache.ghost import Saving
from perf.cache.metrics import following
from perf.cache.threaded import Threaded
from perf.model import CacheStats


class TopKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the cache *cache* that saved much; *share* of all keys were looked at (0 to 1)."""

    cache: str
    saving: Saving
    share: float


def statistics() -> list[CacheStats]:
    """What each did since it was made, by name."""
    return sorted((cache.stats() for cache in following().caches()), key=lambda stats: stats.name)


def names() -> list[str]:
    """Their names."""
    return sorted({cache.namespace for cache in following().caches()})


def top_keys(count: int = 20) -> list[TopKey]:
    """The sampled keys of all of them that saved most time."""
    found = [
        TopKey(cache=cache.namespace, saving=saving, share=cache.local.ghost.rate)
        for cache in following().caches()
        for saving in cache.local.ghost.savings(count)
        if saving.hits
    ]
    return sorted(found, key=lambda one: (-one.saving.seconds, -one.saving.hits))[:count]


def invalidate(
    *, key: str | None = None, tags: Sequence[str] = (), pattern: str | None = None, name: str | None = None
) -> int | None:
    """Forget what is meant, in the caches called *name* or in all; how many entries their memory held of it.

    None when there is no such cache.
    """
    found = [cache for cache in following().caches() if name is None or cache.namespace == name]
    if not found and name is not None:
        return None
    return sum(_forgotten(cache, key, tags, pattern) for cache in found)


def _forgotten(cache: Threaded, key: str | None, tags: Iterable[str], pattern: str | None) -> int:
    count = cache.invalidate(key=key) if key is not None else 0
    count += cache.invalidate(tags=tuple(tags)) if tags else 0
    return count + (cache.invalidate(pattern=pattern) if pattern is not None else 0)
