"""``/api/v1/store``: who may ask, what is taken, and that nothing is stored twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest
import zstandard
from starlette.testclient import TestClient

from perf.access import passwords
from perf.api import store, storealerts
from perf.api.app import build, needs
from perf.api.needs import Rules
from perf.clock import ManualClock
from perf.model import RangeQuery, Sample, Selector, Window
from perf.model.access import Role, Scope
from perf.runtime import Runtime
from perf.settings import Settings, StoreSettings
from perf.settings.access import AccessSettings, User
from perf.wire import columns
from perf.wire.measurements import appended
from perf.wire.protocol import HEADER
from tests.emptystore import empty
from tests.unit.api.conftest import DEPTH, MAIL, NOW, Api, opened, quiet

MSGPACK = {"content-type": "application/msgpack"}
READ = {"queries": [RangeQuery(selector=Selector(DEPTH.name), window=Window(NOW - 60, NOW + 60), step=1.0)]}


@pytest.fixture
def api(tmp_path: Path, clock: ManualClock) -> Iterator[Api]:
    """An empty store whose writer runs."""
    runtime = Runtime(quiet(empty(tmp_path / "perf.duckdb")), clock)
    runtime.start()
    yield from opened(runtime)


def post(api: Api, path: str, body: object, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return api.client.post(
        f"/api/v1/store/{path}", content=content, headers={"content-type": "application/json", **headers}
    )


def sample(at: float, value: float) -> Sample:
    return Sample(NOW + at, DEPTH, MAIL, value)


def append(api: Api, seq: int, *samples: Sample, producer: str = "remote/a") -> httpx2.Response:
    return post(api, "append", appended(producer, seq, samples, ()), **MSGPACK)


def values(api: Api) -> list[float]:
    found = columns.unpacked_series(post(api, "read", READ).content, 1)
    return [value for series in found[0] for value in series.values.tolist()]


def test_what_is_sent_again_is_stored_once(api: Api) -> None:
    assert [append(api, seq, sample(seq, 10.0 + seq)).status_code for seq in (1, 2, 2, 1)] == [204] * 4
    assert append(api, 1, sample(3, 99.0), producer="remote/b").status_code == 204
    assert values(api) == [11.0, 12.0, 99.0]


def test_a_batch_that_can_not_be_stored_leaves_nothing(api: Api) -> None:
    refused = append(api, 1, sample(1, 1.0), Sample(-1.0, DEPTH, MAIL, 2.0))
    assert (refused.status_code, refused.json()["kind"]) == (500, "StoreError")
    assert values(api) == []
    assert append(api, 1, sample(1, 1.0)).status_code == 204
    assert values(api) == [1.0]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"content-type": "application/json"}, 415),
        (b"\xc1", MSGPACK, 400),
        (b"\x80" * 17_000_000, MSGPACK, 413),
        (b"x", {**MSGPACK, "content-encoding": "zstd"}, 400),
        (b"x", {**MSGPACK, "content-encoding": "br"}, 415),
        (zstandard.compress(bytes(20_000_000)), {**MSGPACK, "content-encoding": "zstd"}, 400),
    ],
    ids=["json", "garbage", "large", "not zstd", "brotli", "bomb"],
)
def test_what_is_no_batch_is_refused(api: Api, body: bytes, headers: dict[str, str], status: int) -> None:
    assert post(api, "append", body, **headers).status_code == status


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("read", {"queries": []}, "length >= 1"),
        ("sql", {"sql": "SELECT 1", "more": 1}, "unknown field `more`"),
        (
            "read",
            {"queries": [{"selector": {"metric": "a"}, "window": {"start": 2, "end": 1}, "step": 1}]},
            "start < end",
        ),
        (
            "read",
            {
                "queries": [
                    {
                        "selector": {"metric": "a", "tests": [{"label": "b", "text": "(", "pattern": True}]},
                        "window": {"start": 1, "end": 2},
                        "step": 1,
                    }
                ]
            },
            "a pattern knows",
        ),
        ("rows", {"window": {"start": 1, "end": 2}, "limit": 1_000_000}, "a page has 1 to"),
        ("alerts/rules/change", {"changes": {"a": {"id": "a"}}, "author": "x"}, "missing required field `name`"),
        ("alerts/acknowledge", {"id": "a", "by": ""}, "length >= 1"),
    ],
    ids=["no question", "unknown", "window", "pattern", "page", "rule", "nobody"],
)
def test_a_question_that_makes_no_sense_says_why(api: Api, path: str, body: object, said: str) -> None:
    answer = post(api, path, body, authorization=f"Bearer {api.runtime.token}")
    assert (answer.status_code, answer.json()["kind"]) == (400, "QueryError")
    assert said in answer.json()["detail"]


def test_a_question_is_json_of_bounded_size_without_parameters(api: Api) -> None:
    assert post(api, "rows", b" " * 1_000_001).status_code == 413
    assert post(api, "rows", b"{}", **{"content-type": "text/plain"}).status_code == 415
    assert api.get("/api/v1/store/series", "a=1").status_code == 400


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("Bearer right", 200), ("Bearer wrong", 401), ("Basic right", 401)]
)
def test_where_people_sign_in_others_show_the_owners_token(tmp_path: Path, token: str | None, status: int) -> None:
    access = AccessSettings(users={"ada": User(role=Role.VIEWER, hash=passwords.hashed("analytical"))})
    settings = Settings(store=StoreSettings(path=str(tmp_path / "x.duckdb"), token="right"), access=access)
    runtime = Runtime(settings)
    with TestClient(build(runtime), base_url="http://127.0.0.1") as client:
        found = client.get("/api/v1/store/about", headers={} if token is None else {"authorization": token})
    runtime.stop()
    assert found.status_code == status


def test_an_asker_of_another_version_is_told(api: Api) -> None:
    found = api.get("/api/v1/store/about", **{HEADER: "7"})
    assert (found.status_code, found.headers[HEADER]) == (409, "1")
    assert "you speak version '7', this owner version 1" in found.json()["detail"]


def test_a_process_without_a_store_sends_askers_on(tmp_path: Path) -> None:
    runtime = Runtime(Settings(store=StoreSettings(backend="remote", url="http://127.0.0.1:9")))
    with TestClient(build(runtime), base_url="http://127.0.0.1") as client:
        found = client.get("/api/v1/store/about")
    runtime.stop()
    assert found.status_code == 421
    assert "it asks http://127.0.0.1:9 itself" in found.json()["detail"]


def test_answers_are_compressed_for_who_takes_that(api: Api) -> None:
    append(api, 1, *(Sample(NOW, DEPTH, (("n", str(n)),), 1.0) for n in range(100)))
    plain, packed = (post(api, "read", READ, **{"accept-encoding": coding}) for coding in ("identity", "zstd, gzip"))
    assert packed.headers["content-encoding"] == "zstd"
    assert zstandard.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 5


def test_every_endpoint_says_who_may_ask() -> None:
    endpoints = (*store.ENDPOINTS, *storealerts.ENDPOINTS)
    needs = {(one.method, one.path): one.needs for one in endpoints}
    assert len(needs) == len(endpoints)
    assert {path for (_, path), scope in needs.items() if scope is Scope.INGEST} == {"/store/append"}
    changing = {path.removeprefix("/store/") for (_, path), scope in needs.items() if scope is Scope.OPERATE}
    assert changing == {
        "annotate",
        "maintain",
        "override",
        "alerts/acknowledge",
        "alerts/commit",
        "alerts/record",
        "alerts/resolve",
        "alerts/rules/change",
        "alerts/silences/drop",
        "alerts/silences/put",
    }


def test_statements_need_what_they_need_elsewhere(api: Api) -> None:
    statement = {"sql": "SELECT count(*) FROM api_keys"}
    assert Rules(needs()).rule("POST", "/api/v1/store/sql").needs is Scope.ADMIN
    assert post(api, "sql", statement).status_code == api.client.post("/api/v1/sql", json=statement).status_code == 401
    shown = post(api, "sql", statement, authorization=f"Bearer {api.runtime.token}")
    assert (shown.status_code, shown.json()["rows"]) == (200, [[0]])


@pytest.mark.parametrize("value", ["2", "{", '{"warning": 5, "critical": 1}'])
def test_a_threshold_that_is_none_is_refused_and_the_others_stay(api: Api, value: str) -> None:
    change = {"ts": NOW, "path": "thresholds.queue_depth", "value": value}
    refused = post(api, "override", change)
    assert refused.status_code == 400
    assert refused.json()["kind"] == "QueryError"
    assert refused.json()["detail"].startswith("thresholds.queue_depth: threshold ")
    assert api.client.get("/api/v1/store/thresholds").status_code == 200
    assert api.client.get("/api/v1/store/overrides").json() == {}


def test_the_document_says_whether_one_must_sign_in_whoever_asks(api: Api) -> None:
    key = {"authorization": f"Bearer {api.runtime.token}"}
    found = api.client.get("/api/openapi.json", headers=key).json()
    assert {} in found["paths"]["/api/v1/series"]["get"]["security"]
