"""A cache in several tiers, right under races and faults: see `perf.cache.cache`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf.cache.cache import Cache
    from perf.cache.compression import compress_data, decompress_data
    from perf.cache.config import CacheConfig
    from perf.cache.decorator import cached
    from perf.cache.manager import CacheManager, get_cache_manager
    from perf.cache.options import EntryOptions
    from perf.cache.tiers.memory import MemoryTier

__all__ = [
    "Cache",
    "CacheConfig",
    "CacheManager",
    "EntryOptions",
    "MemoryTier",
    "cached",
    "compress_data",
    "decompress_data",
    "get_cache_manager",
]

_WHERE = {
    "Cache": "cache",
    "CacheConfig": "config",
    "CacheManager": "manager",
    "EntryOptions": "options",
    "MemoryTier": "tiers.memory",
    "cached": "decorator",
    "compress_data": "compression",
    "decompress_data": "compression",
    "get_cache_manager": "manager",
}


def __getattr__(name: str) -> object:
    """Public names, imported at first use: `perf.cache.tiers.memory` and the like stay cheap."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"perf.cache.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'perf.cache' has no attribute {name!r}")
