"""The programs of the demo as processes: started one after the other, watched, and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from perf import settings
from perf.errors import PerfError

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
GRACE = 10.0


class Ended(PerfError):
    """A program of the demo ended by itself."""


class Processes:
    """Children of this process; they share its terminal, so that Ctrl+C and a closed window reach them, too."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """They run in *folder*, where their logs go, with *variables* on top of this process's environment."""
        self._folder = folder
        self._environment = {**settings.child_environment(None), "PYTHONPATH": str(ROOT), **variables}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str, cwd: Path | None = None, **variables: str) -> None:
        """Run ``python -m`` with *words* as *name*."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=cwd or self._folder,
                env={**self._environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def ready(self, url: str) -> None:
        """Wait until *url* answers. Raises: Ended when a program ends before."""
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(answers, url):
                self.check()
                await asyncio.sleep(0.1)

    def check(self) -> None:
        """Raises: Ended when a program has."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Ended(f"{name} ended with {process.returncode}: see {self._folder / name}.log")

    def stop(self) -> None:
        """End all, the last one first: the owner of the store still takes what the others send at their end."""
        for process in reversed(self._running.values()):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether *url* answers with a status below 400."""
    try:
        with urlopen(url, timeout=2.0) as answer:  # noqa: S310  # an address of ours
            return bool(answer.status < 400)
    except (URLError, OSError):
        return False
