"""Installs the programs that the tests start, on Debian as root; elsewhere says what to install. Never fails the build."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    """What the tests start: its command, or the name of PostgreSQL's extension; the packages that bring it on Debian (a pattern
    where the name holds a version) and macOS; and what it is for.
    """

    command: str
    debian: str
    macos: str
    reason: str


PROGRAMS = (
    Program("chromium", "chromium", "brew install --cask chromium", "browser tests and screenshots"),
    Program("node", "nodejs", "brew install node", "the browser's units are checked without a browser"),
    Program("redis-server", "redis-server", "brew install redis", "recording of Redis is tested with a real one"),
    Program("postgres", "postgresql postgresql-contrib", "brew install postgresql", "the same of PostgreSQL"),
    Program("hypopg", "^postgresql-[0-9]+-hypopg$", "pgxn install hypopg", "indexes are tried before they are built"),
    Program("nginx", "nginx-light", "brew install nginx", "deploy/nginx is tested with a real one"),
    Program(
        "prometheus-alertmanager",
        "prometheus-alertmanager",
        "brew install alertmanager",
        "alerts are delivered to a real Alertmanager",
    ),
)

_POSTGRES = Path("/usr/lib/postgresql")
"""Where Debian keeps PostgreSQL's server programs, a folder for each version; none of them is on PATH."""
_EXTENSIONS = Path("/usr/share/postgresql")
"""Where it keeps what PostgreSQL can be extended by."""
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> list[Program]:
    """The programs that aren't installed."""
    return [program for program in PROGRAMS if not installed(program.command)]


def installed(command: str) -> bool:
    """Whether *command* is on PATH, or where Debian keeps PostgreSQL's programs and extensions."""
    extension = any(_EXTENSIONS.glob(f"*/extension/{command}.control"))
    return extension or shutil.which(command) is not None or any(_POSTGRES.glob(f"*/bin/{command}"))


@contextmanager
def services_stay_off() -> Iterator[None]:
    """While packages are installed: no server of theirs is started on its default port (Debian policy, invoke-rc.d)."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def install(programs: list[Program]) -> bool:
    """Whether apt-get installed all of *programs*; one that the distribution lacks does not keep the others out."""
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    names = [name for program in programs for name in program.debian.split()]
    print(f"Installing {', '.join(names)} ...", flush=True)
    with services_stay_off():
        _run([*apt, "update"])  # An index that can't be refreshed may still be good enough.
        add = [*apt, "install", "-y", "--no-install-recommends"]
        return _run([*add, *names]) or [_run([*add, name]) for name in names].count(False) == 0


def _run(command: list[str]) -> bool:
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0


def main() -> None:
    """Install what is missing, or say how."""
    wanted = missing()
    if not wanted:
        return
    root_on_debian = shutil.which("apt-get") is not None and os.geteuid() == 0
    if root_on_debian and install(wanted):
        return
    for program in wanted:
        packages = shlex.join(program.debian.split())
        print(f"{program.command} is missing; tests that need it are skipped ({program.reason}).")
        print(f"  Debian, Ubuntu:  sudo apt-get install {packages}\n  macOS:           {program.macos}")


if __name__ == "__main__":
    main()
