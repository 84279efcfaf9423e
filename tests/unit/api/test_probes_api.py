"""``/api/v1/probes``, ``/uptime``, ``/score``, and what ``/health`` tells to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from perf.api.app import build
from perf.api.endpoint import PRINCIPAL
from perf.clock import ManualClock
from perf.model import Histogram, HistogramSample, Kind, Metric, ProbeResult, Status
from perf.model.access import NOBODY, Principal, Role
from perf.runtime import Runtime
from tests.emptystore import empty
from tests.services import eventually
from tests.unit.api.conftest import NOW, PATIENT, Api, opened, quiet

OWN = ["store", "resources", "disk", "loops", "application", "heartbeat", "delivery"]
VIEWER = Principal(name="eva", via="key", scopes=Role.VIEWER.scopes)
HEALTH_JSON = "application/health+json"


class Asking:
    """Stands where the access middleware will: everybody is *who*."""

    def __init__(self, app: ASGIApp, who: Principal) -> None:
        self.app, self.who = app, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, PRINCIPAL: self.who}, receive, send)


@pytest.fixture
def shop(tmp_path: Path, clock: ManualClock) -> Iterator[Api]:
    """A runtime with two probes of its own kind: a file that is there, and what waits for one that isn't."""
    (tmp_path / "there").write_text("x", encoding="utf-8")
    probes = {
        "gone": {"kind": "data", "path": str(tmp_path / "gone"), "critical": False},
        "there": {"kind": "data", "path": str(tmp_path / "there"), "interval": "5m"},
        "behind": {"kind": "data", "path": str(tmp_path / "there"), "after": ["gone"]},
    }
    health = msgspec.structs.replace(PATIENT, probes=probes)
    settings = msgspec.structs.replace(quiet(empty(tmp_path / "perf.duckdb")), health=health)
    yield from opened(Runtime(settings, clock))


def as_asked_by(api: Api, who: Principal) -> TestClient:
    app = build(api.runtime)
    app.user_middleware.append(Middleware(Asking, who=who))
    return TestClient(app, base_url="http://127.0.0.1:8503", raise_server_exceptions=False)


def test_probes_are_listed_with_their_plans_and_results(shop: Api) -> None:
    body = shop.get("/api/v1/probes").json()
    found = {one["name"]: one for one in body["probes"]}
    assert list(found) == [*OWN, "gone", "there", "behind"]
    assert body["status"] == "degraded"
    assert (found["there"]["status"], found["there"]["kind"], found["there"]["interval"]) == ("healthy", "data", 300.0)
    assert (found["gone"]["status"], found["gone"]["critical"], found["gone"]["since"]) == ("unhealthy", False, NOW)
    assert (found["behind"]["status"], found["behind"]["message"]) == ("unknown", "not checked: gone is unhealthy")
    assert found["behind"]["after"] == ["gone"]


def test_one_probe_by_name(shop: Api) -> None:
    assert shop.get("/api/v1/probes/there").json()["message"] == "not run yet"
    shop.get("/health")
    assert shop.get("/api/v1/probes/there").json()["evidence"]["bytes"] == 1.0


@pytest.mark.parametrize("path", ["probes/nobody", "probes/nobody/history"])
def test_an_unknown_probe_is_a_404_that_lists_the_known(shop: Api, path: str) -> None:
    answer = shop.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["detail"][:46]) == (404, "no probe 'nobody'; known: application, behind,")
    assert shop.client.post("/api/v1/probes/nobody/run").status_code == 404


def test_a_run_now_looks_again(shop: Api, tmp_path: Path) -> None:
    shop.get("/health")
    (tmp_path / "gone").write_text("x", encoding="utf-8")
    assert shop.get("/api/v1/probes/gone").json()["status"] == "unhealthy"
    ran = shop.client.post("/api/v1/probes/behind/run").json()["results"]
    assert [(one["name"], one["status"]) for one in ran] == [("behind", "healthy")]
    assert shop.get("/api/v1/probes/gone").json()["status"] == "healthy"
    everything = shop.client.post("/api/v1/probes/run").json()["results"]
    assert [one["name"] for one in everything] == [*OWN, "gone", "there", "behind"]


def said(at: float, status: Status) -> ProbeResult:
    return ProbeResult(name="there", status=status, message=f"is {status.value}", ts=NOW + at)


def test_history_tells_stretches_and_the_share_of_the_watched_time(shop: Api) -> None:
    shop.runtime.store.probes.keep(
        [said(-300, Status.HEALTHY), said(-200, Status.UNHEALTHY), said(-175, Status.HEALTHY)]
    )
    body = shop.get("/api/v1/probes/there/history", "from=now-10m").json()
    assert [(one["status"], one["start"] - NOW, one["end"] - NOW) for one in body["spells"]] == [
        ("healthy", -175.0, -25.0),
        ("unhealthy", -200.0, -175.0),
        ("healthy", -300.0, -200.0),
    ]
    assert body["uptime"] == pytest.approx(250 / 275)
    assert shop.get("/api/v1/probes/there/history", "from=now-10m&limit=1").json()["spells"] == body["spells"][:1]


def test_uptime_is_told_step_by_step_for_every_probe(shop: Api) -> None:
    shop.runtime.store.probes.keep([said(-120, Status.HEALTHY), said(-60, Status.UNHEALTHY)])
    body = shop.get("/api/v1/uptime", "from=now-2m&step=1m").json()
    assert (body["step"], [one["probe"] for one in body["probes"]]) == (60.0, [*OWN, "gone", "there", "behind"])
    there = body["probes"][-2]
    assert (there["ratio"], [cell["seconds"] for cell in there["cells"]]) == (
        0.5,
        [{"healthy": 60.0}, {"unhealthy": 60.0}],
    )
    assert body["probes"][0]["ratio"] is None
    assert shop.get("/api/v1/uptime", "from=now-1d").json()["step"] == 1800.0


@pytest.mark.parametrize("query", ["step=1us", "step=0s", "from=now&to=now-1h", "stop=1m"])
def test_what_makes_no_sense_is_a_400(shop: Api, query: str) -> None:
    assert shop.get("/api/v1/uptime", query).status_code == 400


def test_the_score_says_what_each_part_cost(api: Api) -> None:
    request = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s")
    for code, seconds in (("200", [0.1] * 95), ("500", [0.1] * 5)):
        sample = HistogramSample(NOW - 30, request, (("http_response_status_code", code),), Histogram.of(seconds))
        api.runtime.store.append([sample])
    api.keep(Metric("cpu_usage_percent", unit="%"), (), {-30: 85.0})
    body = api.get("/api/v1/score").json()
    parts = {part["name"]: (part["value"], round(part["cost"], 3)) for part in body["parts"]}
    # Points: 30 responses, 25 errors and 8 CPU of 63; 5 % errors are 4/9 of the way from 1 to 10 %, 85 % CPU is half way.
    assert parts["errors"] == (5.0, round(100 * 25 / 63 * 4 / 9, 3))
    assert parts["cpu"] == (85.0, round(100 * 8 / 63 / 2, 3))
    assert (parts["responses"][1], parts["database"]) == (0.0, (None, 0.0))
    assert body["value"] == pytest.approx(100 - 100 * 25 / 63 * 4 / 9 - 100 * 8 / 63 / 2)
    assert (body["grade"], [one["rated"] for one in body["ratings"]]) == ("good", ["poor", "needs improvement"])


def test_a_score_of_nothing_is_none(api: Api) -> None:
    body = api.get("/api/v1/score", "window=5m").json()
    assert (body["value"], body["grade"]) == (None, "")


def test_health_json_is_answered_to_who_asks_for_it(shop: Api) -> None:
    answer = shop.get("/health", accept=HEALTH_JSON)
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"], body["status"]) == (200, HEALTH_JSON, "warn")
    check = body["checks"]["there:bytes"][0]
    assert (check["observedValue"], check["status"], check["componentId"]) == (1.0, "pass", "there")
    assert body["checks"]["gone:responseTime"][0]["observedUnit"] == "s"
    assert body["checks"]["gone:responseTime"][0]["output"].endswith("is not there")
    assert "gone: " in body["output"]


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/html", f"{HEALTH_JSON};q=0", f"{HEALTH_JSON};q=0.5,application/json"]
)
def test_everybody_else_gets_the_usual_body(shop: Api, accept: str) -> None:
    answer = shop.get("/health", accept=accept)
    assert (answer.headers["content-type"], set(answer.json())) == (
        "application/json",
        {"status", "message", "timestamp", "checks"},
    )


def test_without_the_right_to_read_health_tells_the_state_only(shop: Api) -> None:
    anybody = as_asked_by(shop, NOBODY)
    assert anybody.get("/health").json() == {"status": "degraded", "timestamp": "2023-11-14T22:13:20.000Z"}
    assert anybody.get("/health", headers={"accept": HEALTH_JSON}).json() == {"status": "warn"}
    ready = anybody.get("/health/ready")
    assert (ready.status_code, set(ready.json())) == (503, {"ready", "timestamp"})
    assert set(anybody.get("/health/live").json()) == {"alive", "timestamp"}


def test_probes_are_for_who_may_read_and_running_them_for_who_may_operate(shop: Api) -> None:
    anybody, viewer = as_asked_by(shop, NOBODY), as_asked_by(shop, VIEWER)
    paths = ["probes", "probes/there", "probes/there/history", "uptime", "score"]
    assert [anybody.get(f"/api/v1/{path}").status_code for path in paths] == [401] * 5
    assert [viewer.get(f"/api/v1/{path}").status_code for path in paths] == [200] * 5
    for path in ("probes/run", "probes/there/run"):
        assert (anybody.post(f"/api/v1/{path}").status_code, viewer.post(f"/api/v1/{path}").status_code) == (401, 403)


def test_a_running_owner_keeps_what_its_probes_say_and_the_score(api: Api, clock: ManualClock) -> None:
    api.keep(Metric("cpu_usage_percent", unit="%"), (), {-30: 85.0})
    api.runtime.start()

    def kept() -> bool:
        clock.move(5.0)
        names = {info.metric.name for info in api.runtime.store.series()}
        spells = api.get("/api/v1/probes/loops/history").json()["spells"]
        return bool(spells) and {"probe_status", "health_score", "health_score_cost"} <= names

    eventually(kept, seconds=60.0, every=0.2)
