"""Alerting in values: rules, incidents and how they change, and silences. Frozen, free of I/O. What is sent is in `delivery`."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from perf.model.matching import Match
from perf.model.metric import Labels
from perf.model.state import Status


class Severity(StrEnum):
    """How bad it is, from least to worst."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (low) to 3 (critical)."""
        return tuple(Severity).index(self)


class RuleKind(StrEnum):
    """What a rule looks at; each has a module in ``perf.alerts.kinds``."""

    THRESHOLD = "threshold"
    ABSENCE = "absence"
    BURN_RATE = "burn_rate"
    HEALTH_CHECK = "health_check"


class NoData(StrEnum):
    """What a series means that is silent for two windows: KEEP what is open (as no_data), take it for OK, or ALERT."""

    KEEP = "keep"
    OK = "ok"
    ALERT = "alert"


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tell *channels* too when nobody has acknowledged *after* seconds of firing."""

    after: float
    channels: tuple[str, ...]


SYSTEM = "system"
"""In place of a channel: those that perf tells of its own troubles (``alerts.system_channels``)."""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When to tell whom. Durations are seconds.

    A threshold watches every series of *metric* (or of the name that *condition* fixes) that has *labels*, each by itself,
    or together where *by* names the labels that keep them apart. With ``aggregate="last"`` it looks at the newest sample of
    every `EVERY` seconds, otherwise at whole windows. *window* is also how soon the next sample is expected: after two of them
    a series is silent, and a pending incident starts anew. *clear* ends an incident in place of the condition's limit.

    A burn rate takes *objective* (0.999: one in a thousand may be bad) and compares the selectors *bad* and *total*, once at least *min_events*
    bad ones came in the longer span. A health check watches *probe* (all without one) for *status* or worse. That a rule can't be
    evaluated is told to the channel *on_error*.
    """

    id: str
    name: str
    kind: RuleKind = RuleKind.THRESHOLD
    condition: str = ""
    metric: str = ""
    labels: Labels = ()
    by: tuple[str, ...] = ()
    aggregate: str = "last"
    window: float = 60.0
    for_seconds: float = 0.0
    keep_firing: float = 0.0
    clear: float | None = None
    severity: Severity = Severity.MEDIUM
    channels: tuple[str, ...] = ()
    message: str = ""
    cooldown: float = 900.0
    repeat: float | None = None
    escalation: tuple[Escalation, ...] = ()
    no_data: NoData = NoData.KEEP
    on_error: str = SYSTEM
    runbook: str = ""
    enabled: bool = True
    objective: float | None = None
    bad: str = ""
    total: str = ""
    min_events: int = 10
    probe: str = ""
    status: Status = Status.UNHEALTHY

    @property
    def step(self) -> float:
        """Seconds from one evaluation of a series to the next."""
        return EVERY if self.aggregate == "last" else self.window

    @property
    def patience(self) -> float:
        """Seconds without a sample after which a series counts as silent."""
        return 2.0 * max(self.window, self.step)


EVERY = 10.0
"""Seconds between evaluations."""


class IncidentState(StrEnum):
    """Where an incident stands; RESOLVED is also how things are before one."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    NO_DATA = "no_data"
    ERROR = "error"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble of one rule and label set. *since* the condition held, *fired_at* when `for` was over (None: not yet).

    *seen* is the time of the newest evaluation, *breached* of the newest one that held; the lowest bit of *history* says
    whether it fired at the newest of the last 21 evaluations. *notified_at* and *notices* tell what was queued for it, *told*
    to which channels, and from when on.
    """

    id: str
    rule_id: str
    key: str
    labels: Labels
    state: IncidentState
    severity: Severity
    since: float
    fired_at: float | None = None
    resolved_at: float | None = None
    value: float | None = None
    summary: str = ""
    acknowledged_by: str = ""
    acknowledged_at: float | None = None
    flapping: bool = False
    history: int = 0
    seen: float = 0.0
    breached: float = 0.0
    notified_at: float | None = None
    notices: int = 0
    told: tuple[tuple[str, float], ...] = ()

    @property
    def open(self) -> bool:
        """Whether it isn't over."""
        return self.state is not IncidentState.RESOLVED

    @property
    def changes(self) -> int:
        """How often it began or ended at the last 21 evaluations."""
        return ((self.history ^ (self.history >> 1)) & ((1 << 20) - 1)).bit_count()


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """An incident changed at *ts*; *before* and *after* are equal when only a flag did, and *reason* says which."""

    ts: float
    incident_id: str
    rule_id: str
    labels: Labels
    before: IncidentState
    after: IncidentState
    value: float | None = None
    reason: str = ""


class Silence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody is told of what *matchers* all fit (label ``rule`` is the rule's name) from *start* to *end* (None: until it
    resolves); *recurrence* repeats it in *zone*.
    """

    id: str
    matchers: tuple[Match, ...]
    start: float
    end: float | None
    author: str
    comment: str
    recurrence: str = ""
    zone: str = "UTC"


class IncidentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which incidents of the past: of a rule, a severity, a state; *search* is a part of a label value or the summary."""

    rule_id: str = ""
    severity: Severity | None = None
    state: IncidentState | None = None
    search: str = ""


class IncidentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents, the newest first, and how many there are in all."""

    incidents: list[Incident]
    total: int


def incident_key(rule_id: str, labels: Labels) -> str:
    """Identity of the trouble of one rule and label set."""
    text = "\0".join([rule_id, *(part for pair in sorted(labels) for part in pair)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
