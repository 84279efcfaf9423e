"""``/health``, ``/health/ready``, ``/health/live`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from perf.clock import ManualClock
from perf.model import Metric
from tests.services import eventually
from tests.unit.api.conftest import Api

OPENMETRICS = "application/openmetrics-text"


def test_health_names_every_probe_with_its_evidence(api: Api) -> None:
    api.keep(Metric("cpu_usage_percent", unit="%"), (), {-10: 20.0, -5: 40.0})
    api.keep(Metric("memory_usage_percent", unit="%"), (), {-10: 10.0})
    answer = api.get("/health")
    body = answer.json()
    assert (answer.status_code, body["status"], body["timestamp"]) == (200, "healthy", "2023-11-14T22:13:20.000Z")
    assert tuple(body["checks"]) == ("store", "resources", "disk", "loops", "application", "heartbeat", "delivery")
    assert body["checks"]["resources"]["evidence"] == {"cpu_usage_percent": 30.0, "memory_usage_percent": 10.0}
    assert body["checks"]["resources"]["message"] == "CPU 30.0 %, memory 10.0 %"


def test_what_nobody_could_look_at_is_degraded_and_still_served(api: Api) -> None:
    answer = api.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["resources"]["status"] == "unknown"


def test_what_is_above_its_critical_limit_is_unhealthy_and_503(api: Api) -> None:
    api.keep(Metric("cpu_usage_percent", unit="%"), (), {-10: 99.0})
    api.keep(Metric("memory_usage_percent", unit="%"), (), {-10: 10.0})
    answer = api.get("/health")
    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "resources: CPU was 99.0 % on average over the last 60 s (limit 95 %).",
    )


def test_a_closed_store_is_unhealthy_in_words(api: Api) -> None:
    api.runtime.store.close()
    answer = api.get("/health")
    assert answer.status_code == 503
    assert answer.json()["checks"]["store"]["message"].startswith("the store can't be read: ")


@pytest.fixture
def started(api: Api) -> Iterator[Api]:
    """An interface whose threads run."""
    api.runtime.start()
    eventually(lambda: api.runtime.writer.stats().commits, seconds=60.0)
    yield api
    api.runtime.stop()


def test_before_the_first_commit_it_is_not_ready(api: Api) -> None:
    answer = api.get("/health/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["nothing has been stored yet"])


def test_ready_and_alive_once_something_is_stored(started: Api) -> None:
    ready, live = started.get("/health/ready"), started.get("/health/live")
    assert (ready.status_code, ready.json()["ready"], ready.json()["reasons"]) == (200, True, [])
    assert (live.status_code, live.json()["alive"]) == (200, True)


def test_a_loop_that_is_silent_for_long_is_dead(api: Api, clock: ManualClock) -> None:
    # No thread is started: none can turn after the clock was moved.
    assert api.get("/health/live").status_code == 200
    clock.move(1_000)
    answer = api.get("/health/live")
    assert answer.status_code == 503
    assert any(reason.startswith("loop sampler gave no sign of life for 1000 s") for reason in answer.json()["reasons"])


def test_shutting_down_is_not_ready_but_alive(started: Api) -> None:
    started.runtime.stop()
    assert started.get("/health/ready").json()["reasons"] == ["shutting down"]
    assert started.get("/health/live").status_code == 200


def test_metrics_are_prometheus_text_by_default(filled: Api) -> None:
    answer = filled.get("/metrics")
    families = {family.name: family for family in parse_text(answer.text)}
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert [sample.value for sample in families["queue_depth"].samples] == [4.0]
    assert [(s.name, s.labels, s.value) for s in families["jobs"].samples] == [("jobs_total", {"queue": "mail"}, 70.0)]


@pytest.mark.parametrize("accept", [OPENMETRICS, f"{OPENMETRICS};version=1.0.0;q=0.9,text/plain;q=0.1"])
def test_metrics_are_openmetrics_for_who_asks(filled: Api, accept: str) -> None:
    answer = filled.get("/metrics", accept=accept)
    families = {family.name: family for family in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]  # untyped
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert families["queue_depth"].documentation == "Jobs that wait."
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("accept", ["text/plain", "*/*", f"{OPENMETRICS};q=0", f"{OPENMETRICS};q=0.1,text/plain"])
def test_metrics_are_text_for_who_prefers_it(filled: Api, accept: str) -> None:
    assert filled.get("/metrics", accept=accept).headers["content-type"].startswith("text/plain")


def test_metrics_of_an_empty_store_are_an_empty_page(api: Api) -> None:
    assert api.get("/metrics").text == ""
    assert api.get("/metrics", accept=OPENMETRICS).text == "# EOF\n"


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live", "/metrics"])
def test_answers_are_never_cached_or_guessed(api: Api, path: str) -> None:
    headers = api.get(path).headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
