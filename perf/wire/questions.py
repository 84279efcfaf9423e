"""The bodies of requests below ``/api/v1/store`` that are more than one domain value. Strict: an unknown key is an error."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.model import AlertRule, Delivery, IncidentFilter, ProbeResult, RangeQuery, Selector, Window
from perf.model.access import AuditEntry, Revocation
from perf.wire.protocol import MOST_QUESTIONS

Many = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Name = Annotated[str, msgspec.Meta(max_length=500)]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Ranges(_Asked, frozen=True):
    """Questions about series, answered together."""

    queries: Annotated[tuple[RangeQuery, ...], msgspec.Meta(min_length=1, max_length=MOST_QUESTIONS)]


class Spread(_Asked, frozen=True):
    """What distributions observed; without *shape* no buckets."""

    query: RangeQuery
    shape: bool = True


class Slowest(_Asked, frozen=True):
    """The slowest calls of a series."""

    selector: Selector
    window: Window
    limit: int


class Statement(_Asked, frozen=True):
    """One statement that reads, and how many rows are wanted at most."""

    sql: Annotated[str, msgspec.Meta(max_length=100_000)]
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000


class Newest(_Asked, frozen=True):
    """The newest changes of settings."""

    limit: Many = 50


class Rules(_Asked, frozen=True):
    """Rules to add, to replace, or with null to forget."""

    changes: Annotated[dict[str, AlertRule | None], msgspec.Meta(max_length=10_000)]
    author: Name


class One(_Asked, frozen=True):
    """The rule, silence or incident *id*."""

    id: Id


class Tended(_Asked, frozen=True):
    """Somebody looks after the incident *id*, or ends it."""

    id: Id
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Open(_Asked, frozen=True):
    """Incidents that are open, or also the last day's others."""

    open_only: bool = True


class Past(_Asked, frozen=True):
    """A page of incidents."""

    window: Window
    limit: Many = 50
    offset: Offset = 0
    wanted: IncidentFilter | None = None


class Due(_Asked, frozen=True):
    """What is to be sent at *now*."""

    now: float
    limit: Many = 100


class Attempts(_Asked, frozen=True):
    """Attempts to deliver, and when the next is due."""

    deliveries: Annotated[tuple[Delivery, ...], msgspec.Meta(max_length=10_000)]
    next_at: float | None = None


class Delivered(_Asked, frozen=True):
    """A page of attempts."""

    window: Window
    limit: Many = 50
    offset: Offset = 0


class Tallied(_Asked, frozen=True):
    """How attempts in a window ended."""

    window: Window


class Outbox(_Asked, frozen=True):
    """What waits at *now*."""

    now: float


class Checked(_Asked, frozen=True):
    """What probes said."""

    results: Annotated[tuple[ProbeResult, ...], msgspec.Meta(max_length=10_000)]


class Spells(_Asked, frozen=True):
    """The past of a probe."""

    probe: Name
    window: Window
    limit: Many = 100


class Uptime(_Asked, frozen=True):
    """How long every probe was in each state."""

    window: Window
    step: float


class Revoked(_Asked, frozen=True):
    """A session that ends early."""

    revocation: Revocation
    now: float


class Noted(_Asked, frozen=True):
    """What the audit log is to keep."""

    entries: Annotated[tuple[AuditEntry, ...], msgspec.Meta(max_length=10_000)]


class Audited(_Asked, frozen=True):
    """A page of the audit log."""

    window: Window
    limit: Many = 50
    offset: Offset = 0
    action: Name = ""
    who: Name = ""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers: the version of perf, and what kind of store it keeps."""

    perf: str
    backend: str
