from __future__ import annotations

import subprocess
import sys

from tests.services import ROOT, environment

HEAVY = {"numpy", "duckdb", "starlette", "opentelemetry", "google", "fastapi", "flask", "django", "httpx", "requests"}


def test_the_middleware_brings_nothing_heavy_into_a_program() -> None:
    code = "import perf.instrument.asgi, perf.instrument.wsgi, perf.instrument.http, perf.transport.sender, sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), check=True, capture_output=True, text=True
    )
    assert {name.partition(".")[0] for name in done.stdout.split()} & HEAVY == set()
