"""Sign-ins that take their time leave the rest alone."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx2
import msgspec
import pytest

from perf.access import oidc
from perf.api.app import build
from perf.clock import SystemClock
from perf.model.access import Role
from perf.runtime import Runtime
from perf.settings.access import AccessSettings, OidcSettings
from tests.emptystore import empty
from tests.unit.api.conftest import quiet

MANY = 60
"""More than Starlette has threads."""


def test_a_provider_that_hangs_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "TIMEOUT", 60.0)
    with socket.create_server(("127.0.0.1", 0), backlog=MANY) as silent:
        provider = OidcSettings(
            issuer=f"http://127.0.0.1:{silent.getsockname()[1]}", client_id="perf", default_role=Role.VIEWER
        )
        access = AccessSettings(oidc=provider, url="http://127.0.0.1:8503")
        runtime = Runtime(msgspec.structs.replace(quiet(empty(tmp_path / "perf.duckdb")), access=access), SystemClock())

        async def asked() -> int:
            transport = httpx2.ASGITransport(app=build(runtime))
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8503") as client:
                waiting = [asyncio.create_task(client.get("/signin/oidc", timeout=None)) for _ in range(MANY)]
                held = (await asyncio.to_thread(silent.accept))[0]
                health = await client.get("/health", timeout=None)
                early = sum(task.done() for task in waiting)
                assert health.status_code in (200, 503)
                for task in waiting:
                    task.cancel()
                held.close()
                silent.close()
                await asyncio.gather(*waiting, return_exceptions=True)
                return early

        assert asyncio.run(asked()) == 0
        runtime.stop()
