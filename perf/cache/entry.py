"""One value in memory, with what decides how long it holds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import msgspec

from perf.cache.options import EntryOptions

ANY_TAG = ""
"""Stands for tags that nobody remembers: moved by the invalidation of every tag."""


class Entry(msgspec.Struct, frozen=True):
    """A value and its deadlines, on the monotonic clock of its cache."""

    # Not gc=False: a value may refer to the cache that holds it. msgspec itself leaves untracked what holds only plain scalars.
    value: object
    fresh_until: float
    stale_until: float
    """Never before *fresh_until*."""
    tags: tuple[str, ...] = ()
    marks: tuple[int, ...] = (0,)
    """The number of the last invalidation that it knew of, see `perf.cache.fences`."""
    negative: bool = False
    load_seconds: float = 0.0
    size: int = 0
    """Bytes charged for it."""
    plain_until: float = -math.inf
    """Until then a hit needs no second look: it is fresh, not negative and not due for an early refresh."""
    quiet_until: float = -math.inf
    """Until then it is served although stale, because its factory failed."""
    copier: Callable[[object], object] | None = None
    """What makes a caller's own copy of *value*; None when it can't be changed, or nobody minds."""

    due_from: float | None = None
    """Set where a `Ghost` follows the key, so that every hit gets a second look: what *plain_until* was."""

    def followed(self) -> Entry:
        """The same, with a second look at every hit."""
        due = self.due if self.plain_until == -math.inf else self.plain_until
        return msgspec.structs.replace(self, plain_until=-math.inf, due_from=due)

    @property
    def due(self) -> float:
        """From when on it is refreshed early; its *fresh_until* for one that never is."""
        return self.plain_until if self.due_from is None else self.due_from

    def handed(self) -> object:
        """The value as a caller gets it."""
        return self.value if self.copier is None else self.copier(self.value)


def entry_for(
    value: object, options: EntryOptions, now: float, *, mark: int = 0, load_seconds: float = 0.0, loaded: bool = False
) -> Entry:
    """An entry that *options* describe, made at *now* (monotonic); *loaded*: by a factory, whose None may be a negative one."""
    negative = loaded and value is None and options.negative_ttl > 0
    ttl = options.negative_ttl if negative else options.ttl
    if ttl is None:
        fresh = due = math.inf
    else:
        ttl *= 1.0 - options.jitter * random.random() if options.jitter else 1.0
        fresh = now + ttl
        due = now + ttl * options.eager_refresh if options.eager_refresh else fresh
    return Entry(
        value,
        fresh,
        fresh if negative else fresh + options.stale_ttl,
        options.tags,
        (mark,),
        negative,
        load_seconds,
        plain_until=-math.inf if negative else due,
    )
