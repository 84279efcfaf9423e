"""Clients that connect and say nothing: they must not keep others out, health checks least of all."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.services import answers, environment, eventually, free_port, program, ready

SHELL = 256
"""Files that the program is started with the right to; a thousand and more in most shells."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_more_clients_than_a_shell_grants_files_keep_nobody_out(tmp_path: Path) -> None:
    port, health = free_port(), free_port()
    env = environment(PERF_STORE__PATH=str(tmp_path / "perf.duckdb"), PERF_HEALTH_PORT=str(health))
    serve = f'ulimit -Sn {SHELL}; exec "$0" -m perf serve --port {port}'
    with (
        program(["sh", "-c", serve, sys.executable], env=env, log=tmp_path / "log") as process,
        ExitStack() as silent,
    ):
        ready(process, f"http://127.0.0.1:{health}", tmp_path / "log")
        for _ in range(SHELL):
            client = silent.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10.0))
            client.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        for asked in (port, health):
            eventually(lambda asked=asked: answers(f"http://127.0.0.1:{asked}/health/ready"), seconds=60.0)  # type: ignore[misc]
