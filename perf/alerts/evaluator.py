"""Evaluates every rule as new samples come, keeps the incidents, and stores each change with what is to be sent for it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from perf.alerts import routing, templates
from perf.alerts.newest import Board
from perf.alerts.silences import over
from perf.alerts.step import Outcome, Seen, closed, step
from perf.alerts.watch import Watch
from perf.alertsettings import AlertSettings
from perf.errors import PerfError, RuleError
from perf.model import EVERY, AlertRule, Incident, Labels, Silence, Step, Transition
from perf.ports import Clock, MetricStore

LAG = 0.3
"""Seconds that the samples of an evaluation have to arrive."""
SAVED = 30.0
"""An open incident that does not change is stored this often (seconds): a restart forgets no more."""
SHARE = 100.0
"""Looking for late samples rests for so many times as long as it took: it takes a hundredth of a core at most."""
BROKEN: Labels = (("perf_problem", "rule"),)
"""Labels of the incident that a rule itself is."""

_DAY = 86_400.0
_NOTHING: Mapping[Labels, Incident] = {}
_log = logging.getLogger(__name__)


class Evaluator:
    """The live side of alerting. `turn` belongs to one loop; the rest may be called from any thread."""

    def __init__(
        self,
        store: MetricStore,
        commit: Callable[[Step], None],
        settings: AlertSettings,
        clock: Clock,
        *,
        rules: Callable[[], list[AlertRule]] | None = None,
    ) -> None:
        """Goes on from what *store* knows; *commit* stores a step and returns when it is durable, or raises. *rules* are those
        in force (default: the stored ones).
        """
        self._rules = rules or store.alerts.rules
        self._store = store
        self._commit = commit
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        self._board = Board()
        self._watches: dict[str, Watch] = {}
        self._held: dict[str, dict[Labels, Incident]] = {}
        self._recent: dict[str, Incident] = {}
        self._saved: dict[str, float] = {}
        self._ticked = -math.inf
        self._next = -math.inf
        self.seconds: float | None = None
        """How long the newest evaluation took."""
        for incident in store.alerts.incidents(open_only=False):
            self._adopt(incident)

    def turn(self) -> bool:
        """Evaluate what is due, and between two evaluations what came too late for the last one; whether somebody is to be told.

        Raises: StoreError when it can't be stored: then nothing has happened, and the next samples tell again.
        """
        now, began = self._clock.now(), self._clock.monotonic()
        tick = math.floor((now - LAG) / EVERY) * EVERY
        if tick > self._ticked or self._ticked > now:  # the clock may have been set back
            with self._lock:
                told = self._evaluate(tick, now, list)
            self.seconds = self._clock.monotonic() - began
            return told
        if began < self._next:
            return False
        with self._lock:
            return self._evaluate(tick, now, self._late)

    def incidents(self) -> list[Incident]:
        """Those that are open, by time."""
        with self._lock:
            return sorted((one for one in self._all() if one.open), key=lambda one: (one.since, one.id))

    def acknowledge(self, incident_id: str, by: str) -> Incident:
        """*by* looks after it: no more reminders. Raises: RuleError when it isn't open, StoreError."""
        with self._lock:
            before = self._find(incident_id)
            after = msgspec.structs.replace(before, acknowledged_by=by, acknowledged_at=self._clock.now())
            self._change(Outcome(after, (_told(after, self._clock.now(), f"acknowledged by {by}"),)))
            return after

    def resolve(self, incident_id: str, by: str) -> Incident:
        """End it by hand; it begins anew when the condition holds at the next evaluation. Raises: as `acknowledge`."""
        with self._lock:
            outcome = closed(self._find(incident_id), self._clock.now(), f"resolved by {by}")
            self._change(outcome)
            assert outcome.incident is not None  # noqa: S101 - what was closed is there
            return outcome.incident

    def _evaluate(self, tick: float, now: float, which: Callable[[Iterable[AlertRule]], list[AlertRule]]) -> bool:
        began = self._clock.monotonic()
        self._board.look(self._store.series(), tick)
        rules = {rule.id: rule for rule in self._rules() if rule.enabled}
        outcomes = list(self._ended(rules, tick))
        ended = {outcome.incident.id for outcome in outcomes if outcome.incident is not None}
        for rule in which(rules.values()):
            held = self._held.get(rule.id, _NOTHING)
            if ended:
                held = {labels: incident for labels, incident in held.items() if incident.id not in ended}
            for seen, at in self._seen(rule, tick, held):
                outcomes.append(step(rule, seen, held.get(seen.labels), at))
                if outcomes[-1].incident is None and rule.id in self._held:
                    self._held[rule.id].pop(seen.labels, None)
        # What is to be stored is worth its time.
        self._next = self._clock.monotonic() + SHARE * (self._clock.monotonic() - began)
        told = self._store_all(outcomes, now)
        self._ticked = tick
        return told

    def _late(self, rules: Iterable[AlertRule]) -> list[AlertRule]:
        """Those that were evaluated before, and that look at samples that came since."""
        watches = ((rule, self._watches.get(rule.id)) for rule in rules)
        return [rule for rule, watch in watches if watch is not None and watch.rule == rule and watch.late(self._board)]

    def _seen(self, rule: AlertRule, tick: float, held: Mapping[Labels, Incident]) -> Iterator[tuple[Seen, float]]:
        """What the newest evaluation of *rule* saw; a rule that can't be evaluated is an incident of its own."""
        try:
            found = list(self._watch(rule).seen(self._store, self._board, self._ticked, tick, _data(held)))
        except PerfError as error:
            found = [(Seen(tick, BROKEN, None, error=str(error)), tick)]
        except Exception as error:  # noqa: BLE001 - a thread's loop: one rule must not stop the others.
            _log.exception("rule %s can't be evaluated", rule.name)
            found = [(Seen(tick, BROKEN, None, error=f"{type(error).__name__}: {error}"), tick)]
        else:
            if BROKEN in held:
                found.append((Seen(tick, BROKEN, breach=False, cleared=True), tick))
        return iter(found)

    def _watch(self, rule: AlertRule) -> Watch:
        known = self._watches.get(rule.id)
        if known is None or (known.rule is not rule and known.rule != rule):
            self._watches[rule.id] = Watch(rule)
        return self._watches[rule.id]

    def _ended(self, rules: dict[str, AlertRule], now: float) -> Iterator[Outcome]:
        """Incidents of rules that are gone, switched off, or about something else now."""
        for rule_id, held in self._held.items():
            watch, rule = self._watches.get(rule_id), rules.get(rule_id)
            same = rule is None or watch is None or watch.rule is rule
            changed = not same and _about(watch.rule) != _about(rule)  # type: ignore[union-attr, arg-type]  # asked above
            if rule is None or changed:
                reason = "the rule was changed" if changed else "the rule was dropped or switched off"
                yield from (closed(incident, now, reason) for incident in held.values() if incident.open)
        for rule_id in [rule_id for rule_id in self._watches if rule_id not in rules]:
            del self._watches[rule_id]

    def _change(self, outcome: Outcome) -> None:
        self._store_all([outcome], self._clock.now())

    def _store_all(self, outcomes: list[Outcome], now: float) -> bool:
        """Store what *outcomes* and their notifications change, in one transaction; only then it is so. Whether there are any
        notifications.
        """
        transitions = [change for outcome in outcomes for change in outcome.transitions]
        rules = [*self._rules(), *self._dropped(transitions)]
        changed = _said(rules, (outcome.incident for outcome in outcomes if outcome.incident is not None))
        everything = {incident.id: incident for incident in (*self._recent.values(), *self._all())} | changed
        silences = self._store.alerts.silences()
        queued = routing.notifications(transitions, list(everything.values()), rules, silences, self._settings, now)
        ended = tuple(one.id for one in over(silences, rules, list(everything.values())))
        noted = {incident.id: incident for incident in routing.noted(everything.values(), queued, now)}
        moved = {change.incident_id for change in transitions} | set(noted)
        changed |= noted
        dirty = [one for one in changed.values() if one.id in moved or self._unsaved(one, now)]
        if dirty or queued or ended:
            whole = Step(
                incidents=tuple(dirty), transitions=tuple(transitions), notifications=tuple(queued), silences=ended
            )
            self._commit(whole)
            self._saved |= dict.fromkeys((one.id for one in dirty), now)
        for incident in changed.values():
            self._adopt(incident)
        self._forget(rules, silences, now)
        return bool(queued)

    def _forget(self, rules: Iterable[AlertRule], silences: Iterable[Silence], now: float) -> None:
        """Of what is over, keep what a cooldown or a silence "until resolved" still asks about."""
        cooling = {rule.id: rule.cooldown for rule in rules}
        since = max(now - _DAY, min((one.start for one in silences if one.end is None), default=now))
        self._recent = {
            id_: one
            for id_, one in self._recent.items()
            if (one.resolved_at or now) >= since
            or (one.notified_at is not None and now - one.notified_at < cooling.get(one.rule_id, 0.0))
        }

    def _dropped(self, transitions: Iterable[Transition]) -> Iterator[AlertRule]:
        """Rules that are no more, whose incidents end now: who was told that they fire is told of that, too."""
        for rule_id in {change.rule_id for change in transitions} - {rule.id for rule in self._rules()}:
            rule = self._store.alerts.dropped(rule_id)
            if rule is not None:
                yield rule

    def _unsaved(self, incident: Incident, now: float) -> bool:
        if incident.fired_at is None:
            return True  # pending, whose time must survive a restart; or it was, and is to leave no trace
        return incident.open and now - self._saved.get(incident.id, -math.inf) >= SAVED

    def _adopt(self, incident: Incident) -> None:
        """Go on from *incident*; of what is over, flapping needs the newest of each key."""
        held = self._held.setdefault(incident.rule_id, {})
        known = held.get(incident.labels)
        if incident.open or (incident.history and (known is None or known.since <= incident.since)):
            held[incident.labels] = incident
        elif known is not None and known.id == incident.id:
            del held[incident.labels]
        if not incident.open and incident.fired_at is not None:
            self._recent[incident.id] = incident
            self._saved.pop(incident.id, None)

    def _all(self) -> Iterable[Incident]:
        return (incident for held in self._held.values() for incident in held.values())

    def _find(self, incident_id: str) -> Incident:
        for incident in self._all():
            if incident.id == incident_id and incident.open:
                return incident
        raise RuleError(f"no open incident {incident_id!r}")


def _said(rules: Iterable[AlertRule], incidents: Iterable[Incident]) -> dict[str, Incident]:
    """*incidents* by their id, each with what its rule says of it."""
    known = {rule.id: rule for rule in rules}
    return {one.id: templates.said(known[one.rule_id], one) if one.rule_id in known else one for one in incidents}


def _data(held: Mapping[Labels, Incident]) -> Mapping[Labels, Incident]:
    if BROKEN not in held:
        return held
    return {labels: incident for labels, incident in held.items() if labels != BROKEN}


def _about(rule: AlertRule) -> tuple[object, ...]:
    """What makes *rule* another one when it changes."""
    return (rule.kind, rule.condition, rule.metric, rule.labels, rule.by, rule.aggregate) + (
        rule.objective,
        rule.bad,
        rule.total,
        rule.probe,
        rule.status,
    )


def _told(incident: Incident, ts: float, reason: str) -> Transition:
    return Transition(
        ts=ts,
        incident_id=incident.id,
        rule_id=incident.rule_id,
        labels=incident.labels,
        before=incident.state,
        after=incident.state,
        value=incident.value,
        reason=reason,
    )
