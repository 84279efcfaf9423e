"""Programs that a test starts again and again, forked from a process that has imported them: a start takes no second of a processor.

Each is a process of its own, with its own arguments, environment and streams, and is killed like any other.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.services import ROOT, environment

_MOST = 1 << 20
"""Bytes of arguments and environment."""


class Child:
    """One start of a program."""

    def __init__(self, line: socket.socket, stdout: IO[str]) -> None:
        self.stdout = stdout
        self._line = line
        self._code: int | None = None
        self.pid = int(line.recv(_MOST))

    def kill(self) -> None:
        """End it with SIGKILL, unless it has ended."""
        if self._code is None:  # Until it is waited for, its number is nobody else's.
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, once it has ended; negative when a signal ended it."""
        if self._code is None:
            self._line.send(b"how did it end?")
            self._code = int(self._line.recv(_MOST))
        return self._code


class Nursery:
    """Starts one program, one after another."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    @contextmanager
    def child(self, *arguments: str) -> Iterator[Child]:
        """The program with *arguments*, which ends with the block; what it writes is read meanwhile."""
        with ExitStack() as stack:
            reading, writing = os.pipe()
            stdout = stack.enter_context(os.fdopen(reading, encoding="utf-8"))
            with os.fdopen(writing, "wb") as theirs, Path(os.devnull).open("rb") as nothing:
                child = self._begun(arguments, environment(), (nothing.fileno(), theirs.fileno(), 2), stdout)
            stack.callback(child.wait)
            stack.callback(child.kill)
            yield child

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """What the program said to *arguments* and *given*, and its exit code."""
        with TemporaryFile("w+") as stdin, TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
            stdin.write(given)
            stdin.seek(0)
            streams = (stdin.fileno(), stdout.fileno(), stderr.fileno())
            code = self._begun(arguments, env or environment(), streams, stdout).wait()
            stdout.seek(0)
            stderr.seek(0)
            return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())

    def _begun(self, arguments: Sequence[str], env: Mapping[str, str], streams: Sequence[int], out: IO[str]) -> Child:
        socket.send_fds(self._line, [json.dumps([arguments, dict(env)]).encode()], streams)
        return Child(self._line, out)


@contextmanager
def nursery(module: str) -> Iterator[Nursery]:
    """Starts the function ``main`` of *module*, whose result is the exit code."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(90.0)
    with ours:
        with theirs:
            command = [sys.executable, "-m", "tests.nursery", module, str(theirs.fileno())]
            parent = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, env=environment())
        try:
            yield Nursery(ours)
        finally:
            ours.close()
            assert parent.wait(30.0) == 0


def _serve(module: str, line: socket.socket) -> int:
    """Fork for each request; the child's own result, or 0 in the parent once nobody asks any more."""
    program = importlib.import_module(module)
    while True:
        asked, streams, _, _ = socket.recv_fds(line, _MOST, 3)
        if not asked:
            return 0
        child = os.fork()
        if not child:
            line.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            arguments, env = json.loads(asked)
            os.environ.clear()  # noqa: TID251 - it is the program's own
            os.environ.update(env)  # noqa: TID251 - as above
            sys.argv[1:] = arguments
            return int(program.main() or 0)
        for stream in streams:
            os.close(stream)
        line.send(str(child).encode())
        line.recv(_MOST)
        line.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
