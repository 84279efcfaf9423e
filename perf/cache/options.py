"""How one entry of a cache is kept, loaded and refreshed."""

from __future__ import annotations

import math

import msgspec

from perf.errors import CacheError

CODECS = ("auto", "msgpack", "arrow", "numpy", "raw", "pickle")

_SECONDS = ("jitter", "stale_ttl", "fail_safe_throttle", "negative_ttl", "eager_refresh", "compress_threshold")
_TIMEOUTS = ("factory_soft_timeout", "factory_hard_timeout", "tier_soft_timeout", "tier_hard_timeout")
_SWITCHES = ("fail_safe", "copy")


class EntryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry is kept. All times are seconds.

    Raises: CacheError when a value makes no sense.
    """

    ttl: float | None = 300.0
    """How long it is fresh; None: for ever."""
    jitter: float = 0.0
    """Share of *ttl* by which it is shortened at random, so that entries made together don't expire together."""
    stale_ttl: float = 0.0
    """How long after *ttl* a failing or slow factory may still be covered with it."""
    fail_safe: bool = False
    """Whether a stale value is served when the factory fails."""
    fail_safe_throttle: float = 30.0
    """How long after that the factory is left alone."""
    negative_ttl: float = 0.0
    """How long None of a factory is kept; 0: as any other value."""
    eager_refresh: float = 0.0
    """Share of *ttl* after which one caller starts a refresh in the background; 0: never."""
    factory_soft_timeout: float | None = None
    """After this a caller is given the stale value, and the factory goes on."""
    factory_hard_timeout: float | None = None
    """After this a caller is given the stale value with *fail_safe*, an error otherwise; the factory goes on."""
    tier_soft_timeout: float | None = None
    """After this an outer tier is not waited for when there is a stale value."""
    tier_hard_timeout: float | None = 0.25
    """After this an outer tier is not waited for."""
    distributed_lock: bool | None = None
    """Whether only one process at a time may load it, for ten seconds at most; needs a tier that has locks. None: when the last tier is
    local files, where a lock costs microseconds. Outside Linux a few keys share each lock of files.
    """
    tags: tuple[str, ...] = ()
    compress_threshold: int = 1024
    """Smallest size in bytes at which outer tiers try to compress it."""
    codec: str = "auto"
    copy: bool = True
    """Whether callers get their own copy of a value that can be changed."""

    def __post_init__(self) -> None:
        self._check_times()
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise CacheError(f"{name} is True or False, not {getattr(self, name)!r}")
        if self.distributed_lock not in (None, True, False):
            raise CacheError(f"distributed_lock is True, False or None, not {self.distributed_lock!r}")
        if not isinstance(self.tags, tuple) or not all(isinstance(tag, str) and tag for tag in self.tags):
            raise CacheError(f"tags is a tuple of names, not {self.tags!r}")
        if self.codec not in CODECS:
            raise CacheError(f"no codec {self.codec!r}; known: {', '.join(CODECS)}")
        for name in ("jitter", "eager_refresh"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise CacheError(f"{name} is a share of the ttl from 0 to below 1, not {getattr(self, name)!r}")

    def _check_times(self) -> None:
        if self.ttl is not None:
            _check("ttl", self.ttl)
            if not self.ttl:
                raise CacheError("ttl is more than 0, or None for ever")
        for name in _SECONDS:
            _check(name, getattr(self, name))
        for name in _TIMEOUTS:
            if (value := getattr(self, name)) is not None:
                _check(name, value)


def _check(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise CacheError(f"{name} is a finite number of at least 0, not {value!r}")


def changed(options: EntryOptions, **changes: object) -> EntryOptions:
    """*options* with *changes*; ``tags`` may be any collection of names. Raises: CacheError for an unknown name or a wrong value."""
    if not changes:
        return options
    if unknown := changes.keys() - set(EntryOptions.__struct_fields__):
        raise CacheError(f"no option {min(unknown)!r}; known: {', '.join(EntryOptions.__struct_fields__)}")
    tags = changes.get("tags")
    if isinstance(tags, (list, set, frozenset)):
        changes["tags"] = tuple(tags)
    return msgspec.structs.replace(options, **changes)
