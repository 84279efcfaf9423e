"""What the soak takes away: a real Redis, and a small disk."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.services import environment, free_port, program, redis_server

TMPFS_MB = 4


class Redis:
    """A real server that can be frozen, killed, filled and brought back on its port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Up again, empty."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        limits = ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]
        self._process = self._stack.enter_context(program([redis_server(), *options, *limits], env=environment()))

    def signal(self, number: signal.Signals) -> None:
        """Freeze (SIGSTOP), thaw (SIGCONT) or kill it."""
        assert self._process is not None
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        """Down for good."""
        self._stack.close()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes in memory where that is allowed; else a plain folder."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            # Lazily: what a thread still has open goes when it is closed.
            subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
