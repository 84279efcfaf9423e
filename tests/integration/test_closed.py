"""An owner without users that listens on every address: programs show a key there, and so does everybody on its own machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import ROOT, environment, free_port, program, ready
from tests.signedin import ask, send

TOKEN = "an owner's token of thirty-two letters"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("closed")
    return environment(
        PERF_STORE__PATH=str(folder / "perf.duckdb"),
        PERF_STORE__FREE_SPACE_FLOOR="0",
        PERF_STORE__TOKEN=TOKEN,
        PERF_ACCESS__CLOSED="true",
    )


@pytest.fixture(scope="module")
def url(env: dict[str, str]) -> Iterator[str]:
    port = free_port()
    found = f"http://127.0.0.1:{port}"
    log = Path(env["PERF_STORE__PATH"]).with_name("log")
    with program(serve("serve", port), env=env, log=log) as process:
        ready(process, found, log)
        yield found


def serve(verb: str, port: int) -> list[str]:
    return [sys.executable, "-m", "perf", verb, "--host", "0.0.0.0", "--port", str(port)]


def test_nobody_is_local(url: str) -> None:
    paths = ["/api/v1/query?query=cpu_usage_percent", "/api/v1/settings", "/metrics", "/api/docs", "/", "/any/page"]
    assert {path: ask(url, path).status for path in paths} == dict.fromkeys(paths, 401)
    statement = {"sql": "SELECT 1"}
    changes = ["/api/v1/probes/run", "/api/v1/sql", "/api/v1/store/sql", "/api/v1/keys", "/v1/metrics", "/mcp"]
    assert {path: send(url, path, statement).status for path in changes} == dict.fromkeys(changes, 401)
    assert ask(url, "/api/v1/settings", Authorization="Bearer of something else").status == 401
    assert ask(url, "/signin").headers["location"] == "./", "there is nothing to sign in with"
    assert b"checks" not in ask(url, "/health").body


def test_the_owners_token_opens_everything_and_a_key_its_scopes(url: str, env: dict[str, str]) -> None:
    assert ask(url, "/api/v1/keys", Authorization=f"Bearer {TOKEN}").status == 200
    words = [sys.executable, "-m", "perf", "keys", "create", "grafana", "--scope", "read"]
    made = subprocess.run(
        words, env={**env, "PERF_STORE__TOKEN": ""}, cwd=ROOT, capture_output=True, text=True, check=True
    )
    own = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert ask(url, "/api/v1/settings", **own).status == 200
    assert ask(url, "/metrics", **own).status == 200
    assert send(url, "/v1/metrics", {"resourceMetrics": []}, **own).status == 403
    assert ask(url, "/api/v1/settings", Host="rebound.example", **own).status == 421


def test_a_dashboard_needs_somebody_who_can_sign_in(env: dict[str, str]) -> None:
    done = subprocess.run(serve("dashboard", 0), env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "access.closed: nobody could open a page" in done.stderr) == (2, True), done
