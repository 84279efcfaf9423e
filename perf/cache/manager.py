"""`CacheManager`: the promised face of a `Cache`, made from a `CacheConfig`. It delegates, and holds no second logic."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from perf import settings
from perf.cache.cache import Cache
from perf.cache.config import MIB, CacheConfig, from_settings
from perf.cache.options import EntryOptions
from perf.cache.tiers.memory import MemoryTier
from perf.clock import SystemClock
from perf.ports import Backplane, Clock, Tier

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class CacheManager:
    """Memory first, then files, then Redis, as far as *config* switches them on."""

    def __init__(self, config: CacheConfig | None = None) -> None:
        self.config = config or CacheConfig()
        self.cache = build(self.config)

    def get(self, key: str, default: Any = None) -> Any:  # Any: whatever was stored
        """The value under *key*, or *default*."""
        return self.cache.get(key, default)

    def set(self, key: str, value: object, ttl: float | None = None, tags: Iterable[str] = ()) -> None:
        """Keep *value* for *ttl* seconds (None: the config's), under *tags* by which it can be invalidated."""
        self.cache.set(key, value, **self._options(ttl, tags))

    def get_or_set(self, key: str, factory: Callable[[], _T], ttl: float | None = None, tags: Iterable[str] = ()) -> _T:
        """The value under *key*; when there is none, *factory* makes it, once however many ask."""
        return self.cache.get_or_set(key, factory, **self._options(ttl, tags))

    def delete(self, key: str) -> bool:
        """Forget *key*; whether memory held it."""
        return self.cache.delete(key)

    def clear(self) -> None:
        """Forget everything of this namespace, in all tiers and all processes that share them."""
        self.cache.clear()

    def invalidate(self, *, pattern: str | None = None, tags: Iterable[str] = (), key: str | None = None) -> int:
        """Forget what *pattern* (``user:*``), any of *tags*, or *key* means; how many entries memory held of it."""
        return self.cache.invalidate(pattern=pattern, tags=tuple(tags), key=key)

    def get_stats(self) -> dict[str, Any]:  # Any: the public API fixes a dict
        """The statistics as plain values, with ``hit_rate_percent`` (None before the first request)."""
        stats = self.cache.stats()
        ratio = stats.hit_ratio
        return {**msgspec.to_builtins(stats), "hit_rate_percent": None if ratio is None else round(100 * ratio, 2)}

    def close(self) -> None:
        """Write what waits, and let go of files and connections."""
        self.cache.close()

    def _options(self, ttl: float | None, tags: Iterable[str]) -> dict[str, Any]:  # Any: options of several types
        given: dict[str, Any] = {} if ttl is None else {"ttl": ttl}
        # A text is refused there; as a tuple it would be its letters.
        return {**given, "tags": tags if isinstance(tags, str) else tuple(tags)} if tags else given


def build(config: CacheConfig) -> Cache:
    """The cache that *config* describes. Connects to nothing yet; an unusable folder is a tier that fails, not an error."""
    clock = SystemClock()
    outer: list[Tier] = []
    if config.enabled and config.file_cache_enabled:
        outer.append(_files(config, clock))
    if config.enabled and config.redis_enabled:
        outer.append(_redis(config, clock))
    # compression_enabled=False is a threshold that nothing reaches.
    threshold = config.compression_threshold if config.compression_enabled else sys.maxsize
    return Cache(
        memory=MemoryTier(int(config.max_memory_mb * MIB) if config.enabled else 0, clock),
        outer=outer,
        namespace=config.namespace,
        version=config.version,
        defaults=EntryOptions(ttl=config.default_ttl, compress_threshold=threshold),
        backplane=_backplane(config, clock) if config.enabled else None,
        clock=clock,
        secret=config.secret.encode() or None,
        allow_pickle=config.allow_pickle,
    )


def get_cache_manager() -> CacheManager:
    """The one of this process, as the group ``cache`` of the settings says; made at the first call.

    Raises: SettingsError, CacheError.
    """
    global _manager  # noqa: PLW0603 - the one process-wide value; tests make managers of their own.
    with _making:
        if _manager is None:
            _manager = CacheManager(from_settings(settings.load().cache))
            atexit.register(_manager.close)
        return _manager


# Imported late: a cache without them pays neither for files nor for Redis.
def _files(config: CacheConfig, clock: Clock) -> Tier:
    from perf.cache.tiers.file import FileTier

    return FileTier(config.file_cache_dir, int(config.max_file_cache_size_mb * MIB), clock)


def _redis(config: CacheConfig, clock: Clock) -> Tier:
    from perf.cache.breaker import Breaker
    from perf.cache.guarded import Guarded
    from perf.cache.tiers.redis import RedisTier

    tier = RedisTier(_url(config), prefix=_prefix(config))
    return Guarded(tier, Breaker(clock), clock, EntryOptions())


def _backplane(config: CacheConfig, clock: Clock) -> Backplane | None:
    """What keeps the memories of all processes that share a tier in step: Redis reaches them all, a file those of this host."""
    if config.redis_enabled:
        from perf.cache.backplane.redis import RedisBackplane

        return RedisBackplane(_url(config), clock=clock, prefix=_prefix(config))
    if not config.file_cache_enabled:
        return None
    from perf.cache.backplane.host import HostBackplane

    folder = Path(config.file_cache_dir).absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return HostBackplane(folder.with_name(f"{folder.name}.backplane"))
    except OSError as error:
        _log.warning("processes that share %s don't hear of each other's invalidations: %s", folder, error)
        return None


def _prefix(config: CacheConfig) -> str:
    return f"perf:{config.namespace}"


def _url(config: CacheConfig) -> str:
    password = f":{quote(config.redis_password, safe='')}@" if config.redis_password else ""
    return f"redis://{password}{config.redis_host}:{config.redis_port}/{config.redis_db}"


_making = threading.Lock()
_manager: CacheManager | None = None
