"""Profiles of another Python process, by py-spy: it reads that process's memory, which goes on as if nothing were."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from perf.errors import PerfError
from perf.ports import Clock
from perf.profile.profiler import ProfileRequest
from perf.profile.stacks import Profile, parsed

_RIGHTS = (
    "not allowed to look into process {pid}: run this as its user with the right to trace (root, or CAP_SYS_PTRACE; "
    "in Docker --cap-add SYS_PTRACE; on Linux kernel.yama.ptrace_scope=0)"
)
_EXTRA = 30.0
"""Seconds that py-spy may take beyond the profile itself."""


def profiled(pid: int, wanted: ProfileRequest, clock: Clock) -> Profile:
    """What process *pid* does for as long as *wanted*.

    Raises: PerfError when there is no such process, it isn't Python, nobody lets us look, or py-spy isn't installed.
    """
    if not psutil.pid_exists(pid):
        raise PerfError(f"no process {pid}")
    with TemporaryDirectory(prefix="perf-profile-") as folder:
        output = Path(folder) / "stacks"
        started = clock.now()
        done = subprocess.run(
            [_program(), *_options(pid, wanted, output)],
            capture_output=True,
            text=True,
            check=False,
            timeout=wanted.seconds + _EXTRA,
        )
        if done.returncode != 0:
            raise PerfError(_reason(pid, done.stdout + done.stderr))
        stacks = parsed(output.read_text(encoding="utf-8", errors="replace")) if output.exists() else ()
    looks = round(wanted.seconds * wanted.rate)
    return Profile(
        pid=pid,
        started=started,
        seconds=wanted.seconds,
        rate=wanted.rate,
        samples=looks,
        cost=0.0,
        kept=1.0,
        stacks=stacks,
    )


def _options(pid: int, wanted: ProfileRequest, output: Path) -> list[str]:
    options = ["record", "--pid", str(pid), "--format", "raw", "--output", str(output), "--threads", "--function"]
    options += ["--duration", str(max(1, round(wanted.seconds))), "--rate", str(round(wanted.rate))]
    return [*options, "--idle"] if wanted.idle else options


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / ("py-spy.exe" if sys.platform == "win32" else "py-spy")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("py-spy")
    if found is None:
        raise PerfError("py-spy is missing, which looks into other processes: pip install py-spy")
    return found


def _reason(pid: int, output: str) -> str:
    if "Failed to find python version" in output:
        return f"process {pid} is no Python program that py-spy knows"
    if "ermission" in output or "ptrace" in output:
        return _RIGHTS.format(pid=pid)
    told = next((line for line in output.splitlines() if line.startswith("Error:")), "it said nothing")
    return f"py-spy could not look into process {pid}: {told.removeprefix('Error: ')}"
