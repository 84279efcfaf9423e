"""``/api/v1/store/alerts/...``: what alerting remembers, for processes elsewhere, and people there who look after incidents."""

from __future__ import annotations

from collections.abc import Callable

from perf.api.endpoint import Endpoint
from perf.api.stores import WINDOW, asked, change, known
from perf.model import AlertRule, DeliveryPage, Incident, IncidentPage, Queued, Silence, Step, Tally, Waiting
from perf.ports import AlertStore
from perf.runtime import Runtime
from perf.views.writes import written
from perf.wire import questions


def _change(runtime: Runtime, act: Callable[[AlertStore], None]) -> None:
    alerts = runtime.store.alerts
    written(runtime.writer, lambda: act(alerts), "alerts")


def _dropped(runtime: Runtime, given: questions.One) -> list[AlertRule]:
    """One or none."""
    found = runtime.store.alerts.dropped(given.id)
    return [] if found is None else [found]


def _history(runtime: Runtime, given: questions.Past) -> IncidentPage:
    return runtime.store.alerts.history(given.window, given.limit, given.offset, given.wanted)


def _deliveries(runtime: Runtime, given: questions.Delivered) -> DeliveryPage:
    return runtime.store.alerts.deliveries(given.window, given.limit, given.offset)


_RULES = (
    '{"changes": {"long-queue": {"id": "long-queue", "name": "long queue", "metric": "queue_depth", '
    '"condition": "value > 100"}}, "author": "Ada"}'
)
_SILENCE = (
    '{"id": "0123456789ab", "matchers": [{"label": "rule", "text": "long queue"}], '
    '"start": 1800000000, "end": 1800003600, "author": "Ada", "comment": "mail server moves"}'
)
_ATTEMPTS = (
    '{"deliveries": [{"notification_id": "0123456789abcdef", "channel": "log", "attempt": 1, '
    '"ts": 1800000000, "outcome": "delivered"}]}'
)

ENDPOINTS: tuple[Endpoint, ...] = (
    known("alerts/rules", lambda runtime: runtime.store.alerts.rules(), list[AlertRule], "Every stored rule"),
    known("alerts/silences", lambda runtime: runtime.store.alerts.silences(), list[Silence], "Every silence"),
    known(
        "alerts/channels",
        lambda runtime: runtime.alerts.reachable(),
        dict[str, str],
        "Every channel, and why it can't be used",
    ),
    asked(
        "alerts/dropped",
        questions.One,
        _dropped,
        list[AlertRule],
        "A rule that is forgotten, as it was last",
        example='{"id": "my-queue"}',
    ),
    asked(
        "alerts/incidents",
        questions.Open,
        lambda runtime, given: runtime.store.alerts.incidents(open_only=given.open_only),
        list[Incident],
        "Open incidents",
        example='{"open_only": true}',
    ),
    asked(
        "alerts/history",
        questions.Past,
        _history,
        IncidentPage,
        "Incidents of a window",
        example=f'{{"window": {WINDOW}, "limit": 10, "wanted": {{"severity": "high"}}}}',
    ),
    asked(
        "alerts/due",
        questions.Due,
        lambda runtime, given: runtime.store.alerts.due(given.now, given.limit),
        list[Queued],
        "What waits to be sent",
        example='{"now": 1800000000, "limit": 10}',
    ),
    asked(
        "alerts/tallies",
        questions.Tallied,
        lambda runtime, given: runtime.store.alerts.tallies(given.window),
        list[Tally],
        "How attempts to deliver ended",
        example=f'{{"window": {WINDOW}}}',
    ),
    asked(
        "alerts/waiting",
        questions.Outbox,
        lambda runtime, given: runtime.store.alerts.waiting(given.now),
        list[Waiting],
        "What waits in the outbox, by channel",
        example='{"now": 1800000000}',
    ),
    asked(
        "alerts/deliveries",
        questions.Delivered,
        _deliveries,
        DeliveryPage,
        "Attempts to deliver",
        example=f'{{"window": {WINDOW}, "limit": 10}}',
    ),
    change(
        "alerts/rules/change",
        questions.Rules,
        lambda runtime, given: _change(runtime, lambda to: to.change_rules(given.changes, given.author)),
        None,
        "Add, replace or forget rules: all or none",
        example=_RULES,
    ),
    change(
        "alerts/commit",
        Step,
        lambda runtime, step: _change(runtime, lambda to: to.commit(step)),
        None,
        "Store incidents and what is to be sent: all or nothing",
        example='{"silences": ["0123456789ab"]}',
    ),
    change(
        "alerts/silences/put",
        Silence,
        lambda runtime, silence: _change(runtime, lambda to: to.put_silence(silence)),
        None,
        "Add or replace a silence",
        example=_SILENCE,
    ),
    change(
        "alerts/silences/drop",
        questions.One,
        lambda runtime, given: _change(runtime, lambda to: to.drop_silence(given.id)),
        None,
        "Forget a silence",
        example='{"id": "0123456789ab"}',
    ),
    change(
        "alerts/record",
        questions.Attempts,
        lambda runtime, given: _change(runtime, lambda to: to.record(given.deliveries, given.next_at)),
        None,
        "Note attempts to deliver",
        example=_ATTEMPTS,
    ),
    change(
        "alerts/acknowledge",
        questions.Tended,
        lambda runtime, given: runtime.desk().acknowledge(given.id, given.by),
        Incident,
        "Somebody looks after an incident",
        example='{"id": "0123456789abcdef", "by": "Ada"}',
    ),
    change(
        "alerts/resolve",
        questions.Tended,
        lambda runtime, given: runtime.desk().resolve(given.id, given.by),
        Incident,
        "Somebody ends an incident",
        example='{"id": "0123456789abcdef", "by": "Ada"}',
    ),
)
