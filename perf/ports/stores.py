"""What the core expects of stores, and of the parts of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from perf.model import (
    AlertRule,
    Annotation,
    Batch,
    Change,
    Delivery,
    DeliveryPage,
    Distributions,
    Exemplar,
    Incident,
    IncidentFilter,
    IncidentPage,
    Measurement,
    ProbeResult,
    Queued,
    RangeQuery,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    Silence,
    Spell,
    Step,
    StoreUsage,
    Tally,
    UptimeCell,
    Waiting,
    Window,
)
from perf.model.access import ApiKey, AuditEntry, AuditPage, Revocation


class Store(Protocol):
    """Where samples live. Writes come from one thread; reads may come from any."""

    def append(self, samples: Sequence[Measurement], batches: Sequence[Batch] = ()) -> None:
        """Store *samples*, and that they came as *batches*; when it returns both survive a crash of the process, or neither.

        Raises: StoreFull when there is no space (nothing written, try again), StoreError otherwise.
        """

    def producers(self) -> dict[str, int]:
        """Producer -> highest sequence number of it that is stored; who was silent for 30 days is forgotten."""

    def series(self) -> Sequence[SeriesInfo]:
        """Every known series, by id."""

    def read(self, query: RangeQuery) -> list[Series]:
        """Answer *query* from the coarsest level that is fine enough and reaches back far enough."""

    def distributions(self, query: RangeQuery, *, shape: bool = True) -> list[Distributions]:
        """What distributions observed: each series by itself, or merged when *query* has ``across=MERGE``; its aggregate is
        not looked at. Without *shape* there are no buckets, and no zeros (faster).
        """

    def rows(self, query: RowsQuery) -> Rows:
        """Raw samples, one page."""

    def exemplars(self, selector: Selector, window: Window, limit: int) -> list[Exemplar]:
        """The *limit* slowest calls of the series of *selector* that ended in *window*, the slowest first."""

    def close(self) -> None:
        """Checkpoint and let go of the file. Later calls raise StoreClosed."""


class Upkeep(Protocol):
    """What keeps a store small and fast; called from the writing thread."""

    def maintain(self, now: float) -> None:
        """Roll up, seal, apply retention and checkpoint, as far as each is due at *now* (Unix seconds)."""

    def usage(self) -> StoreUsage:
        """What the store holds; cheap enough for every ten seconds."""


class Overrides(Protocol):
    """Settings changed at run time: kept, audited, and winning over the configured ones."""

    def override(self, change: Change) -> None:
        """Record *change*; it is in force when this returns. Called from the writing thread."""

    def overrides(self) -> dict[str, str]:
        """Path -> JSON value of every override in force."""

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest changes first."""


class Annotations(Protocol):
    """Deploys and notes."""

    def annotate(self, annotation: Annotation) -> None:
        """Keep *annotation*. Called from the writing thread."""

    def annotations(self, window: Window) -> list[Annotation]:
        """What happened in *window*, the oldest first."""


class AlertStore(Protocol):
    """What alerting must not forget. What changes something is called from the writing thread."""

    def rules(self) -> list[AlertRule]:
        """Every rule, by name; from memory."""

    def put_rule(self, rule: AlertRule, author: str) -> None:
        """Add *rule*, or replace the one of its id."""

    def drop_rule(self, id: str, author: str) -> None:
        """Forget the rule *id*."""

    def change_rules(self, changes: Mapping[str, AlertRule | None], author: str) -> None:
        """Add or replace the rule of each id, or with None forget it: all of them or none."""

    def dropped(self, id: str) -> AlertRule | None:
        """The rule *id*, which is forgotten, as it was last; None when there never was one."""

    def incidents(self, *, open_only: bool = True) -> list[Incident]:
        """Those that are open, by time; otherwise also the last day's others."""

    def commit(self, step: Step) -> None:
        """Store all of *step* or nothing. Incidents and notifications of a known id: the newer incident wins, the
        notification that is there stays. An incident that ends without having fired leaves no trace.
        """

    def history(
        self, window: Window, limit: int = 50, offset: int = 0, wanted: IncidentFilter | None = None
    ) -> IncidentPage:
        """Incidents that were open at some time in *window*, the newest first; pending ones aren't among them."""

    def silences(self) -> list[Silence]:
        """Every silence, over or not, by start; from memory."""

    def put_silence(self, silence: Silence) -> None:
        """Add *silence*, or replace the one of its id."""

    def drop_silence(self, id: str) -> None:
        """Forget the silence *id*."""

    def due(self, now: float, limit: int = 100) -> list[Queued]:
        """What waits and whose time has come; of each incident and channel only the oldest that waits. What was never tried and
        whose time is still to come holds nothing up.
        """

    def record(self, deliveries: Sequence[Delivery], next_at: float | None = None) -> None:
        """Note attempts, all or none; their notifications are tried again at *next_at*, and never again without one."""

    def deliveries(self, window: Window, limit: int = 50, offset: int = 0) -> DeliveryPage:
        """Attempts in *window*, the newest first."""

    def tallies(self, window: Window) -> list[Tally]:
        """How many attempts in *window* had which outcome, by channel and outcome."""

    def waiting(self, now: float) -> list[Waiting]:
        """What waits in the outbox at *now*, by channel."""


class AccessStore(Protocol):
    """Keys of programs, sessions that ended early, and who did what. What changes something is called from the writing thread."""

    def api_keys(self) -> list[ApiKey]:
        """Every key, revoked or not, by time of making; from memory."""

    def put_key(self, key: ApiKey) -> None:
        """Add *key*, or replace the one of its id."""

    def revocations(self) -> list[Revocation]:
        """Every revocation that may still matter; from memory."""

    def revoke(self, revocation: Revocation, now: float) -> None:
        """Note *revocation*, or replace the one of its subject, and forget those that are over at *now* (Unix seconds)."""

    def note(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the audit log, all or none."""

    def audit(self, window: Window, limit: int = 50, offset: int = 0, *, action: str = "", who: str = "") -> AuditPage:
        """Entries of *window* whose action begins with *action*, by *who* (empty: anybody), the newest first."""


class ProbeStore(Protocol):
    """What probes said. A result stands until the next one of its probe, though no longer than two and a half minutes."""

    def keep(self, results: Sequence[ProbeResult]) -> None:
        """Keep *results*, all or none. Called from the writing thread."""

    def spells(self, probe: str, window: Window, limit: int = 100) -> list[Spell]:
        """The stretches of one state of *probe* in *window*, cut to it, the newest first."""

    def uptime(self, window: Window, step: float) -> list[UptimeCell]:
        """How long every probe was in each state, in steps of *step* seconds from the start of *window*; by probe and time."""


class MetricStore(Store, Upkeep, Overrides, Annotations, Protocol):
    """A complete store: what the runtime opens."""

    @property
    def alerts(self) -> AlertStore:
        """Rules, incidents and what is to be sent."""

    @property
    def access(self) -> AccessStore:
        """Keys of programs, ended sessions and the audit log."""

    @property
    def probes(self) -> ProbeStore:
        """What probes said."""
