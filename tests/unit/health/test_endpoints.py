"""HTTP codes of the health bodies."""

from __future__ import annotations

import pytest

from perf.health import endpoints
from perf.health.result import verdict
from perf.model import ProbeResult, Status


@pytest.mark.parametrize(("status", "code"), [(Status.HEALTHY, 200), (Status.DEGRADED, 200), (Status.UNHEALTHY, 503)])
def test_only_unhealthy_answers_503(status: Status, code: int) -> None:
    found = verdict([ProbeResult(name="a", status=status, message="m", ts=0.0)], 0.0)
    assert endpoints.http_code(endpoints.health(found)) == code


@pytest.mark.parametrize("word", ["ready", "alive"])
def test_a_reason_against_answers_503(word: str) -> None:
    assert endpoints.http_code(endpoints.gate(word, [], 0.0)) == 200
    assert endpoints.http_code(endpoints.gate(word, ["no"], 0.0)) == 503
