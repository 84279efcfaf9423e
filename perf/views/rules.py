"""Alert rules as people see and change them: what is in force, how each stands, and what it did."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec

from perf.alerts import defaults, files, templates
from perf.alerts.evaluator import BROKEN
from perf.alerts.files import Difference, RulesError
from perf.alerts.kinds import KINDS
from perf.alerts.preview import Preview, preview
from perf.clock import SystemClock
from perf.errors import PerfError, RuleError
from perf.model import NOTE, AlertRule, Incident, IncidentState, Window
from perf.model.alert import SYSTEM
from perf.plugins import CHANNELS
from perf.ports import Clock, MetricStore
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.store.writer import Writer
from perf.views.audit import AuditLog
from perf.views.writes import written

DAY = 86_400.0
DAYS = 7
MOST = 5_000
"""Incidents that are looked at for what rules did."""

SHORTEST_WINDOW, SHORTEST_REPEAT = 1.0, 60.0
"""Seconds: windows of less have no samples of their own, and reminders that come sooner are noise."""

NEAR = 300.0
"""What a note marks reaches so many seconds to both sides."""

Expected: TypeAlias = Callable[[AlertRule | None], bool]
"""Whether the rule that is there (None: there is none) is the one that somebody means to change."""

_WORST = (IncidentState.ERROR, IncidentState.FIRING, IncidentState.NO_DATA, IncidentState.PENDING)


class UnknownAlert(PerfError):
    """There is no rule, incident or silence of that id."""


class RuleChanged(PerfError):
    """A rule is not, or no longer, what whoever changes it takes it for."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule did in the last seven days: *times* it fired, *seconds* in all, and how often on each day, the oldest first."""

    times: int = 0
    seconds: float = 0.0
    days: tuple[int, ...] = (0,) * DAYS


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, how it stands (``off``, ``ok``, or the worst state of its open incidents), and what it did."""

    rule: AlertRule
    state: str
    open: tuple[Incident, ...]
    past: Past
    default: bool


class RuleBook:
    """The rules of one store. Every change is durable when it returns."""

    def __init__(self, store: MetricStore, writer: Writer, clock: Clock) -> None:
        self._store, self._alerts, self._writer, self._clock = store, store.alerts, writer, clock
        self._audit = AuditLog(store, writer, clock)

    def all(self) -> list[AlertRule]:
        """Every rule in force, by name: the stored ones, and the defaults that nobody changed."""
        return defaults.in_force(self._alerts.rules())

    def one(self, rule_id: str) -> AlertRule:
        """The rule *rule_id*. Raises: UnknownAlert."""
        found = next((rule for rule in self.all() if rule.id == rule_id), None)
        if found is None:
            raise UnknownAlert(f"no rule {rule_id!r}")
        return found

    def named(self, name: str) -> AlertRule:
        """The rule called *name*. Raises: UnknownAlert."""
        found = next((rule for rule in self.all() if rule.name == name), None)
        if found is None:
            raise UnknownAlert(f"no rule called {name!r}")
        return found

    def past_name(self, rule_id: str) -> str:
        """What a rule that is no more was called last; its id when nobody knows."""
        found = self._alerts.dropped(rule_id)
        return f"{found.name} (dropped)" if found is not None else rule_id

    def states(self) -> list[RuleState]:
        """Every rule with how it stands and what it did, by name."""
        now = self._clock.now()
        past = self._alerts.history(Window(now - DAYS * DAY, now), limit=MOST).incidents
        live = self._alerts.incidents()
        return [_stands(rule, live, past, now) for rule in self.all()]

    def save(self, rule: AlertRule, *, author: str, expected: Expected | None = None) -> None:
        """Add or replace *rule*, if what is there is as *expected*, whoever else changes it at the same time.

        Raises: QueryError, RuleError for one that can't work, RuleChanged, StoreError.
        """
        check(rule)
        if any(other.name == rule.name and other.id != rule.id for other in self.all()):
            raise RuleError(f"there is another rule called {rule.name!r}")

        before = next((other for other in self.all() if other.id == rule.id), None)
        self._changed(rule.id, expected, lambda: self._alerts.put_rule(rule, author), rule.name)
        self._note(before, rule, author)

    def drop(self, rule_id: str, *, author: str, expected: Expected | None = None) -> None:
        """Forget a rule; a default is as it was again. Raises: UnknownAlert, RuleChanged, StoreError."""
        rule = self.one(rule_id)
        self._changed(rule_id, expected, lambda: self._alerts.drop_rule(rule_id, author), rule.name)
        self._note(rule, None, author)

    def compared(self, source: str, *, drop: bool = False) -> list[Difference]:
        """What importing *source* would change, all of it checked; with *drop*, rules that it lacks go (a default is switched off).

        Raises: RulesError with everything that is wrong.
        """
        stored = self.all()
        given = files.identified(checked(source), stored)
        found = (_going(one) for one in files.difference(stored, given))
        return [one for one in found if one is not None and (drop or one.given)]

    def take(self, source: str, *, drop: bool = False, author: str) -> list[Difference]:
        """Import *source*: all of it, or nothing. What changed. Raises: RulesError, StoreError."""
        found = self.compared(source, drop=drop)
        if found:
            changes = {rule.id: one.after for one in found if (rule := one.after or one.before)}
            self._write(lambda: self._alerts.change_rules(changes, author), "rules")
            for one in found:
                self._note(one.before, one.after, author)
        return found

    def preview(self, rule: AlertRule, window: Window) -> Preview:
        """What *rule* would have done in *window*; notes in it mark what it should have told. Raises: QueryError, RuleError, TemplateError."""
        check(rule)
        notes = (one.ts for one in self._store.annotations(window) if one.kind == NOTE)
        marked = [Window(ts - NEAR, ts + NEAR) for ts in notes]
        return preview(self._store, rule, window, marked=marked)

    def export(self) -> str:
        """Every rule in force as YAML."""
        return files.text(self.all())

    def _changed(self, rule_id: str, expected: Expected | None, act: Callable[[], None], name: str) -> None:
        """Do *act* if the rule is as *expected*, on the writing thread, where nothing comes between. Raises: RuleChanged."""

        def turn() -> bool:
            present = next((rule for rule in self.all() if rule.id == rule_id), None)
            fits = expected is None or expected(present)
            if fits:
                act()
            return fits

        if not written(self._writer, turn, f"rule {name!r}"):
            raise RuleChanged(f"rule {rule_id!r} is not, or no longer, the version that is meant")

    def _note(self, before: AlertRule | None, after: AlertRule | None, author: str) -> None:
        rule = after or before
        if rule is not None and before != after:
            was, now = ("" if one is None else files.plain(one) for one in (before, after))
            action = "rule.drop" if after is None else "rule.save"
            self._audit.note(action, f"{rule.name} ({rule.id})", before=was, after=now, by=author)

    def _write(self, act: Callable[[], None], what: str) -> None:
        written(self._writer, act, what)


def check(rule: AlertRule) -> None:
    """Try *rule* on a store that holds nothing. Raises: QueryError, RuleError, TemplateError."""
    if not rule.name.strip():
        raise RuleError("a rule needs a name")
    _check_durations(rule)
    broken = () if rule.on_error == SYSTEM else (rule.on_error,)
    for channel in (*rule.channels, *broken, *(name for step in rule.escalation for name in step.channels)):
        if channel not in CHANNELS:
            raise RuleError(f"{rule.name}: no channel {channel!r}; known: {', '.join(sorted(CHANNELS))}")
    clock = SystemClock()
    now = clock.now()
    KINDS[rule.kind](rule, MemoryStore(StoreSettings(), clock), Window(now - DAY, now))
    templates.check(rule.message)


def _check_durations(rule: AlertRule) -> None:
    known = {"for": rule.for_seconds, "keep_firing": rule.keep_firing, "cooldown": rule.cooldown}
    for name, seconds in known.items():
        if not 0.0 <= seconds < math.inf:
            raise RuleError(f"{rule.name}: {name}: a duration can't be negative or without end")
    if not SHORTEST_WINDOW <= rule.window < math.inf:
        raise RuleError(f"{rule.name}: window: at least {SHORTEST_WINDOW:g} s")
    if rule.repeat is not None and not SHORTEST_REPEAT <= rule.repeat < math.inf:
        raise RuleError(f"{rule.name}: repeat: at least {SHORTEST_REPEAT:g} s")
    if any(not 0.0 < step.after < math.inf or not step.channels for step in rule.escalation):
        raise RuleError(f"{rule.name}: a step of the escalation comes after some time, and names channels")


def checked(source: str) -> list[AlertRule]:
    """The rules of a file, each able to work. Raises: RulesError with everything that is wrong."""
    rules = files.read(source)
    problems = [f"{rule.name}: {problem}" for rule in rules if (problem := _problem(rule))]
    if problems:
        raise RulesError(problems)
    return rules


def _problem(rule: AlertRule) -> str:
    try:
        check(rule)
    except PerfError as error:
        return str(error)
    return ""


def _going(one: Difference) -> Difference | None:
    """*one*, where a default that a file lacks is switched off instead of dropped: dropped it would come back."""
    if one.before is None or one.after is not None or not defaults.is_default(one.before.id):
        return one
    if not one.before.enabled:
        return None
    off = msgspec.structs.replace(one.before, enabled=False)
    return Difference(before=one.before, after=off, lines=("enabled: true -> false",), given=False)


def _stands(rule: AlertRule, live: Iterable[Incident], past: Iterable[Incident], now: float) -> RuleState:
    mine = tuple(one for one in live if one.rule_id == rule.id)
    worst = next((state.value for state in _WORST if any(one.state is state for one in mine)), "ok")
    return RuleState(
        rule=rule,
        state=worst if rule.enabled else "off",
        open=mine,
        past=_did([one for one in past if one.rule_id == rule.id], now),
        default=defaults.is_default(rule.id),
    )


def _did(incidents: Sequence[Incident], now: float) -> Past:
    """What *incidents* come to within the days before *now*; that a rule was broken is no firing."""
    first = now - DAYS * DAY
    days, times, seconds = [0] * DAYS, 0, 0.0
    for one in incidents:
        if one.fired_at is None or one.labels == BROKEN:
            continue
        seconds += max(0.0, (one.resolved_at or now) - max(one.fired_at, first))
        if one.fired_at >= first:
            times += 1
            days[min(DAYS - 1, int((one.fired_at - first) // DAY))] += 1
    return Past(times=times, seconds=seconds, days=tuple(days))
