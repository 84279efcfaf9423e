"""Half a minute of the chaos that ``make soak`` runs for ten."""

from __future__ import annotations

import threading
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


def test_a_fault_that_goes_wrong_ends_the_soak(tmp_path: Path) -> None:
    class Wrong(Soak):
        def _faults(self, seconds: float) -> None:
            raise RuntimeError("wrong")

    redis_server()
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="wrong"):
        Wrong(tmp_path).run(1.0)
    assert not [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
