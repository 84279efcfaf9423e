"""The public face of running unattended, and the settings behind it."""

from __future__ import annotations

import gzip
import json
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from perf import production, settings
from perf.errors import SettingsError
from perf.production import ProductionConfig, ProductionManager, setup_production_environment
from perf.settings import Environment
from tests.services import environment, eventually, free_port, program


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No manager before, none left, signals as they were."""
    monkeypatch.chdir(tmp_path)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    while production._managers:
        production._managers.pop().stop()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_the_documented_config_is_taken_as_it_stands() -> None:
    config = ProductionConfig(
        environment="production",
        debug_mode=False,
        log_level="WARNING",
        session_cleanup_enabled=True,
        session_max_age_hours=24,
        max_memory_mb=2048,
        max_cpu_percent=80,
    )
    assert config == ProductionConfig()
    found = config.applied(settings.load(environ={}))
    assert found.environment is Environment.PRODUCTION
    assert (found.production.max_memory, found.production.max_cpu_percent) == (2 * 2**30, 80.0)
    assert found.production.session_max_age == 86_400.0
    assert found.logs.level == "WARNING"


def test_settings_give_the_config_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERF_ENVIRONMENT", "production")
    monkeypatch.setenv("PERF_MAX_MEMORY_MB", "512")
    monkeypatch.setenv("PERF_HEALTH__TIMEOUT", "7s")
    manager = setup_production_environment()
    assert manager.config.environment == "production"
    assert (manager.config.max_memory_mb, manager.config.log_level) == (512.0, "WARNING")
    assert logging.getLogger("perf").level == logging.WARNING
    assert manager.health.plans["limits"].timeout == 7.0
    assert setup_production_environment() is manager


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ProductionConfig(environment="prod"), "environment: 'prod'; known: development, production, testing"),
        (ProductionConfig(session_max_age_hours=0), "session_max_age_hours: above 0, not 0"),
        (ProductionConfig(max_memory_mb=-1), "max_memory_mb and max_cpu_percent: 0"),
    ],
    ids=["environment", "age", "memory"],
)
def test_a_config_that_can_not_be_is_refused(config: ProductionConfig, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ProductionManager(config)
    assert production._managers == []


def test_the_health_port_tells_how_the_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PERF_HEALTH_PORT", str(port))
    monkeypatch.setenv("PERF_HEALTH__TIMEOUT", "60s")
    manager = setup_production_environment(ProductionConfig(max_memory_mb=100_000))
    with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=60) as answer:
        assert json.load(answer)["ready"]
    manager.limits.turn()
    with urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
        assert json.load(answer)["checks"]["limits"]["status"] == "healthy"
    with pytest.raises(HTTPError, match="404") as refused:
        urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60)
    refused.value.close()
    manager.stop()
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/health", timeout=60)


def test_a_health_port_that_others_reach_tells_them_the_state_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PERF_HEALTH_PORT", str(port))
    monkeypatch.setenv("PERF_HEALTH__TIMEOUT", "60s")
    monkeypatch.setenv("PERF_SERVER__HOST", "0.0.0.0")
    monkeypatch.setenv("PERF_ACCESS__HOSTS", "Shop.Example")
    setup_production_environment(ProductionConfig(max_memory_mb=100_000)).limits.turn()
    for path, word in (("health", "status"), ("health/ready", "ready"), ("health/live", "alive")):
        # As a kubelet asks, by address.
        asked = Request(f"http://127.0.0.1:{port}/{path}", headers={"Host": "192.0.2.7:8502"})
        with urlopen(asked, timeout=60) as answer:
            assert set(json.load(answer)) == {word, "timestamp"}
    with urlopen(
        Request(f"http://127.0.0.1:{port}/health", headers={"Host": "shop.example:8502"}), timeout=60
    ) as named:
        assert named.status == 200
    with pytest.raises(HTTPError, match="421") as refused:
        urlopen(Request(f"http://127.0.0.1:{port}/health", headers={"Host": "rebound.example"}), timeout=60)
    refused.value.close()


def test_a_start_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PERF_HEALTH_PORT", str(taken.getsockname()[1]))
        with pytest.raises(SettingsError, match="Address already in use"):
            setup_production_environment(ProductionConfig(max_memory_mb=100_000))
        eventually(lambda: not [one for one in threading.enumerate() if one.name == "perf-limits"])
    assert setup_production_environment(ProductionConfig(max_memory_mb=100_000)).config.max_memory_mb == 100_000


PROGRAM = """
import signal, sys, threading
from perf.monitoring import track_performance, start_performance_monitoring
from perf.production import setup_production_environment
if sys.argv[1] == "own":
    signal.signal(signal.SIGTERM, lambda *_: (print("own handler", flush=True), sys.exit(3)))
setup_production_environment()
start_performance_monitoring("shop")
@track_performance("checkout")
def checkout(): pass
checkout()
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(("handler", "code"), [("own", 3), ("none", -signal.SIGTERM)])
def test_a_signal_hands_over_what_was_recorded_and_then_does_what_it_did(
    tmp_path: Path, handler: str, code: int
) -> None:
    script, log, spool = tmp_path / "shop.py", tmp_path / "log", tmp_path / "spool"
    script.write_text(PROGRAM)
    env = environment(PERF_SEND__URL=f"http://127.0.0.1:{free_port()}", PERF_SEND__SPOOL=str(spool))
    with program([sys.executable, str(script), handler], env=env, log=log, cwd=tmp_path) as process:
        eventually(lambda: "ready" in log.read_text(), seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == code
    # Nobody listened: what was recorded waits in the spool.
    with closing(sqlite3.connect(spool)) as db:
        bodies = [gzip.decompress(body) for (body,) in db.execute("SELECT body FROM batch")]
    assert any(b"checkout" in body for body in bodies)
    assert ("own handler" in log.read_text()) == (handler == "own")


OLDER = {
    "PERF_PERFORMANCE_MONITORING": ("false", "record.enabled", False),
    "PERF_CACHING": ("off", "cache.memory_limit", 0),
    "PERF_REDIS_ENABLED": ("1", "cache.redis_enabled", True),
    "PERF_REDIS_HOST": ("cache.internal", "cache.redis_host", "cache.internal"),
    "PERF_REDIS_PORT": ("6380", "cache.redis_port", 6380),
    "PERF_ALERT_EMAIL": ("true", "alerts.channels", ("log", "email")),
    "PERF_ALERT_EMAIL_RECIPIENTS": ("a@x.org, b@x.org", "alerts.email.to", ("a@x.org", "b@x.org")),
    "PERF_ALERT_WEBHOOK_URLS": ("https://x.org/1", "alerts.webhook.urls", ("https://x.org/1",)),
    "PERF_HEALTH_PORT": ("8502", "production.health_port", 8502),
    "PERF_MAX_MEMORY_MB": ("2048", "production.max_memory", 2 * 2**30),
    "PERF_MAX_CPU_PERCENT": ("80", "production.max_cpu_percent", 80.0),
    "PERFORMANCE_CLEANUP_INTERVAL_MINUTES": ("5", "production.session_interval", 300.0),
    "PERFORMANCE_MAX_METRIC_HISTORY": ("10000", "store.queue_samples", 10_000),
}


@pytest.mark.parametrize("name", OLDER)
def test_an_older_name_is_read_as_its_setting_and_gives_way_to_it(name: str) -> None:
    text, key, value = OLDER[name]

    def found(**env: str) -> object:
        group, _, rest = key.partition(".")
        here: object = getattr(settings.load(environ=env), group)
        for word in rest.split("."):
            here = getattr(here, word)
        return here

    assert found(**{name: text}) == value != found()
    newer = "PERF_" + key.replace(".", "__").upper()
    plain = found()
    kept = ",".join(plain) if isinstance(plain, tuple) else str(plain)
    assert found(**{name: text, newer: kept}) == plain
    assert name in settings.origins(environ={name: text})[1]


def test_older_slow_limits_are_thresholds() -> None:
    found = settings.load(environ={"SLOW_API_THRESHOLD_MS": "500", "SLOW_DB_THRESHOLD_MS": "200"}).thresholds
    assert found["http_server_request_duration_seconds"].warning == 0.5
    assert found["db_client_operation_duration_seconds"].warning == 0.2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PERF_MAX_MEMORY_MB", "much", r"PERF_MAX_MEMORY_MB \(now PERF_PRODUCTION__MAX_MEMORY\): not a number: 'much'"),
        ("PERF_REDIS_ENABLED", "maybe", r"PERF_REDIS_ENABLED .*: true or false, not 'maybe'"),
        ("PERF_PRODUCTION__PAUSE", "25s", r"production.pause: 25 s leave nothing of production.grace, 25 s"),
        ("PERF_HEALTH_PORT", "70000", r"PERF_HEALTH_PORT .*: Expected `int` <= 65535"),
        ("PERFORMANCE_MAX_METRIC_HISTORY", "5", r"PERFORMANCE_MAX_METRIC_HISTORY .*: Expected `int` >= 1000"),
    ],
    ids=["number", "switch", "pause", "port", "history"],
)
def test_a_wrong_value_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings.load(environ={name: value})


def test_importing_it_starts_nothing() -> None:
    code = "import sys, threading, perf.production; print(threading.active_count(), 'uvicorn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
