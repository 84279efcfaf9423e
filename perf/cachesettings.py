"""Settings of the cache, which `perf.cache` reads by itself."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Bytes, Group, Seconds, says


class CacheSettings(Group, frozen=True):
    """The cache of this process that ``get_cache_manager()`` gives: its tiers and what they may take."""

    namespace: Annotated[str, says("begins every key; programs with the same one share files and Redis")] = "default"
    memory_limit: Annotated[Bytes, says("size of all values in memory; 0: nothing is kept, anywhere")] = 128 * 2**20
    ttl: Annotated[Seconds, says("how long a value is fresh when nobody says")] = 300.0
    file_enabled: Annotated[bool, says("whether values are also kept in files")] = False
    file_path: Annotated[str, says("their folder")] = "data/cache"
    file_limit: Annotated[Bytes, says("size of all files")] = 1024 * 2**20
    compression: Annotated[bool, says("whether larger values are compressed outside memory")] = True
    redis_enabled: Annotated[bool, says("whether values are also kept in Redis")] = False
    redis_host: Annotated[str, says("its host")] = "localhost"
    redis_port: Annotated[int, msgspec.Meta(ge=1, le=65_535), says("its port")] = 6379
    redis_db: Annotated[int, msgspec.Meta(ge=0), says("its database")] = 0
    redis_password: Annotated[str, says("its password")] = ""
    secret: Annotated[str, says("authenticates what lies in files and in Redis")] = ""
