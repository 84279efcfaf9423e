"""``/api/v1/annotations``: strict about what is announced, durable when it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx2
import pytest

from tests.unit.api.conftest import NOW, Api

PATH = "/api/v1/annotations"
JSON = {"content-type": "application/json"}


@pytest.fixture
def written(api: Api) -> Iterator[Api]:
    """With the writing thread, and nothing else, running."""
    stop = threading.Event()
    thread = threading.Thread(target=api.runtime.writer.run, args=(stop,), daemon=True)
    thread.start()
    yield api
    stop.set()
    api.runtime.writer.wake()
    thread.join(10)


def post(api: Api, content: bytes | str, **headers: str) -> httpx2.Response:
    return api.client.post(PATH, content=content, headers={**JSON, **headers})


def test_a_deploy_is_announced_and_read_back(written: Api) -> None:
    answer = post(written, '{"title": "v1.8.0", "service": "shop", "text": "Search anew"}')
    deploy = {"ts": NOW, "kind": "deploy", "title": "v1.8.0", "service": "shop", "text": "Search anew"}
    assert (answer.status_code, answer.json()) == (201, deploy)
    found = written.get(PATH, "from=now-1m&to=" + str(NOW + 1))
    assert found.json() == {"from": NOW - 60, "to": NOW + 1, "annotations": [deploy], "next": None}
    assert found.headers["cache-control"] == "no-store"
    question = "SELECT epoch(ts), service, release, text FROM perf.deploys"
    assert written.sql({"sql": question}).json()["rows"] == [[NOW, "shop", "v1.8.0", "Search anew"]]


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [("1699999000.5", 1_699_999_000.5), ('"now-5m"', NOW - 300), ('"2023-11-14T22:13:00Z"', NOW - 20)],
)
def test_the_time_may_be_given(written: Api, ts: str, seconds: float) -> None:
    answer = post(written, f'{{"title": "load test", "kind": "note", "ts": {ts}}}')
    assert (answer.status_code, answer.json()["ts"]) == (201, seconds)
    assert written.get(PATH, "from=now-1h").json()["annotations"] == [answer.json()]


def test_an_announced_release_is_not_noted_again(written: Api) -> None:
    post(written, '{"title": "v2", "service": "shop"}')
    written.runtime.releases.seen("shop", "v2", NOW + 5)
    assert len(written.get(PATH, f"to={NOW + 60}").json()["annotations"]) == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "not an annotation"),
        ("[]", "not an annotation"),
        ("{}", "missing required field `title`"),
        ('{"title": ""}', "length >= 1"),
        (f'{{"title": "{"x" * 201}"}}', "length <= 200"),
        (f'{{"title": "v", "text": "{"x" * 2001}"}}', "length <= 2000"),
        ('{"title": "v", "kind": "alert"}', "Invalid enum value 'alert'"),
        ('{"title": "v", "who": "me"}', "unknown field `who`"),
        ('{"title": "v", "ts": "yesterday"}', "not a time"),
        ('{"title": "v", "ts": 1e300}', "not a time"),
        ('{"title": "v", "ts": 1}', "would not be kept"),
        ('{"title": "v", "ts": "2023-11-16T00:00:00Z"}', "would not be kept"),
        (b'{"title": "\xff"}', "not an annotation"),
        ('{"title": "\\ud800"}', "not an annotation"),
    ],
)
def test_what_is_no_annotation_is_refused(api: Api, body: str | bytes, detail: str) -> None:
    answer = post(api, body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(api: Api, kind: str) -> None:
    answer = post(api, '{"title": "v1"}', **{"content-type": kind})
    assert (answer.status_code, answer.json()["detail"]) == (415, "send application/json")


def test_a_large_request_is_refused(api: Api) -> None:
    assert post(api, b" " * 10_001).status_code == 413


def test_unknown_parameters_and_methods_are_refused(api: Api) -> None:
    assert (
        api.get(PATH, "service=shop").json()["detail"] == "unknown parameter 'service'; known: cursor, from, limit, to"
    )
    assert api.client.post(PATH + "?from=now", content="{}", headers=JSON).status_code == 400
    assert api.client.delete(PATH).status_code == 405
