from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from perf.clock import ManualClock
from perf.instrument.asgi import PerformanceMiddleware
from perf.record import Recorder
from perf.record.ending import at_ending, ending, without

done: list[str] = []


def save() -> None:
    done.append("saved")


def fail() -> None:
    raise OSError("no space")


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    done.clear()
    yield
    without(save)
    without(fail)


def test_everything_is_done_although_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    at_ending(fail)
    at_ending(save)
    ending()
    assert (done, "no space" in caplog.text) == (["saved"], True)


def test_a_server_that_shuts_down_is_heard_through_the_middleware(clock: ManualClock) -> None:
    at_ending(save)
    app = PerformanceMiddleware(Starlette(), Recorder(clock))
    with TestClient(app):
        assert done == []
    assert done == ["saved"]
