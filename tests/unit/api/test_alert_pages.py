"""Pages of incidents and deliveries, whose rows often share a moment."""

from __future__ import annotations

import pytest

from perf.model import Delivery, Incident, IncidentState, Severity, Step
from tests.unit.api.conftest import NOW, Api

INCIDENTS, DELIVERIES = "/api/v1/alerts/incidents", "/api/v1/alerts/deliveries"


def incident(number: int, fired: float) -> Incident:
    return Incident(
        id=f"{number:016x}",
        rule_id="default-cpu",
        key=f"k{number}",
        labels=(("host", f"h{number}"),),
        state=IncidentState.RESOLVED,
        severity=Severity.HIGH,
        since=fired,
        fired_at=fired,
        resolved_at=NOW - 1,
    )


def pages(api: Api, path: str, query: str, name: str) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        body = api.get(path, query + (f"&cursor={cursor}" if cursor else "")).json()
        found.append([one.get("id") or f"{one['notification_id']} {one['attempt']}" for one in body[name]])
        cursor = body["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_incidents_of_one_moment_are_each_on_one_page(api: Api, limit: int) -> None:
    fired = [NOW - 60] * 4 + [NOW - 30] * 2 + [NOW - 10]
    api.runtime.store.alerts.commit(Step(incidents=tuple(incident(n, at) for n, at in enumerate(fired))))
    found = pages(api, INCIDENTS, f"state=all&limit={limit}", "incidents")
    assert [one for page in found for one in page] == [f"{n:016x}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert {len(page) for page in found[:-1]} <= {limit}


def test_a_new_incident_does_not_shift_the_pages_behind_it(api: Api) -> None:
    api.runtime.store.alerts.commit(Step(incidents=tuple(incident(n, NOW - 60 + n) for n in range(4))))
    first = api.get(INCIDENTS, "state=all&limit=2").json()
    api.runtime.store.alerts.commit(Step(incidents=(incident(9, NOW - 5),)))
    second = api.get(INCIDENTS, f"state=all&limit=2&cursor={first['next']}").json()
    assert [one["id"][-1] for page in (first, second) for one in page["incidents"]] == ["3", "2", "1", "0"]
    assert (second["total"], second["next"]) == (5, None)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_attempts_of_one_moment_are_each_on_one_page(api: Api, limit: int) -> None:
    tried = [("b", 1, NOW - 30), ("b", 2, NOW - 30), ("a", 1, NOW - 30), ("c", 1, NOW - 10), ("d", 1, NOW - 40)]
    rows = [
        Delivery(notification_id=name, channel="log", attempt=attempt, ts=ts, outcome="retry")
        for name, attempt, ts in tried
    ]
    api.runtime.store.alerts.record(rows, next_at=NOW)
    found = pages(api, DELIVERIES, f"limit={limit}", "deliveries")
    assert [one for page in found for one in page] == ["c 1", "a 1", "b 2", "b 1", "d 1"]
