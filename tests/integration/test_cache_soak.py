"""Half a minute of the chaos that ``make soak`` runs for ten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import redis_server
from tests.soak.chaos import Soak


@pytest.mark.timeout(180)
def test_every_promise_is_kept_under_faults(tmp_path: Path) -> None:
    redis_server()
    report = Soak(tmp_path, seed=3).run(30.0)
    assert not report.problems, report.text()
    assert report.did["requests"] > 1_000
    assert report.did["changes"] > 50
    assert sum(count for name, count in report.did.items() if name.startswith("fault ")) >= 5
