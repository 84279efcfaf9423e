"""What the machine offers: the port, limits of a container, pressure files."""

from __future__ import annotations

from pathlib import Path

from perf.cli import remote
from perf.cli.address import ListenError, listening, loopback_url
from perf.cli.checks.verdict import Check, fail, ok, warn
from perf.settings import Settings
from perf.sources.cgroup import Cgroup

PRESSURE = Path("/proc/pressure")


def port(settings: Settings) -> Check:
    """The port is free, or perf answers on it."""
    server = settings.server
    url = loopback_url(server.host, server.port)
    if remote.answers(url):
        return ok("port", f"perf answers at {url}")
    try:
        with listening(server):
            return ok("port", f"{server.host}:{server.port} is free")
    except ListenError as error:
        return fail("port", str(error), "end the program that has it, or choose another: PERF_SERVER__PORT")


def limits(group: Cgroup, memory_limit: int) -> Check:
    """Limits of the container; the store's own memory (*memory_limit*, bytes) has to fit."""
    memory, cpu = group.memory(), group.cpu()
    shown = f"{f'{memory.limit / 2**20:,.0f} MiB of memory' if memory else 'no memory limit'}, "
    shown += f"{cpu.cores:g} cores" if cpu else "no CPU limit"
    if memory and memory.limit < 2 * memory_limit:
        advice = f"allow at least {2 * memory_limit / 2**20:,.0f} MiB, or lower PERF_STORE__MEMORY_LIMIT"
        return warn("limits", shown, advice)
    return ok("limits", shown)


def pressure(group: Cgroup, root: Path = PRESSURE) -> Check:
    """Pressure stall information of the container or the host; without it those charts stay empty."""
    folder = Path(group.pressure_folder() or root)
    files = [folder / "cpu.pressure", folder / "cpu"]
    try:
        found = next(file for file in files if file.is_file())
        found.read_text(encoding="utf-8")
    except StopIteration:
        return ok("pressure", "this kernel reports none; its charts stay empty")
    except OSError as error:
        advice = "boot with psi=1, or allow reading it; until then its charts stay empty"
        return warn("pressure", f"{folder}: {error.strerror}", advice)
    return ok("pressure", f"read from {folder}")
