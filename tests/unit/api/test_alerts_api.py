"""``/api/v1/alerts``: rules, preview, files, incidents, silences; and the promised Python names over the same runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from perf import default
from perf.alerts import AlertChannel, AlertConfig, AlertManager, AlertRule, AlertSeverity
from perf.alerts.defaults import DEFAULTS
from perf.clock import ManualClock
from perf.model import AlertRule as Rule
from perf.model import Incident, Window
from perf.views.rules import UnknownAlert
from tests.unit.api.conftest import DEPTH, MAIL, NOW, Api

DEEP = {"name": "deep queue", "condition": "name == 'queue_depth' and value > 2", "severity": "high"}


@pytest.fixture
def writing(filled: Api) -> Iterator[Api]:
    """The filled store with its writing thread, and nothing else that runs."""
    stop = Event()
    thread = Thread(target=filled.runtime.writer.run, args=(stop,), daemon=True)
    thread.start()
    filled.writes = True
    yield filled
    stop.set()
    filled.runtime.writer.wake()
    thread.join(10)


def post(api: Api, path: str, body: object) -> tuple[int, Any]:
    answer = api.client.post(f"/api/v1/alerts/{path}", json=body)
    return answer.status_code, answer.json()


def fired(api: Api, clock: ManualClock) -> Incident:
    """The incident of DEEP after an evaluation that saw it."""
    assert post(api, "rules", DEEP)[0] == 201
    clock.move(1.0)
    api.runtime.evaluator.turn()
    return api.runtime.alerts.open()[0]


def test_a_rule_is_added_changed_and_dropped(writing: Api) -> None:
    status, rule = post(writing, "rules", DEEP | {"for": "5m"})
    assert (status, rule["for"], rule["name"]) == (201, "5m", "deep queue")
    assert post(writing, "rules", DEEP)[0] == 409
    path = f"/api/v1/alerts/rules/{rule['id']}"
    assert writing.client.put(path, json=DEEP | {"severity": "low"}).status_code == 200
    assert writing.client.get(path).json() == DEEP | {"id": rule["id"], "severity": "low"}
    assert writing.client.delete(path).status_code == 204
    assert writing.client.get(path).status_code == 404


def test_an_incident_says_what_keeps_it_quiet_and_is_called_by_its_rule_also_when_that_is_dropped(
    writing: Api, clock: ManualClock
) -> None:
    one = fired(writing, clock)
    alerts = writing.runtime.alerts
    assert post(writing, "rules", DEEP | {"name": "far too deep", "severity": "critical"})[0] == 201
    assert alerts.inhibited(one) == ""
    clock.move(10.0)
    writing.keep(DEPTH, one.labels, {10.5: 9.0})
    writing.runtime.evaluator.turn()
    quiet = {alerts.rules.one(each.rule_id).name: alerts.inhibited(each) for each in alerts.open()}
    assert quiet == {"far too deep": "", "deep queue": "far too deep"}
    alerts.rules.drop(one.rule_id, author="test")
    assert alerts.rules.past_name(one.rule_id) == "deep queue (dropped)"
    assert alerts.rules.past_name("never-there") == "never-there"


def test_a_broken_rule_has_not_fired(writing: Api, clock: ManualClock) -> None:
    writing.runtime.store.alerts.put_rule(Rule(id="b", name="broken", condition="value > nope"), "test")
    clock.move(1.0)
    writing.runtime.evaluator.turn()
    (state,) = [one for one in writing.runtime.alerts.rules.states() if one.rule.id == "b"]
    assert (state.state, state.past.times, state.past.seconds) == ("error", 0, 0.0)
    assert writing.runtime.alerts.firings(Window(NOW - 60.0, NOW + 60.0)) == []


def test_a_default_that_is_dropped_is_as_it_was(writing: Api) -> None:
    path = f"/api/v1/alerts/rules/{DEFAULTS[0].id}"
    before = writing.client.get(path).json()
    assert writing.client.put(path, json=before | {"enabled": False}).json()["enabled"] is False
    assert writing.client.delete(path).status_code == 204
    assert writing.client.get(path).json() == before


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "x", "condition": "name == 'a' and value >> 1"}, "column"),
        ({"name": "x", "conditon": "value > 1"}, "did you mean 'condition'?"),
        ({"name": "x", "condition": "name == 'a' and value > 1", "message": "{password}"}, "no field 'password'"),
        ({"name": "x", "condition": "value > 1"}, "say which metric"),
        (DEEP | {"channels": ["slak"]}, "no channel 'slak'; known: "),
        (DEEP | {"escalation": [{"after": 60, "channels": ["slak"]}]}, "no channel 'slak'; known: "),
        (DEEP | {"on_error": "slak"}, "no channel 'slak'; known: "),
        (DEEP | {"window": "0s"}, "window: at least 1 s"),
        (DEEP | {"window": 1e-9}, "window: at least 1 s"),
        (DEEP | {"repeat": "0s"}, "repeat: at least 60 s"),
        (DEEP | {"repeat": -5}, "repeat: at least 60 s"),
        (DEEP | {"for": -5}, "for: a duration can't be negative"),
    ],
)
def test_a_rule_that_can_not_work_is_refused(writing: Api, rule: dict[str, Any], said: str) -> None:
    status, problem = post(writing, "rules", rule)
    assert (status, said in problem["detail"]) == (400, True), problem


def test_a_form_can_not_write(writing: Api) -> None:
    answer = writing.client.post("/api/v1/alerts/rules", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_preview_counts_what_would_have_fired(writing: Api) -> None:
    status, found = post(writing, "preview", {"rule": DEEP, "from": "now-1m"})
    assert (status, found["times"]) == (200, 1)
    assert {one["limit"] for one in found["alternatives"]} >= {2.0}


def test_a_file_is_compared_and_taken_whole_or_not_at_all(writing: Api) -> None:
    before = writing.get("/api/v1/alerts/export").text
    text = "rules:\n- name: deep queue\n  condition: name == 'queue_depth' and value > 2\n"
    status, found = post(writing, "import", {"yaml": text, "check": True})
    assert (status, [(one["verb"], one["name"]) for one in found["changes"]]) == (200, [("add", "deep queue")])
    assert writing.get("/api/v1/alerts/export").text == before
    broken = f"{text}- name: broken\n  condition: value >\n"
    assert post(writing, "import", {"yaml": broken})[0] == 400
    assert writing.get("/api/v1/alerts/export").text == before
    status, found = post(writing, "import", {"yaml": text, "drop": True})
    assert {one["verb"] for one in found["changes"]} == {"add", "change"}
    assert [rule.name for rule in writing.runtime.alerts.rules.all() if rule.enabled] == ["deep queue"]
    assert post(writing, "import", {"yaml": writing.get("/api/v1/alerts/export").text})[1]["changes"] == []


def test_older_clients_say_no_name(writing: Api, clock: ManualClock) -> None:
    path = f"/api/performance/alerts/{fired(writing, clock).id}"
    found = writing.client.post(f"{path}/acknowledge")
    assert (found.status_code, bool(found.json()["acknowledged_by"])) == (200, True)
    assert writing.client.post(f"{path}/resolve", json={"by": "Ada"}).json()["state"] == "resolved"
    assert writing.client.post(f"{path}/resolve", content="{}").status_code == 415


def test_what_fires_is_acknowledged_silenced_and_resolved(writing: Api, clock: ManualClock) -> None:
    incident = fired(writing, clock)
    path = f"incidents/{incident.id}"
    assert post(writing, f"{path}/acknowledge", {"by": " "})[0] == 400
    assert post(writing, f"{path}/acknowledge", {"by": "Ada"})[1]["acknowledged_by"] == "Ada"
    listed = writing.get("/api/v1/alerts/incidents").json()["incidents"]
    assert [(one["rule"], one["labels"], one["state"]) for one in listed] == [("deep queue", dict(MAIL), "firing")]
    silence = {"matchers": [{"label": "rule", "text": "deep queue"}], "author": "Ada", "end": NOW + 600}
    status, kept = post(writing, "silences", silence)
    assert (status, writing.runtime.alerts.silenced(incident) is not None) == (201, True)
    assert writing.client.delete(f"/api/v1/alerts/silences/{kept['id']}").status_code == 204
    assert post(writing, f"{path}/resolve", {"by": "Ada"})[1]["state"] == "resolved"
    assert post(writing, f"{path}/resolve", {"by": "Ada"})[0] == 404
    past = writing.get("/api/v1/alerts/incidents", "state=all&from=now-1h").json()
    assert [(one["id"], one["acknowledged_by"]) for one in past["incidents"]] == [(incident.id, "Ada")]
    assert writing.runtime.alerts.rules.states()[-1].past.times in (0, 1)


def test_a_rule_tells_what_it_did_in_seven_days(writing: Api, clock: ManualClock) -> None:
    fired(writing, clock)
    rules = writing.get("/api/v1/alerts/rules").json()["rules"]
    deep = next(rule for rule in rules if rule["name"] == "deep queue")
    assert (deep["state"], deep["open"], deep["last_7d"]["times"], sum(deep["last_7d"]["days"])) == ("firing", 1, 1, 1)


def test_firings_are_bands_for_charts(writing: Api, clock: ManualClock) -> None:
    fired(writing, clock)
    from perf.model import Window

    bands = writing.runtime.alerts.firings(Window(NOW - 100, NOW + 100))
    assert [(band.name, band.severity) for band in bands] == [("deep queue", AlertSeverity.HIGH)]


def test_a_test_of_a_channel_that_is_not_set_up_says_why(writing: Api) -> None:
    status, problem = post(writing, "test", {"channel": "slack"})
    assert status == 400
    assert "slack" in problem["detail"]


def test_the_promised_names_work_as_they_stand(writing: Api, clock: ManualClock, tmp_path: Path) -> None:
    default.install(writing.runtime)
    try:
        writing.keep(DEPTH, MAIL, {0: 90.0})
        rule = AlertRule(
            name="high_memory_usage",
            condition="name == 'queue_depth' and value > 85",
            severity=AlertSeverity.HIGH,
            channels=[AlertChannel.EMAIL, AlertChannel.WEBHOOK],
            message_template="High memory usage: {value:.1f}%",
            cooldown_minutes=15,
        )
        config = AlertConfig(
            smtp_host="localhost",
            smtp_port=587,
            smtp_username="perf",
            smtp_password="secret",
            email_to=["ops@example.org"],
            webhook_urls=["https://example.org/hook"],
            slack_webhook_url="https://hooks.example.org/x",
            alert_log_file=Path(tmp_path / "alerts.log"),
        )
        assert "secret" not in repr(config)
        manager = AlertManager(config)
        assert {"email", "webhook", "slack", "file", "log"} <= set(writing.runtime.alerts.channels())
        manager.add_rule(rule)
        assert "high_memory_usage" in {one.name for one in manager.rules()}
        clock.move(11.0)
        writing.runtime.evaluator.turn()
        alert_id = manager.active()[0].id
        assert manager.acknowledge(alert_id, by="Ada").acknowledged_by == "Ada"
        assert not manager.resolve(alert_id).open
        manager.remove_rule("high_memory_usage")
        with pytest.raises(UnknownAlert):
            manager.remove_rule("high_memory_usage")
    finally:
        default.install(None)
