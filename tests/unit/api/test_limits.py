"""Rate limits: a bucket a client, told in the headers of the draft."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.api.limits import Buckets
from perf.clock import ManualClock
from perf.runtime import Runtime
from perf.settings.api import ApiSettings
from tests.unit.api.conftest import Api, opened, quiet


def test_a_bucket_is_emptied_and_refilled() -> None:
    clock = ManualClock()
    buckets = Buckets(ApiSettings(rate=2.0, burst=3), clock)
    taken = [buckets.take("a") for _ in range(4)]
    assert [one and one.wait for one in taken] == [0, 0, 0, 1]
    assert [one and one.remaining for one in taken] == [2, 1, 0, 0]
    clock.move(1.0)
    again = [buckets.take("a") for _ in range(3)]
    assert [one and one.wait for one in again] == [0, 0, 1]


def test_clients_do_not_share_a_bucket() -> None:
    buckets = Buckets(ApiSettings(rate=1.0, burst=1), ManualClock())
    assert [(one := buckets.take(name)) and one.wait for name in ("a", "b", "a")] == [0, 0, 1]


def test_without_a_rate_anything_goes() -> None:
    buckets = Buckets(ApiSettings(rate=0.0, burst=1), ManualClock())
    assert [buckets.take("a") for _ in range(3)] == [None, None, None]


@given(
    rate=st.floats(0.1, 1e4), burst=st.integers(1, 100), pauses=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=60)
)
def test_no_more_is_granted_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    clock = ManualClock()
    buckets = Buckets(ApiSettings(rate=rate, burst=burst), clock)
    granted = 0
    for pause in pauses:
        clock.move(pause)
        verdict = buckets.take("a")
        assert verdict is not None
        granted += verdict.wait == 0
    assert granted <= burst + rate * sum(pauses) + 1e-6


@pytest.fixture
def strict(tmp_path: Path, clock: ManualClock) -> Iterator[Api]:
    """Two requests at once, then one in two seconds."""
    settings = msgspec.structs.replace(quiet(tmp_path / "perf.duckdb"), api=ApiSettings(rate=0.5, burst=2))
    yield from opened(Runtime(settings, clock))


def test_too_many_requests_are_told_when_to_come_again(strict: Api, clock: ManualClock) -> None:
    first, second, third = (strict.get("/api/v1/series") for _ in range(3))
    assert (first.status_code, first.headers["ratelimit"]) == (200, '"client";r=1;t=2')
    assert first.headers["ratelimit-policy"] == '"client";q=2;w=4'
    assert (second.status_code, "retry-after" in second.headers) == (200, False)
    assert (third.status_code, third.headers["retry-after"], third.json()["title"]) == (429, "2", "Too many requests")
    clock.move(2.0)
    assert strict.get("/api/v1/series").status_code == 200


def test_pages_are_told_of_limits_when_they_meet_them(strict: Api) -> None:
    page = {"Sec-Fetch-Site": "same-origin"}
    first, _, third = (strict.get("/api/v1/series", **page) for _ in range(3))
    assert not {"ratelimit", "ratelimit-policy"} & first.headers.keys()
    assert (third.status_code, third.headers["retry-after"], third.headers["ratelimit"]) == (
        429,
        "2",
        '"client";r=0;t=4',
    )


def test_health_is_never_limited(strict: Api) -> None:
    answers = [strict.get("/health/live") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)
