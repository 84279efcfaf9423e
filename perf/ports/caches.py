"""What caches expect of their outer tiers, and of how processes agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from perf.model import (
    Held,
    Said,
    TierUsage,
)


class Tier(Protocol):
    """An outer tier of a cache: bytes in, bytes out. May be used from any thread. Raises: TierError, from every method."""

    name: str

    def read(self, key: str) -> Held | None:
        """What is held under *key*; None also when a generation of its key or of its tags moved since it was written."""

    def write(self, key: str, held: Held, tags: Sequence[str], fence: bytes | None, *, replaces: bool = False) -> bool:
        """Hold it; False when it was refused, because a generation moved since *fence* or the tier has no room for it.

        *replaces* moves the generation of *key*, in one step with the look at it: what others read or began to load before comes too
        late from then on.
        """

    def fence(self, names: Sequence[str]) -> bytes:
        """The present generations of *names* (``k:<key>``, ``t:<tag>``), opaque; for a later `write` of that key and those tags."""

    def invalidate(self, names: Sequence[str]) -> None:
        """Move the generations of *names* (``k:<key>``, ``t:<tag>``) and drop those keys; the work depends on their number only."""

    def clear(self) -> None:
        """Drop everything, and refuse writes with an older fence."""

    def usage(self) -> TierUsage:
        """What the tier holds; cheap enough for every ten seconds."""

    def close(self) -> None:
        """Let go of files and connections."""


class Backplane(Protocol):
    """How the caches of several processes agree on what is no longer true."""

    def announce(self, said: Said) -> None:
        """Tell every other cache; never raises, never waits for them."""

    def changed(self) -> bool:
        """Whether `heard` has something to say. Asked at every hit: at most 50 ns."""

    def heard(self) -> list[Said] | None:
        """What others announced since the last call; None when something was missed: forget everything."""

    def close(self) -> None:
        """Stop listening."""
