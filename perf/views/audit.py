"""The audit log: who changed what, when and from where."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime

import msgspec

from perf import actor
from perf.errors import StoreBusy, StoreClosed
from perf.model import Window
from perf.model.access import LOCAL, NOBODY, AuditEntry, AuditPage
from perf.ports import Clock, MetricStore
from perf.store.writer import Writer

LONGEST = 4_000
"""Characters of what was and what is; a rule has some hundred."""

_log = logging.getLogger(__name__)


class AuditLog:
    """What was done by people and programs, kept by one store and written to perf's own log."""

    def __init__(self, store: MetricStore, writer: Writer, clock: Clock) -> None:
        self._store, self._writer, self._clock = store.access, writer, clock

    def note(self, action: str, subject: str = "", *, before: object = "", after: object = "", by: str = "") -> None:
        """Note what the acting person did; without one *by* did it, or perf itself. What isn't text is kept as JSON.

        Doesn't wait: what it tells of is done, and must not fail because of it. What can't be kept stands in perf's log.
        """
        acting = actor.current()
        if acting is not None:
            acting.noted = True
        entry = AuditEntry(
            ts=self._clock.now(),
            who=_who(acting, by),
            via=acting.who.via if acting is not None else "program",
            address=acting.address if acting is not None else "",
            action=action,
            subject=subject[:LONGEST],
            before=_text(before),
            after=_text(after),
        )
        _log.info("%s %s %r (%s) %s -> %s", entry.who, action, subject, entry.address, entry.before, entry.after)
        try:
            self._writer.later(lambda: self._store.note([entry])).add_done_callback(_told)
        except (StoreBusy, StoreClosed) as error:
            _log.error("an entry of the audit log was not kept: %s", error)

    def entries(self, window: Window, limit: int, offset: int = 0, *, action: str = "", who: str = "") -> AuditPage:
        """Entries of *window*, the newest first."""
        return self._store.audit(window, limit, offset, action=action, who=who)


def as_csv(entries: Iterable[AuditEntry]) -> str:
    """*entries* as a file for spreadsheets; what such a program would take for a formula is quoted."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(("time_utc", *AuditEntry.__struct_fields__[1:]))
    for entry in entries:
        moment = datetime.fromtimestamp(entry.ts, UTC).isoformat(timespec="milliseconds")
        table.writerow((moment, *(_harmless(cell) for cell in msgspec.structs.astuple(entry)[1:])))
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _who(acting: actor.Actor | None, by: str) -> str:
    """Where nobody signs in, or somebody is only about to, the name that they give is all there is."""
    if acting is None:
        return by or "perf"
    if acting.who.via in (LOCAL.via, NOBODY.via):
        return by or acting.who.name or NOBODY.via
    return acting.who.name


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:LONGEST]


def _told(done: Future[object]) -> None:
    error = done.exception()
    if error is not None:
        _log.error("an entry of the audit log was not kept: %s", error)
