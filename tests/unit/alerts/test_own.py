"""Alerting's own metrics, of a real evaluator and sender."""

from __future__ import annotations

from perf.alerts.channels.port import ChannelError
from perf.alerts.evaluator import Evaluator
from perf.alerts.own import AlertSource
from perf.alertsettings import AlertSettings
from perf.model import EVERY
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from tests.unit.alerts.test_outbox import T0, Case, incident, note


def told(source: AlertSource, ts: float) -> dict[str, float]:
    """Short name and labels -> value, of what isn't zero or tells of a gauge."""
    found = {}
    for sample in source.collect(ts):
        labels = ",".join(value for _, value in sample.labels)
        found[f"{sample.metric.name.removeprefix('perf_alert_')} {labels}".strip()] = sample.value
    return found


def test_it_counts_outcomes_and_tells_what_waits_until_it_is_empty() -> None:
    case = Case()
    store = MemoryStore(StoreSettings(backend="memory"), case.clock)
    evaluator = Evaluator(store, store.alerts.commit, AlertSettings(), case.clock)
    source = AlertSource(evaluator, case.sender, case.store)
    assert told(source, T0) == {}
    case.queue(
        note(1),
        note(2, at=T0 + 90.0),
        note(3, at=T0 + 1.0, id="i3.1.x"),
        incidents=(incident(3, acknowledged_by="me"),),
    )
    case.channel.error = ChannelError("down")
    case.turn(1.0)
    found = told(source, T0 + 2.0)
    assert found.pop("outbox_age_seconds x") == 2.0
    assert found == {
        "deliveries_total x,delivered": 0.0,
        "deliveries_total x,retry": 1.0,
        "deliveries_total x,dead": 0.0,
        "deliveries_total x,cancelled": 1.0,
        "outbox_notifications x": 2.0,
    }
    case.channel.error = ChannelError("status 404", permanent=True)
    case.turn(120.0)
    case.turn(1.0)
    evaluator.turn()
    found = told(source, T0 + 130.0)
    assert found["deliveries_total x,dead"] == 2.0
    assert (found["outbox_notifications x"], found["outbox_age_seconds x"]) == (0.0, 0.0)
    assert 0.0 <= found["evaluation_seconds"] < EVERY
