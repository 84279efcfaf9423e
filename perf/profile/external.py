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
    """What process *pid* does for as long as *wanted*, in whole seconds and looks a second: py-spy knows no others.

    Raises: PerfError when there is no such process, it isn't Python, nobody lets us look, or py-spy isn't installed or hangs.
    """
    seconds, rate = max(1, round(wanted.seconds)), round(wanted.rate)
    if not psutil.pid_exists(pid):
        raise PerfError(f"no process {pid}")
    with TemporaryDirectory(prefix="perf-profile-") as folder:
        output = Path(folder) / "stacks"
        started = clock.now()
        options = ["--duration", str(seconds), "--rate", str(rate), *(["--idle"] if wanted.idle else [])]
        done = _run([_program(), *_options(pid, output), *options], seconds + _EXTRA)
        if done.returncode != 0:
            raise PerfError(_reason(pid, done.stdout + done.stderr))
        stacks = parsed(output.read_text(encoding="utf-8", errors="replace")) if output.exists() else ()
    return Profile(
        pid=pid,
        started=started,
        seconds=float(seconds),
        rate=float(rate),
        samples=seconds * rate,
        cost=0.0,
        kept=1.0,
        stacks=stacks,
    )


def _run(command: list[str], patience: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise PerfError(f"py-spy did not end within {patience:g} s, and was stopped") from error


def _options(pid: int, output: Path) -> list[str]:
    return ["record", "--pid", str(pid), "--format", "raw", "--output", str(output), "--threads", "--function"]


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
