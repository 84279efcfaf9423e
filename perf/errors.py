"""Everything perf raises on purpose. Each says what is wrong and which thing it is about."""

from __future__ import annotations


class PerfError(Exception):
    """Base of all errors raised by perf."""


class SettingsError(PerfError):
    """A setting is unknown, of the wrong type, or contradicts another."""


class QueryError(PerfError):
    """A question can't be understood; *position* is the 0-based column in *text* where it went wrong."""

    def __init__(self, message: str, *, text: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.position = position


class ConditionError(QueryError):
    """The condition of an alert rule can't be understood; *position* is the 0-based column."""


class RuleError(PerfError):
    """An alert rule contradicts itself, or needs what isn't there."""


class StoreError(PerfError):
    """The store could not do what was asked."""


class StoreLocked(StoreError):
    """Another process owns the file; *pid* is 0 when the system doesn't tell."""

    def __init__(self, message: str, *, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid


class StoreFull(StoreError):
    """No space left: nothing was written, the same batch may be tried again."""


class StoreBusy(StoreError):
    """More was handed over than the writer can take; the samples of this call were dropped and counted."""


class StoreClosed(StoreError):
    """The store has been closed."""


class StoreAway(StoreError):
    """The owner of the store does not answer: nothing is known to be written, the same batch may be tried again."""


class OwnerError(PerfError):
    """The owner of the store can't be reached or refused."""


class OwnerAway(OwnerError):
    """The owner of the store can't be reached."""


class PluginError(PerfError):
    """A plugin is unknown or can't be loaded."""


class CacheError(PerfError):
    """A cache was told something impossible: a wrong option, a key it can't make, a factory that asks for its own key."""


class TierError(CacheError):
    """A tier of a cache could not do what was asked; the cache goes on without it. *kind* is what statistics count it as."""

    def __init__(self, message: str, *, kind: str = "error") -> None:
        super().__init__(message)
        self.kind = kind


class LoadFailed(CacheError):
    """A factory failed in another process while this one waited for its value."""


class LoadTimeout(CacheError, TimeoutError):
    """A factory took longer than its hard timeout, and there was nothing stale to serve instead."""
