"""What processes that load the same key tell each other through a tier that all of them have: whose turn it is, and that it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from perf.cache.envelope import EnvelopeError, Secret, seal, unseal
from perf.cache.options import EntryOptions
from perf.model import Held
from perf.ports import Tier

NO_LEASE = b""
"""Nobody takes turns, or nobody can: all may load."""
NOTE_SECONDS = 10.0
"""How long a failure is told to those who waited for it."""
_CHARACTERS = 500
_BYTES = 64 * 1024


class Ask(Protocol):
    """What calls a tier: None when it fails."""

    def __call__(self, tier: Tier, call: Callable[[], Any], /) -> Any:  # Any: whatever *call* answers
        """What *call* answers."""


class Locks(Tier, Protocol):
    """A tier that knows whose turn it is."""

    def lock(self, key: str, lease: float) -> bytes | None:
        """A token, or None while another has it."""

    def unlock(self, key: str, token: bytes) -> None:
        """The next one's turn."""


class Turns:
    """Turns and failures, kept in *tier*; without one, or one without locks, everybody loads."""

    def __init__(self, tier: Tier | None, secret: Secret | bytes | None, ask: Ask) -> None:
        self._tier = cast(Locks, tier) if hasattr(tier, "lock") else None
        self._secret = secret
        self._ask = ask
        self.by_default = bool(getattr(tier, "locks_are_cheap", False))

    def lock(self, key: str, lease: float) -> bytes | None:
        """A token when this process may load *key* for *lease* seconds; None while another does."""
        tier = self._tier
        if tier is None:
            return NO_LEASE
        answer: tuple[bytes | None] | None = self._ask(tier, lambda: (tier.lock(key, lease),))
        return NO_LEASE if answer is None else answer[0]

    def unlock(self, key: str, lease: bytes | None) -> None:
        """Let the next process load."""
        tier = self._tier
        if lease and tier is not None:
            self._ask(tier, lambda: tier.unlock(key, lease))

    def failed(self, key: str, error: Exception) -> None:
        """Tell those who wait for *key* that loading it failed: type and message, for a moment."""
        tier, name = self._tier, _note(key)
        if tier is None:
            return
        text = f"{type(error).__name__}: {_text(error)}"[:_CHARACTERS].encode(errors="replace").decode()
        data = seal(text, name, options=EntryOptions(), secret=self._secret, load_seconds=0.0, negative=False)
        self._ask(tier, lambda: tier.write(name, Held(data, NOTE_SECONDS, NOTE_SECONDS), (), None))

    def failure(self, key: str, seconds: float) -> str | None:
        """Why loading *key* failed in another process within the last *seconds*."""
        tier, name = self._tier, _note(key)
        if tier is None:
            return None
        held: Held | None = self._ask(tier, lambda: tier.read(name))
        if held is None or NOTE_SECONDS - held.fresh > seconds:
            return None
        try:
            return str(unseal(held.data, name, secret=self._secret, limit=_BYTES).value)
        except EnvelopeError:
            return None


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001 - the edge: the host's exception is counted and raised; its text may fail as it likes.
        return f"({type(another).__name__} in its text)"


def _note(key: str) -> str:
    return f"{key}\0failed"
