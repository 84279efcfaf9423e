"""Statistics of caches over HTTP, and invalidation that no other site can cause."""

from __future__ import annotations

import pytest

from perf.cache.cache import Cache
from perf.cache.tiers.memory import MemoryTier
from perf.clock import SystemClock
from tests.unit.api.conftest import Api

PATH = "/api/v1/cache/invalidate"


@pytest.fixture
def shop() -> Cache:
    """A cache of this process with three entries."""
    found = Cache(memory=MemoryTier(2**20, SystemClock()), namespace="api-shop")
    for key in ("user:1", "user:2", "other"):
        found.set(key, key, tags=("orders",))
    return found


def test_statistics_list_the_caches_of_this_process(api: Api, shop: Cache) -> None:
    shop.get("user:1")
    found = api.get("/api/v1/cache").json()["caches"]
    (mine,) = [one for one in found if one["name"] == "api-shop"]
    assert (mine["hits"], mine["sets"], mine["tiers"][0]["usage"]["entries"]) == (1, 3, 3)


@pytest.mark.parametrize(
    ("body", "forgotten", "left"),
    [
        ({"key": "user:1"}, 1, ["user:2", "other"]),
        ({"pattern": "user:*"}, 2, ["other"]),
        ({"tags": ["orders"]}, 0, []),
        ({"key": "user:1", "pattern": "oth*"}, 2, ["user:2"]),
    ],
)
def test_it_forgets_what_is_meant(
    api: Api, shop: Cache, body: dict[str, object], forgotten: int, left: list[str]
) -> None:
    answer = api.client.post(PATH, json={**body, "cache": "api-shop"})
    assert (answer.status_code, answer.json()) == (200, {"forgotten": forgotten})
    assert [key for key in ("user:1", "user:2", "other") if shop.get(key)] == left


def test_a_form_is_refused(api: Api, shop: Cache) -> None:
    answer = api.client.post(PATH, data={"key": "user:1"})
    assert answer.status_code == 415
    assert shop.get("user:1") == "user:1"


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"cache": "x"}, 400), ({"key": ""}, 400), ({"keys": "a"}, 400), ({"key": "a", "cache": "none"}, 404)],
)
def test_a_wrong_request_is_a_problem(api: Api, body: dict[str, object], status: int) -> None:
    answer = api.client.post(PATH, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_reading_does_not_invalidate(api: Api) -> None:
    assert api.client.get(PATH).status_code == 405
