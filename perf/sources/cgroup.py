"""Limits and usage of our control groups (v1, v2, nested); inside a container psutil tells the host's.

Format: https://docs.kernel.org/admin-guide/cgroup-v2.html and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

# v1 writes "no limit" as the largest multiple of the page size below 2**63.
_NO_LIMIT = 2**60


class MemoryLimit(msgspec.Struct, frozen=True):
    """The smallest memory limit and what its group uses, without file cache that can be dropped at once; bytes."""

    limit: int
    used: int


class CpuLimit(msgspec.Struct, frozen=True):
    """The smallest CPU quota in cores, the folder of its group, and the CPU time that group used so far in seconds."""

    cores: float
    folder: str
    seconds: float


class _Lineage(msgspec.Struct, frozen=True):
    """A mounted hierarchy and the groups above us in it: paths below *mount*, our own first, "" for its root last."""

    version: int
    mount: str
    groups: tuple[str, ...]

    def folders(self) -> Iterator[str]:
        return (self.mount + group for group in self.groups)


class Cgroup:
    """The groups of this process, found once; limits and usage are read anew each time, as limits may change."""

    def __init__(self, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> None:
        members = _memberships(contents(f"{proc}/self/cgroup") or "")
        self._unified = _unified(members, root)
        self._memory = _controller("memory", members, root) or self._unified
        self._cpu = _controller("cpu", members, root) or self._unified
        self._cpuacct = _controller("cpuacct", members, root)

    def memory(self) -> MemoryLimit | None:
        """The limit that counts and its usage; None when nothing limits memory."""
        bound = self._memory_bound()
        if bound is None or self._memory is None:
            return None
        limit, folder = bound
        v2 = self._memory.version == 2
        used = _number(f"{folder}/{'memory.current' if v2 else 'memory.usage_in_bytes'}")
        if used is None:
            return None
        idle = _field(f"{folder}/memory.stat", "inactive_file" if v2 else "total_inactive_file") or 0
        return MemoryLimit(limit, max(0, used - idle))

    def cpu(self) -> CpuLimit | None:
        """The quota that counts and its usage; None when nothing limits CPU time."""
        bound = self._cpu_bound()
        if bound is None or self._cpu is None:
            return None
        cores, group = bound
        folder = self._cpu.mount + group
        seconds = self._cpu_seconds(group)
        return None if seconds is None else CpuLimit(cores, folder, seconds)

    def pressure_folder(self) -> str | None:
        """The folder whose ``*.pressure`` files are about our container; None when only the host's are known."""
        if self._unified is None:
            return None
        folder = self._unified.mount
        if self._memory is self._unified and (memory := self._memory_bound()) is not None:
            folder = memory[1]
        elif self._cpu is self._unified and (cpu := self._cpu_bound()) is not None:
            folder = self._unified.mount + cpu[1]
        # The hierarchy's true root has no cgroup.type; a container sees its own group there, which has one.
        mine = Path(folder, "cgroup.type").exists() and Path(folder, "memory.pressure").exists()
        return folder if mine else None

    def _memory_bound(self) -> tuple[int, str] | None:
        """Smallest limit in bytes and its folder."""
        if self._memory is None:
            return None
        name = "memory.max" if self._memory.version == 2 else "memory.limit_in_bytes"
        limits = ((_number(f"{folder}/{name}"), folder) for folder in self._memory.folders())
        real = [(limit, folder) for limit, folder in limits if limit is not None and 0 < limit < _NO_LIMIT]
        return min(real, key=lambda pair: pair[0], default=None)

    def _cpu_bound(self) -> tuple[float, str] | None:
        """Smallest quota in cores and its group."""
        if self._cpu is None:
            return None
        quota = _quota_v2 if self._cpu.version == 2 else _quota_v1
        quotas = ((quota(self._cpu.mount + group), group) for group in self._cpu.groups)
        real = [(cores, group) for cores, group in quotas if cores is not None]
        return min(real, key=lambda pair: pair[0], default=None)

    def _cpu_seconds(self, group: str) -> float | None:
        if self._cpu is not None and self._cpu.version == 2:
            micros = _field(f"{self._cpu.mount}{group}/cpu.stat", "usage_usec")
            return None if micros is None else micros / 1e6
        if self._cpuacct is None:
            return None
        nanos = _number(f"{self._cpuacct.mount}{group}/cpuacct.usage")
        return None if nanos is None else nanos / 1e9


def contents(path: str) -> str | None:
    """The text of a small kernel file (at most 64 KiB); None when it isn't there or can't be read."""
    # Half the CPU of Path.read_text: no buffering, no decoder, no stat.
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(file, 65_536).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(file)


def _memberships(text: str) -> dict[str, tuple[str, str]]:
    """Controller -> (folder of its hierarchy, path in it) from ``/proc/self/cgroup``; "" stands for v2."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if colon and number.isdigit():
            found.update(dict.fromkeys(names.split(","), (names, path)))
    return found


def _unified(members: dict[str, tuple[str, str]], root: Path) -> _Lineage | None:
    mounts = (folder for folder in (root, root / "unified") if (folder / "cgroup.controllers").exists())
    mount = next(mounts, None)
    return _lineage(2, mount, members[""][1]) if mount is not None and "" in members else None


def _controller(name: str, members: dict[str, tuple[str, str]], root: Path) -> _Lineage | None:
    if name not in members:
        return None
    joined, path = members[name]
    mount = next((folder for folder in (root / name, root / joined) if folder.is_dir()), None)
    return _lineage(1, mount, path) if mount is not None else None


def _lineage(version: int, mount: Path, path: str) -> _Lineage:
    """The groups from *path* up to the mount's root.

    Without a namespace of its own a container sees the host's path, but only the lower part of it is mounted: the
    longest tail of the path that exists is ours.
    """
    parts = [part for part in path.split("/") if part]
    if ".." in parts:
        parts = []
    tails = (parts[skip:] for skip in range(len(parts) + 1))
    mine = next((tail for tail in tails if mount.joinpath(*tail).is_dir()), [])
    groups = tuple("".join(f"/{part}" for part in mine[:depth]) for depth in range(len(mine), -1, -1))
    return _Lineage(version, str(mount), groups)


def _number(path: str) -> int | None:
    """A file that holds one whole number; None for ``max`` and for what isn't there."""
    text = (contents(path) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _field(path: str, name: str) -> int | None:
    """The number after *name* in a file of ``name number`` lines."""
    for line in (contents(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return None


def _quota_v2(folder: str) -> float | None:
    """Cores from ``cpu.max``: quota and period in microseconds, or ``max``."""
    quota, _, period = (contents(f"{folder}/cpu.max") or "").strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _quota_v1(folder: str) -> float | None:
    """Cores from ``cpu.cfs_quota_us``, which is -1 without a limit."""
    quota, period = _number(f"{folder}/cpu.cfs_quota_us"), _number(f"{folder}/cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None
