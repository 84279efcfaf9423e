"""Ports: what the core expects of clocks, sources, stores, probes and the tiers of a cache. Each has at least two real implementations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    Held,
    Incident,
    IncidentFilter,
    IncidentPage,
    Measurement,
    ProbeResult,
    Queued,
    RangeQuery,
    Rows,
    RowsQuery,
    Said,
    Sample,
    Selector,
    Series,
    SeriesInfo,
    Silence,
    Step,
    StoreUsage,
    Tally,
    TierUsage,
    Waiting,
    Window,
)


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Wall time in Unix seconds; may jump."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back. For durations."""


class Source(Protocol):
    """Something that is read at an interval."""

    def collect(self, ts: float) -> Iterable[Sample]:
        """Read once; every sample is stamped *ts*. A value that needs two readings is absent from the first one."""


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


class MetricStore(Store, Upkeep, Overrides, Annotations, Protocol):
    """A complete store: what the runtime opens."""

    @property
    def alerts(self) -> AlertStore:
        """Rules, incidents and what is to be sent."""


class Probe(Protocol):
    """One health check."""

    def check(self) -> ProbeResult:
        """Do the real thing once. Never raises: a failure is a result."""


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
