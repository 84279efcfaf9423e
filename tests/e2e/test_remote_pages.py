"""Dashboards without a store: two of them over one owner, and what their pages say while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import data, kept, nav
from perf import default
from perf.api.app import build
from perf.clock import ManualClock
from perf.errors import RuleError, StoreAway
from perf.model import AlertRule, Incident, Kind, Metric, Sample, Status, Threshold
from perf.runtime import Runtime
from perf.settings import HealthSettings, Settings, StoreSettings
from perf.settings.remote import RemoteSettings
from tests.owners import NOTHING_MEASURED, TOKEN, Owner
from tests.services import eventually, free_port

NOW = 1_700_000_000.0
MAIN = Path(__file__).resolve().parents[2] / "dashboard" / "main.py"
PAGES = [entry.file for entry in nav.ENTRIES]
CPU, MEMORY, DISK = (Metric(f"{name}_usage_percent", unit="%", help=name) for name in ("cpu", "memory", "disk"))
PROBE = Metric("probe_status")
RULE = AlertRule(id="busy", name="busy", condition="name == 'cpu_usage_percent' and value > 20")


@pytest.fixture
def owner(tmp_path: Path, clock: ManualClock) -> Iterator[Owner]:
    """An owner that knows ten minutes of a machine."""
    found = Owner(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    samples = [
        sample
        for at in range(-600, 0, 5)
        for sample in (
            Sample(NOW + at, CPU, (), 30.0 + at / 60),
            Sample(NOW + at, MEMORY, (), 40.0),
            Sample(
                NOW + at, Metric("disk_read_bytes_total", Kind.COUNTER, "By"), (("device", "sda"),), 4096.0 * at + 1e7
            ),
        )
    ]
    samples += [Sample(NOW - 5, DISK, (("mount", mount),), 50.0) for mount in ("/", "/data")]
    samples += [Sample(NOW - 5, PROBE, (("probe", name),), 0.0) for name in ("store", "disk")]
    found.runtime.writer.submit(samples).result(30)
    yield found
    found.close()


def dashboard(url: str, clock: ManualClock, name: str) -> Runtime:
    """A process's runtime that asks the owner at *url*."""
    store = StoreSettings(backend="remote", url=url, token=TOKEN, remote=RemoteSettings(instance=name))
    settings = Settings(store=store, sources=NOTHING_MEASURED, health=HealthSettings(timeout=60.0))
    found = Runtime(settings, clock)
    found.start("http://127.0.0.1:1")
    return found


@pytest.fixture
def first(owner: Owner, clock: ManualClock) -> Iterator[Runtime]:
    yield from _shown(dashboard(owner.url, clock, "first"))


@pytest.fixture
def second(owner: Owner, clock: ManualClock) -> Iterator[Runtime]:
    found = dashboard(owner.url, clock, "second")
    yield found
    found.stop()


def _shown(runtime: Runtime) -> Iterator[Runtime]:
    default.install(runtime)
    kept.forget()
    yield runtime
    default.install(None)
    runtime.stop()
    kept.forget()


def opened(page: str = "overview") -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.user = {"is_logged_in": False}
    app.run()
    if page != "overview":
        app.switch_page(f"../pages/{page}.py").run()
    return app


def answer(app: AppTest) -> str:
    return next(html.value for html in app.main.html if "perf-answer" in html.value and "<p" in html.value)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_over_an_owner_elsewhere(first: Runtime, page: str) -> None:
    app = opened(page)
    assert (list(app.exception), list(app.error), list(app.warning)) == ([], [], [])
    assert app.main.markdown[0].value == f"## {next(entry.title for entry in nav.ENTRIES if entry.file == page)}"


def test_overview_tells_of_the_owners_machine_and_health(first: Runtime) -> None:
    assert ">Healthy.</strong> CPU 29.9 %, memory 40 %, the fullest disk 50 %." in answer(opened())
    owner_check = next(one for one in first.health.check().results if one.name == "owner")
    assert (owner_check.status, owner_check.message) == (Status.HEALTHY, "answers, and its 2 probes are healthy")


def test_what_the_owners_probes_say_is_told_here(owner: Owner, first: Runtime, clock: ManualClock) -> None:
    owner.runtime.writer.submit([Sample(NOW, PROBE, (("probe", "disk"),), 3.0)]).result(30)
    clock.move(1.5)
    health = first.health.check(fresh=True)
    assert (health.status, health.sentence) == (Status.UNHEALTHY, "owner: disk is unhealthy.")


def test_a_threshold_changed_on_one_dashboard_holds_on_the_other(
    owner: Owner, first: Runtime, second: Runtime, clock: ManualClock
) -> None:
    assert second.thresholds()["cpu_usage_percent"] == Threshold(80.0, 95.0)
    app = opened()
    app.sidebar.number_input(key="above_cpu").set_value(15.0).run()
    app.sidebar.button(key="apply_thresholds").click().run()
    assert list(app.exception) == []
    clock.move(1.0)
    assert second.thresholds()["cpu_usage_percent"].warning == 15.0
    assert owner.runtime.thresholds()["cpu_usage_percent"].warning == 15.0
    assert second.store.changes()[0].author == "local"


def test_thresholds_that_the_owner_is_configured_with_hold_everywhere(tmp_path: Path, clock: ManualClock) -> None:
    owner = Owner(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    owner.runtime.settings = msgspec.structs.replace(owner.runtime.settings, thresholds={"queue": Threshold(1.0)})
    found = dashboard(owner.url, clock, "x")
    try:
        assert found.thresholds() == {"queue": Threshold(1.0)}
    finally:
        found.stop()
        owner.close()


def fired(owner: Owner, clock: ManualClock) -> Incident:
    """An incident that the owner's evaluation knows of."""
    assert owner.runtime.evaluator is not None
    owner.runtime.alerts.rules.save(RULE, author="test")
    for _ in range(30):
        owner.runtime.writer.submit([Sample(clock.now(), CPU, (), 50.0)]).result(30)
        clock.move(10.0)
        owner.runtime.evaluator.turn()
        found = [one for one in owner.runtime.alerts.open() if one.rule_id == RULE.id]
        if found:
            return found[0]
    raise AssertionError("nothing fired")


def test_an_incident_acknowledged_on_one_dashboard_is_so_everywhere(
    owner: Owner, first: Runtime, second: Runtime, clock: ManualClock
) -> None:
    incident = fired(owner, clock)
    clock.move(1.0)
    assert [one.id for one in first.alerts.open() if one.rule_id == RULE.id] == [incident.id]
    assert first.alerts.acknowledge(incident.id, by="Ann").acknowledged_by == "Ann"
    clock.move(1.0)
    for runtime in (owner.runtime, first, second):
        (seen,) = [one for one in runtime.alerts.open() if one.rule_id == RULE.id]
        assert (seen.id, seen.acknowledged_by) == (incident.id, "Ann")
    second.alerts.resolve(incident.id, by="Bob")
    with pytest.raises(RuleError, match="no open incident"):
        first.desk().resolve(incident.id, "Ann")


def test_channels_and_rules_are_the_owners(owner: Owner, first: Runtime) -> None:
    assert first.alerts.channels() == owner.runtime.alerts.channels()
    assert "log" in first.alerts.channels()
    first.alerts.rules.save(RULE, author="Ann")
    assert RULE in owner.runtime.alerts.rules.all()


def test_live_charts_poll_their_own_process(first: Runtime) -> None:
    with TestClient(build(first), base_url="http://127.0.0.1") as client:
        found = client.get("/api/v1/query", params={"query": "cpu_usage_percent", "from": NOW - 60, "to": NOW})
    assert found.json()["series"][0]["v"][-1] == pytest.approx(29.9167)


def test_only_its_own_are_its_threads_and_its_measurements(owner: Owner, first: Runtime) -> None:
    assert {beat.name for beat in first.beats()} == {"writer", "sampler", "health", "drain"}
    assert first.health.get_liveness_check()["alive"]
    assert first.health.get_readiness_check()["ready"]
    first._submit([Sample(NOW, Metric("mine"), (("a", "b"),), 1.0)])
    first.writer.submit([]).result(30)
    found = [info.labels for info in owner.runtime.store.series() if info.metric.name == "mine"]
    assert found == [(("a", "b"), ("instance", "first"))]


def test_while_the_owner_is_away_a_page_says_so_and_comes_back(tmp_path: Path, clock: ManualClock) -> None:
    settings = StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    runtimes = _shown(dashboard(url, clock, "x"))
    runtime = next(runtimes)  # starts without an owner
    app = opened("trends")
    assert list(app.exception) == []
    said = answer(app)
    assert "The data can't be asked for now." in said
    assert f"no answer from {url.removeprefix('http://')}" in said
    assert not app.sidebar.number_input
    with pytest.raises(StoreAway):
        data.known()
    assert runtime.health.check(fresh=True).status is Status.UNHEALTHY
    assert runtime.health.get_readiness_check()["ready"]
    owner = Owner(settings, clock, port=port)
    clock.move(6.0)
    app.run()
    assert (list(app.exception), list(app.error)) == ([], [])
    assert app.main.markdown[0].value == "## Trends"
    next(runtimes, None)
    owner.close()


def watched() -> list[str]:
    """What stands above an open page."""
    app = AppTest.from_string("from dashboard import away\naway.watch()", default_timeout=60).run()
    assert list(app.exception) == []
    return [one.value for one in app.warning]


def test_an_open_page_stays_and_says_that_its_owner_went_away(tmp_path: Path, clock: ManualClock) -> None:
    owner = Owner(StoreSettings(path=str(tmp_path / "perf.duckdb"), free_space_floor=0), clock)
    runtimes = _shown(dashboard(owner.url, clock, "x"))
    next(runtimes)
    assert watched() == []
    owner.close()
    clock.move(1.0)
    (said,) = watched()
    assert said.startswith("The owner of the store is away: ")
    assert said.endswith("What you see is from before; it goes on by itself.")
    next(runtimes, None)


def test_without_an_owner_nothing_is_waited_for_at_the_end(clock: ManualClock) -> None:
    found = dashboard("http://127.0.0.1:9", clock, "x")
    found.stop(grace=5.0)
    eventually(lambda: not any(thread.is_alive() for thread in found._threads))
