"""What a cache is made of, in the words of the public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from perf.decoding import converted
from perf.errors import CacheError

if TYPE_CHECKING:
    from perf.cachesettings import CacheSettings

MIB = 2**20
_NUMBERS = ("max_memory_mb", "max_file_cache_size_mb", "compression_threshold")
_ANY_PORT = 65_535


class CacheConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Tiers, bounds (in MiB), compression (threshold in bytes) and the default time to live (seconds).

    *namespace* and *version* begin every key: programs that share a folder or a Redis share entries when both are equal.
    With a *secret* what lies in files and in Redis is authenticated. *allow_pickle* runs code found there: only with a secret.
    Not *enabled*, it keeps nothing: every value is made anew, once for those who ask at the same time.

    Raises: CacheError for a value that can't be meant.
    """

    namespace: str = "default"
    version: str = "1"
    max_memory_mb: float = 128
    file_cache_enabled: bool = False
    file_cache_dir: str = "data/cache"
    max_file_cache_size_mb: float = 1024
    redis_enabled: bool = False
    redis_host: str = "localhost"
    redis_port: int = 6379
    redis_db: int = 0
    redis_password: str = ""
    compression_enabled: bool = True
    compression_threshold: int = 1024
    default_ttl: float | None = 300.0
    secret: str = ""
    allow_pickle: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        _typed(self)
        if not self.namespace or not self.version:
            raise CacheError("namespace and version must not be empty")
        for name in _NUMBERS:
            if not getattr(self, name) > 0:
                raise CacheError(f"{name} must be above 0, not {getattr(self, name)!r}")
        if self.default_ttl is not None and not self.default_ttl > 0:
            raise CacheError(f"default_ttl must be above 0, or None for ever, not {self.default_ttl!r}")
        if not 0 < self.redis_port <= _ANY_PORT:
            raise CacheError(f"redis_port must be 1 to {_ANY_PORT}, not {self.redis_port!r}")
        if self.allow_pickle and not self.secret:
            raise CacheError(
                "allow_pickle needs a secret: pickles run code, and without one anybody could have written them"
            )


def from_settings(settings: CacheSettings) -> CacheConfig:
    """The configuration that the group ``cache`` of the settings means; a limit of 0 keeps nothing."""
    enabled = settings.memory_limit > 0
    return CacheConfig(
        enabled=enabled,
        namespace=settings.namespace,
        max_memory_mb=settings.memory_limit / MIB if enabled else CacheConfig().max_memory_mb,
        file_cache_enabled=settings.file_enabled,
        file_cache_dir=settings.file_path,
        max_file_cache_size_mb=settings.file_limit / MIB,
        redis_enabled=settings.redis_enabled,
        redis_host=settings.redis_host,
        redis_port=settings.redis_port,
        redis_db=settings.redis_db,
        redis_password=settings.redis_password,
        compression_enabled=settings.compression,
        default_ttl=settings.ttl,
        secret=settings.secret,
    )


def _typed(config: CacheConfig) -> None:
    """Raises: CacheError when a value isn't of its field's type; msgspec checks what it decodes only."""
    for field in msgspec.structs.fields(CacheConfig):
        try:
            converted(getattr(config, field.name), field.type)
        except msgspec.ValidationError as error:
            raise CacheError(f"{field.name}: {error}") from error
