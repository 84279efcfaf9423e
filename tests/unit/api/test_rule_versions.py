"""Rules carry a version: readers ask for what is new, writers change what they have seen."""

from __future__ import annotations

import httpx2
import pytest

from tests.unit.api.conftest import Api

PATH = "/api/v1/alerts/rules/mine"
RULE = {"name": "mine", "metric": "queue_depth", "condition": "value > 1"}


@pytest.fixture
def writing(api: Api) -> Api:
    api.runtime.start()
    return api


def put(api: Api, limit: int, **headers: str) -> httpx2.Response:
    rule = {**RULE, "condition": f"value > {limit}"}
    return api.client.put(PATH, json=rule, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_reader_that_has_it_gets_nothing(writing: Api) -> None:
    version = put(writing, 1).headers["etag"]
    found = writing.client.get(PATH, headers={"if-none-match": f'"other", W/{version}'})
    assert (found.status_code, found.content, found.headers["etag"]) == (304, b"", version)
    assert writing.client.get(PATH, headers={"if-none-match": '"other"'}).status_code == 200


def test_only_the_version_that_is_meant_is_replaced(writing: Api) -> None:
    first = put(writing, 1).headers["etag"]
    assert put(writing, 2, if_match=first).status_code == 200
    late = put(writing, 3, if_match=first)
    assert (late.status_code, late.json()["title"]) == (412, "It has changed since")
    assert writing.get(PATH).json()["condition"] == "value > 2"


def test_a_weak_tag_is_no_version_for_a_writer(writing: Api) -> None:
    version = put(writing, 1).headers["etag"]
    assert put(writing, 2, if_match=f"W/{version}").status_code == 412


def test_a_rule_is_added_only_where_there_is_none(writing: Api) -> None:
    assert put(writing, 1, if_none_match="*").status_code == 200
    assert put(writing, 2, if_none_match="*").status_code == 412
    assert put(writing, 2, if_match="*").status_code == 200


def test_only_the_version_that_is_meant_is_dropped(writing: Api) -> None:
    first = put(writing, 1).headers["etag"]
    put(writing, 2)
    assert writing.client.delete(PATH, headers={"if-match": first}).status_code == 412
    assert writing.client.delete(PATH).status_code == 204
    assert writing.client.delete(PATH).status_code == 404


def test_a_new_rule_says_where_it_is(writing: Api) -> None:
    made = writing.client.post("/api/v1/alerts/rules", json=RULE)
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1/alerts/rules/{made.json()['id']}")
    assert writing.get(made.headers["location"]).headers["etag"] == made.headers["etag"]
