"""Every example of the guide, run with curl against a real server; and schemathesis on the OpenAPI document of the same server."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from perf.api.app import endpoints
from perf.api.docs import ADDRESS, curl
from perf.api.endpoint import Endpoint
from tests.apiserver import Served, served

ALERT = "0123456789abcdef"
SILENCE = KEY = "0123456789ab"
NEEDS_AN_INCIDENT = ("incidents/{id}", "performance/alerts/{id}", "store/alerts/acknowledge", "store/alerts/resolve")
NO_CURL = frozenset({"/api/v1/store/append"})
"""It takes MessagePack alone, which nobody types: tests/contract has it through the client that sends it."""
LONGEST_ADDRESS = 60_000
"""Characters: beyond 64 KB it is the server's parser that refuses, before anything of ours is asked."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("examples")) as found:
        yield found


def _prepared(server: Served, endpoint: Endpoint, words: list[str]) -> list[str]:
    """*words* of the example with what is there in place of its made-up ids."""
    if any(part in endpoint.url for part in NEEDS_AN_INCIDENT):
        incident = _fired(server)
        return [word.replace(ALERT, incident) for word in words]
    if "{id}" in endpoint.url and "silences" in endpoint.url:
        given = {"matchers": [{"label": "rule", "text": "x"}], "author": "Ada"}
        made = httpx2.post(f"{server.url}/api/v1/alerts/silences", json=given, timeout=30)
        return [word.replace(SILENCE, made.json()["id"]) for word in words]
    if endpoint.url == "/api/v1/keys/{id}":
        made = httpx2.post(f"{server.url}/api/v1/keys", json={"name": "ci", "scopes": ["read"]}, timeout=30)
        return [word.replace(KEY, made.json()["id"]) for word in words]
    if endpoint.url == "/api/v1/profiles/newest":
        _profiled(server)
    if endpoint.method == "DELETE" and "rules" in endpoint.url:
        rule = {"name": "my queue", "metric": "queue_depth", "condition": "value > 100"}
        httpx2.put(f"{server.url}/api/v1/alerts/rules/my-queue", json=rule, timeout=30)
    if endpoint.url.endswith("/sql"):
        return [*words, "-H", f"authorization: Bearer {server.runtime.token}"]
    return words


def _fired(server: Served) -> str:
    """The id of an incident that fires: of a rule that always does."""
    rule = {"name": "always", "metric": "perf_store_series", "condition": "value >= 0"}
    httpx2.put(f"{server.url}/api/v1/alerts/rules/always", json=rule, timeout=30).raise_for_status()
    deadline = server.runtime.clock.monotonic() + 90
    pause = threading.Event()
    while server.runtime.clock.monotonic() < deadline:
        if found := server.runtime.alerts.open():
            return found[0].id
        pause.wait(0.2)
    raise AssertionError("nothing fired")


def _profiled(server: Served) -> None:
    """Take a profile that shows waiting threads, too: without them that of a quiet server is empty. Another one comes first."""
    clock, pause, begun = server.runtime.clock, threading.Event(), False
    deadline = clock.monotonic() + 90
    while not begun or server.runtime.profiler.state().running:
        assert clock.monotonic() < deadline, "no profile was taken"
        if not begun:
            wanted = {"seconds": 0.2, "idle": True}
            begun = httpx2.post(f"{server.url}/api/v1/profiles", json=wanted, timeout=30).status_code == 202
        pause.wait(0.1)


TYPED = [one for one in endpoints() if one.url not in NO_CURL]


@pytest.mark.parametrize("endpoint", TYPED, ids=lambda one: f"{one.method} {one.url}")
def test_the_example_of_an_endpoint_works(server: Served, endpoint: Endpoint, tmp_path: Path) -> None:
    words = _prepared(server, endpoint, shlex.split(curl(endpoint)))
    body = tmp_path / "body"
    command = [word.replace(ADDRESS, server.url) for word in words]
    streams = "text/event-stream" in endpoint.media
    given = ["-s", "-o", str(body), "-w", "%{http_code} %{content_type}", "--max-time", "8" if streams else "100"]
    done = subprocess.run([*command, *given], check=False, capture_output=True, text=True)
    status, _, media = done.stdout.partition(" ")
    assert done.returncode == (28 if streams else 0), done.stderr
    assert int(status) in (endpoint.status, *endpoint.also), body.read_text()
    if endpoint.status not in (204, 307):
        assert media.partition(";")[0] in endpoint.media
        assert body.read_bytes()


@pytest.mark.timeout(600)
def test_schemathesis_finds_no_fault(tmp_path: Path) -> None:
    # A server of its own: rules that it makes up would be in the way of the examples'.
    with served(tmp_path) as server:
        _examined(server, tmp_path)


def _examined(server: Served, folder: Path) -> None:
    config = folder / "schemathesis.toml"
    # What a text must say (a query, a time, a rule in YAML) is beyond JSON Schema, and so is the size of a
    # body in bytes (413): a clear refusal is right, too.
    config.write_text(
        'hooks = "hooks.py"\n'
        '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", 304, 307, 400, 404, 406, 409, 412, 413, 422]\n'
        "[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 406, 409, 412, 413, 415, 422]\n"
        '[[operations]]\ninclude-path = "/api/v1/events"\nenabled = false\n',  # It never ends.
        encoding="utf-8",
    )
    (folder / "hooks.py").write_text(
        "import urllib.parse\nimport schemathesis\n\n\n"
        'schemathesis.serializer.alias("application/msgpack", "application/octet-stream")\n\n\n'
        "@schemathesis.hook\ndef filter_query(context, query):\n"
        f"    return len(urllib.parse.urlencode(query or {{}}, doseq=True)) < {LONGEST_ADDRESS}\n",
        encoding="utf-8",
    )
    program = Path(sys.executable).parent / "schemathesis"
    command = [str(program), "--config-file", str(config), "run", f"{server.url}/api/openapi.json"]
    # Without fuzzing: with three examples an operation it took 8 s on top of the 31 s of coverage, on a busy machine.
    options = ["--generation-deterministic", "--no-color", "--request-timeout", "120"]
    phases = ["--phases", "examples,coverage", "-H", f"Authorization: Bearer {server.runtime.token}"]
    done = subprocess.run([*command, *options, *phases], check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_the_document_is_openapi(server: Served) -> None:
    document = json.loads(httpx2.get(f"{server.url}/api/openapi.json", timeout=30).text)
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(one.method, one.url) for one in endpoints()}
