"""Keys of programs, ended sessions and the audit log in memory: keeps the promises of the tables."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from perf.model import Window
from perf.model.access import ApiKey, AuditEntry, AuditPage, Revocation


class MemoryAccess:
    """A `perf.ports.AccessStore` that forgets on exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._revocations: dict[str, Revocation] = {}
        self._entries: list[AuditEntry] = []

    def api_keys(self) -> list[ApiKey]:
        """Every key, revoked or not, by time of making."""
        with self._lock:
            return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    def put_key(self, key: ApiKey) -> None:
        """Add *key*, or replace the one of its id."""
        with self._lock:
            self._keys[key.id] = key

    def revocations(self) -> list[Revocation]:
        """Every revocation that may still matter."""
        with self._lock:
            return list(self._revocations.values())

    def revoke(self, revocation: Revocation, now: float) -> None:
        """Note *revocation*, and forget those that are over at *now* (Unix seconds)."""
        with self._lock:
            kept = {subject: one for subject, one in self._revocations.items() if one.until >= now}
            self._revocations = kept | {revocation.subject: revocation}

    def note(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the audit log."""
        with self._lock:
            self._entries += entries

    def audit(self, window: Window, limit: int = 50, offset: int = 0, *, action: str = "", who: str = "") -> AuditPage:
        """Entries of *window* whose action begins with *action*, by *who*, the newest first."""
        with self._lock:
            found = [
                one
                for one in reversed(self._entries)
                if window.start <= one.ts < window.end and one.action.startswith(action) and who in ("", one.who)
            ]
        found.sort(key=lambda one: -one.ts)
        return AuditPage(entries=found[offset : offset + limit], total=len(found))

    def expire(self, before: float) -> None:
        """Forget entries from before *before* (Unix seconds)."""
        with self._lock:
            self._entries = [one for one in self._entries if one.ts >= before]
