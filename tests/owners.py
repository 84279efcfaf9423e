"""Owners of stores for tests: each in this process, on the test's clock, behind a real server on loopback."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import uvicorn

from perf.api.app import build
from perf.ports import Clock
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.store.remote import RemoteStore
from tests.emptystore import empty
from tests.services import eventually

NOTHING_MEASURED = SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False))
TOKEN = "what the owner asks for"


class Owner:
    """A DuckDB store behind HTTP. Only its writer runs: nothing is measured, and no upkeep happens unasked."""

    def __init__(self, settings: StoreSettings, clock: Clock, *, host: str = "127.0.0.1", port: int = 0) -> None:
        empty(Path(settings.path))
        chosen = msgspec.structs.replace(settings, token=TOKEN)
        self.runtime = Runtime(Settings(store=chosen, sources=NOTHING_MEASURED), clock)
        self._stop = threading.Event()
        config = uvicorn.Config(
            build(self.runtime, (host,)), host=host, port=port, log_config=None, access_log=False, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._threads = [
            threading.Thread(target=self._server.run, daemon=True),
            threading.Thread(target=self.runtime.writer.run, args=(self._stop,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        eventually(lambda: self._server.started, every=0.005)
        self.url = f"http://{host}:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop serving, write what is queued, close the store."""
        self._server.should_exit = True
        self._stop.set()
        self.runtime.writer.wake()
        for thread in self._threads:
            thread.join(60)
        self.runtime.stop()


class Owners:
    """An owner for every file, for as long as a test takes."""

    def __init__(self) -> None:
        self._owners: dict[Path, Owner] = {}

    def store(self, settings: StoreSettings, clock: Clock) -> RemoteStore:
        """A remote store of the owner of *settings.path*, which is begun with *settings* when there is none."""
        path = Path(settings.path)
        if path not in self._owners:
            self._owners[path] = Owner(settings, clock)
        return self.at(self._owners[path].url, clock)

    def at(self, url: str, clock: Clock) -> RemoteStore:
        """A remote store of the owner at *url*."""
        return RemoteStore(StoreSettings(backend="remote", url=url, token=TOKEN), clock)

    def close(self) -> None:
        """End them all."""
        for owner in self._owners.values():
            owner.close()
        self._owners.clear()
