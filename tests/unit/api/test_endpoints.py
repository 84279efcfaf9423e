"""The table of endpoints: everything that answers is in it, is described by it, and is guarded by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from perf.api.app import endpoints, routes
from perf.api.endpoint import PRINCIPAL, Endpoint
from perf.api.needs import OURS
from perf.api.openapi import document
from perf.clock import ManualClock
from perf.model.access import NOBODY, Principal, Role, Scope
from perf.runtime import Runtime
from tests.unit.api.conftest import NOW, Api, opened, quiet

CATCHES = {"/api", "/health/{rest:path}", "/metrics/{rest:path}"}
"""Where there is nothing: a 404 instead of the dashboard's page."""


def leaves(found: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in found:
        if isinstance(route, Mount):
            assert isinstance(route.app, Starlette)
            yield from leaves(route.app.routes, prefix + route.path)
        else:
            assert isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, prefix + route.path


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all of this file: nothing here changes anything."""
    yield from opened(Runtime(quiet(tmp_path_factory.mktemp("endpoints") / "perf.duckdb"), ManualClock(NOW)))


def test_every_route_is_an_endpoint(api: Api) -> None:
    found = {(method, path) for method, path in leaves(routes(api.runtime)) if path not in CATCHES}
    assert found == {(one.method, one.url) for one in endpoints()} | {(one.method, one.path) for one in OURS}


def test_no_two_endpoints_answer_the_same() -> None:
    names = [(one.method, re.sub(r"\{\w+\}", "{}", one.url)) for one in endpoints()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda one: f"{one.method} {one.url}")
def test_what_is_said_of_an_endpoint_can_be_put_into_a_sentence(endpoint: Endpoint) -> None:
    assert not endpoint.summary.endswith(".")  # the guide goes on after it
    assert endpoint.media  # "Answers ..." names something


def test_the_document_has_every_endpoint_and_its_scope() -> None:
    found = document(endpoints(), open_to_all=False)["paths"]
    scopes = {(method.upper(), path): one["x-scope"] for path, item in found.items() for method, one in item.items()}
    assert scopes == {(one.method, one.url): one.needs.value for one in endpoints()}
    assert all("security" in found[one.url][one.method.lower()] for one in endpoints() if one.needs is not Scope.PUBLIC)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    whole = document(endpoints(), open_to_all=True)
    known = {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    waiting: list[object] = [whole]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            assert node.get("$ref", next(iter(known))) in known
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


class Asking:
    """Puts somebody into every request."""

    def __init__(self, app: ASGIApp, who: Principal) -> None:
        self._app, self._who = app, who

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        scope[PRINCIPAL] = self._who
        await self._app(scope, receive, send)


VIEWER = Principal(name="vic", via="password", scopes=Role.VIEWER.scopes)


@pytest.fixture(scope="module")
def bare(api: Api) -> Starlette:
    """The routes without the guard, which asks first."""
    return Starlette(routes=routes(api.runtime))


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda one: f"{one.method} {one.url}")
def test_nobody_and_a_viewer_get_only_what_is_theirs(bare: Starlette, endpoint: Endpoint) -> None:
    path = re.sub(r"\{\w+\}", "x", endpoint.url)
    for who, refused in ((NOBODY, 401), (VIEWER, 403)):
        if "text/event-stream" in endpoint.media and who.may(endpoint.needs):
            continue
        client = TestClient(Asking(bare, who), base_url="http://127.0.0.1", raise_server_exceptions=False)
        status = client.request(endpoint.method, path, follow_redirects=False).status_code
        assert (status == refused) == (not who.may(endpoint.needs)), status


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(api: Api) -> None:
    answer = api.get("/api/docs")
    found = _Links()
    found.feed(answer.text)
    assert {address for address in found.addresses if not address.startswith("#")} == {"docs.css", "openapi.json"}
    assert not found.tags & {"script", "style", "img", "iframe"}
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert api.get("/api/docs.css").headers["content-type"].startswith("text/css")
    assert all(f"<code>{one.url}</code>" in answer.text for one in endpoints())


@pytest.mark.parametrize("query", ["search=%ff", "search=%ed%a0%80", "%ff=1"])
def test_an_address_that_is_not_utf_8_is_refused(api: Api, query: str) -> None:
    answer = api.get("/api/v1/series", query)
    assert (answer.status_code, answer.json()["detail"]) == (400, "the address is not UTF-8")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("search=a%00b", "parameter 'search' holds a NUL"),
        ("search=" + "x" * 1_001, "parameter 'search' has at most 1,000 characters"),
        ("limit=0", "parameter 'limit' is a whole number from 1 to 1000, not '0'"),
        ("limit=1&limit=2", "parameter 'limit' may come only once"),
    ],
)
def test_a_parameter_must_be_what_the_document_says(api: Api, query: str, detail: str) -> None:
    answer = api.get("/api/v1/series", query)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


WRITING = [one for one in endpoints() if one.body and not one.url.endswith("/sql")]
"""SQL asks for the owner's token, which no other page has."""


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("endpoint", WRITING, ids=lambda one: f"{one.method} {one.url}")
def test_a_form_of_another_page_can_write_nothing(api: Api, endpoint: Endpoint, kind: str) -> None:
    path = re.sub(r"\{\w+\}", "cpu_usage_percent", endpoint.url)
    answer = api.client.request(endpoint.method, path, content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 415
