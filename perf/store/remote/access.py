"""Keys, ended sessions and the audit log, kept by an owner elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.model import Window
from perf.model.access import ApiKey, AuditEntry, AuditPage, Revocation
from perf.store.remote.asking import Asking
from perf.store.remote.fresh import Fresh
from perf.wire import questions


class RemoteAccess:
    """A `perf.ports.AccessStore` over HTTP. Every method raises StoreAway, StoreError: nobody comes in by a key meanwhile."""

    def __init__(self, asking: Callable[[], Asking], fresh: Fresh) -> None:
        """*asking* finds the owner, or raises StoreClosed; *fresh* is forgotten after every change."""
        self._asking, self._fresh = asking, fresh

    def api_keys(self) -> list[ApiKey]:
        """Every key, as of a second ago at most."""
        asking = self._asking()
        return list(self._fresh.of("access/keys", lambda: asking.found("access/keys", list[ApiKey])))

    def put_key(self, key: ApiKey) -> None:
        """Add or replace *key*."""
        self._done("access/keys/put", key)

    def revocations(self) -> list[Revocation]:
        """Every revocation that may still matter, as of a second ago at most."""
        asking = self._asking()
        found = self._fresh.of("access/revocations", lambda: asking.found("access/revocations", list[Revocation]))
        return list(found)

    def revoke(self, revocation: Revocation, now: float) -> None:
        """Note *revocation*, and forget those that are over at *now*."""
        self._done("access/revoke", questions.Revoked(revocation=revocation, now=now))

    def note(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the audit log, all or none."""
        if entries:
            self._asking().done("access/note", questions.Noted(entries=tuple(entries)))

    def audit(self, window: Window, limit: int = 50, offset: int = 0, *, action: str = "", who: str = "") -> AuditPage:
        """Entries of *window*, the newest first."""
        asked = questions.Audited(window=window, limit=limit, offset=offset, action=action, who=who)
        return self._asking().found("access/audit", AuditPage, asked)

    def _done(self, path: str, change: object) -> None:
        self._asking().done(path, change)
        self._fresh.forget()
