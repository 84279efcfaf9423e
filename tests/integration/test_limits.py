"""A real perf that takes more than it may: it says so, refuses what is expensive, serves the rest, and an alert fires."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.services import environment, eventually, free_port, program, ready


def asked(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urlopen(url, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.timeout(300)
def test_over_its_memory_perf_sheds_load_and_raises_an_alert(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(
        PERF_STORE__PATH=str(tmp_path / "perf.duckdb"),
        PERF_STORE__FREE_SPACE_FLOOR="0",
        PERF_PRODUCTION__MAX_MEMORY="10MiB",
        PERF_PRODUCTION__RETRY_AFTER="3s",
        PERF_HEALTH__INTERVAL="1s",
    )
    command = [sys.executable, "-m", "perf", "serve", "--port", str(port)]
    with program(command, env=env, log=tmp_path / "log") as process:
        ready(process, url, tmp_path / "log")
        eventually(lambda: asked(f"{url}/api/v1/query?query=cpu_usage_percent")[0] == 503, seconds=60)
        status, headers, body = asked(f"{url}/api/v1/export?query=cpu_usage_percent")
        problem = json.loads(body)
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "3", "application/problem+json")
        assert problem["detail"].startswith("perf takes ")
        assert problem["detail"].endswith("MiB of memory (limit 10 MiB); try again later")
        for path in ("/health/live", "/metrics", "/api/v1/log-level"):
            assert asked(f"{url}{path}")[0] == 200

        def degraded() -> bool:
            found = json.loads(asked(f"{url}/health")[2])["checks"]["limits"]
            return bool(found["status"] == "degraded" and found["evidence"]["memory_ratio"] > 1)

        eventually(degraded, seconds=60)
        # The default rule waits for a minute, as rules do.
        rule = json.loads(asked(f"{url}/api/v1/alerts/rules/default-own-limits")[2])
        changed = json.dumps({**rule, "for": "0s", "window": "10s"}).encode()
        put = Request(f"{url}/api/v1/alerts/rules/default-own-limits", changed, method="PUT")
        put.add_header("content-type", "application/json")
        with urlopen(put, timeout=30) as answer:
            assert answer.status == 200
        eventually(
            lambda: b"perf takes more than it may" in asked(f"{url}/api/v1/alerts/incidents")[2], seconds=180, every=1.0
        )
        assert b"perf_shed_requests_total" in asked(f"{url}/metrics")[2]
