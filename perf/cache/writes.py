"""Values on their way to the outer tiers. Only one thread writes there, so what was set last is what stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from perf.cache.entry import Entry
from perf.cache.fences import Fence
from perf.cache.options import EntryOptions
from perf.model import Held

if TYPE_CHECKING:
    from perf.cache.background import Job
    from perf.cache.local import Local
    from perf.cache.outer import Outer


class Write(msgspec.Struct, kw_only=True):
    """One value on its way to the outer tiers."""

    outer: Outer
    local: Local
    key: str
    entry: Entry
    options: EntryOptions
    fence: Fence
    fences: list[bytes | None]
    replaces: bool = False
    """Whether a caller set it, or what it follows: then older values must not survive it anywhere, even if it doesn't itself."""
    written: bool = False
    """Whether the outer tiers have it, or nothing that it was to replace."""
    lease: bytes | None = None

    @property
    def size(self) -> int:
        """Of its value."""
        return max(self.entry.size, 0)

    def holds(self) -> bool:
        """Whether nobody invalidated it since it was set or loaded, and it isn't written yet."""
        return self.local.fences.holds(self.fence, self.entry.tags)

    def run(self) -> None:
        """Write it, and tell the other caches when it replaces something."""
        try:
            self.outer.perform(self, self.local)
            self.written = True
        finally:
            self.drop()
        if self.replaces:
            self.local.announce([f"k:{self.key}"])

    def follows(self, earlier: Job) -> None:
        """What *earlier* was to replace is still there."""
        if isinstance(earlier, Write) and earlier.replaces:
            self.replaces = True

    def drop(self) -> None:
        """It is written, or won't be."""
        self.fence.moved = True  # Nobody tells a closed fence of invalidations: from now on it holds for nothing.
        self.outer.turns.unlock(self.key, self.lease)
        self.local.fences.close(self.fence)


class Promotion(msgspec.Struct, kw_only=True):
    """What a slower tier had, on its way to the faster ones, with the time it has left. Dropping it loses nothing."""

    outer: Outer
    local: Local
    key: str
    held: Held
    read_at: float
    """When it was read, on the clock of the cache: *held* counts from then."""
    fence: Fence
    fences: list[bytes | None]

    @property
    def size(self) -> int:
        """Of its bytes."""
        return len(self.held.data)

    def run(self) -> None:
        """Copy it, unless a newer value was set or it was invalidated."""
        try:
            waited = self.local.clock.monotonic() - self.read_at
            held = Held(self.held.data, self.held.fresh - waited, self.held.stale - waited)
            if held.fresh > 0 and self.local.fences.holds(self.fence, ()):
                self.outer.promote(self.key, held, self.fences)
        finally:
            self.drop()

    def follows(self, earlier: Job) -> None:
        """It never takes the place of another."""

    def drop(self) -> None:
        """It is copied, or won't be."""
        self.fence.moved = True
        self.local.fences.close(self.fence)
