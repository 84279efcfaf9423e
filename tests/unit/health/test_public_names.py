"""The names that older programs import, used as they use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perf import default
from perf.clock import ManualClock
from perf.health import HealthChecker, get_health_checker
from perf.runtime import Runtime
from perf.settings import Settings, StoreSettings


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """The process's runtime, open but not started."""
    made = Runtime(Settings(store=StoreSettings(path=str(tmp_path / "perf.duckdb"))), ManualClock())
    default.install(made)
    yield made
    default.install(None)
    made.stop()


def test_the_checker_of_the_process_answers(runtime: Runtime) -> None:
    checker = get_health_checker()
    assert isinstance(checker, HealthChecker)
    assert checker is runtime.health
    assert checker.run_all_checks().status.value in ("healthy", "degraded", "unhealthy")
    assert set(checker.get_health_endpoint_response()) == {"status", "message", "timestamp", "checks"}
    assert checker.get_liveness_check()["alive"] is True
    assert checker.get_readiness_check()["ready"] is False
