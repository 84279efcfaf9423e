"""Alerting's memory, kept by an owner elsewhere, who also evaluates the rules and sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from perf.model import (
    AlertRule,
    Delivery,
    DeliveryPage,
    Incident,
    IncidentFilter,
    IncidentPage,
    Queued,
    Silence,
    Step,
    Tally,
    Waiting,
    Window,
)
from perf.store.remote.asking import Asking
from perf.store.remote.fresh import Fresh
from perf.wire import questions


class RemoteAlerts:
    """A `perf.ports.AlertStore` and `perf.ports.IncidentDesk` over HTTP. Every method raises StoreAway, StoreError."""

    def __init__(self, asking: Callable[[], Asking], fresh: Fresh) -> None:
        """*asking* finds the owner, or raises StoreClosed; *fresh* is forgotten after every change."""
        self._asking, self._fresh = asking, fresh

    def rules(self) -> list[AlertRule]:
        """Every rule, by name, as of a second ago at most."""
        asking = self._asking()
        return list(self._fresh.of("alerts/rules", lambda: asking.found("alerts/rules", list[AlertRule])))

    def put_rule(self, rule: AlertRule, author: str) -> None:
        """Add or replace *rule*."""
        self.change_rules({rule.id: rule}, author)

    def drop_rule(self, id: str, author: str) -> None:
        """Forget the rule *id*."""
        self.change_rules({id: None}, author)

    def change_rules(self, changes: Mapping[str, AlertRule | None], author: str) -> None:
        """Add, replace or forget rules: all of them or none."""
        self._done("alerts/rules/change", questions.Rules(changes=dict(changes), author=author))

    def dropped(self, id: str) -> AlertRule | None:
        """The rule *id*, which is forgotten, as it was last."""
        found: list[AlertRule] = self._asking().found("alerts/dropped", list[AlertRule], questions.One(id=id))
        return found[0] if found else None

    def incidents(self, *, open_only: bool = True) -> list[Incident]:
        """Those that are open, by time; otherwise also the last day's others. As of a second ago at most."""
        asking = self._asking()
        asked = questions.Open(open_only=open_only)
        key = f"alerts/incidents/{open_only}"
        return list(self._fresh.of(key, lambda: asking.found("alerts/incidents", list[Incident], asked)))

    def commit(self, step: Step) -> None:
        """Store all of *step* or nothing."""
        self._done("alerts/commit", step)

    def history(
        self, window: Window, limit: int = 50, offset: int = 0, wanted: IncidentFilter | None = None
    ) -> IncidentPage:
        """Incidents of *window*, the newest first."""
        asked = questions.Past(window=window, limit=limit, offset=offset, wanted=wanted)
        return self._asking().found("alerts/history", IncidentPage, asked)

    def silences(self) -> list[Silence]:
        """Every silence, by start, as of a second ago at most."""
        asking = self._asking()
        return list(self._fresh.of("alerts/silences", lambda: asking.found("alerts/silences", list[Silence])))

    def put_silence(self, silence: Silence) -> None:
        """Add or replace *silence*."""
        self._done("alerts/silences/put", silence)

    def drop_silence(self, id: str) -> None:
        """Forget the silence *id*."""
        self._done("alerts/silences/drop", questions.One(id=id))

    def due(self, now: float, limit: int = 100) -> list[Queued]:
        """What waits and whose time has come."""
        return self._asking().found("alerts/due", list[Queued], questions.Due(now=now, limit=limit))

    def record(self, deliveries: Sequence[Delivery], next_at: float | None = None) -> None:
        """Note attempts, all or none."""
        self._done("alerts/record", questions.Attempts(deliveries=tuple(deliveries), next_at=next_at))

    def deliveries(self, window: Window, limit: int = 50, offset: int = 0) -> DeliveryPage:
        """Attempts in *window*, the newest first."""
        asked = questions.Delivered(window=window, limit=limit, offset=offset)
        return self._asking().found("alerts/deliveries", DeliveryPage, asked)

    def tallies(self, window: Window) -> list[Tally]:
        """How many attempts in *window* had which outcome."""
        return self._asking().found("alerts/tallies", list[Tally], questions.Tallied(window=window))

    def waiting(self, now: float) -> list[Waiting]:
        """What waits in the outbox at *now*, by channel."""
        return self._asking().found("alerts/waiting", list[Waiting], questions.Outbox(now=now))

    def acknowledge(self, incident_id: str, by: str) -> Incident:
        """*by* looks after it, and the owner's evaluation knows. Raises: RuleError when it isn't open."""
        return self._tended("alerts/acknowledge", incident_id, by)

    def resolve(self, incident_id: str, by: str) -> Incident:
        """End it by hand. Raises: RuleError when it isn't open."""
        return self._tended("alerts/resolve", incident_id, by)

    def _tended(self, path: str, incident_id: str, by: str) -> Incident:
        found = self._asking().done(path, questions.Tended(id=incident_id, by=by), Incident)
        self._fresh.forget()
        assert found is not None  # noqa: S101 - an answer was asked for
        return found

    def _done(self, path: str, change: object) -> None:
        self._asking().done(path, change)
        self._fresh.forget()
