"""Space and inodes of the mounted file systems; one that hangs or vanishes does not hold up the others."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter

import msgspec
import psutil

from perf.model import Kind, Labels, Metric, Sample
from perf.ports import Clock
from perf.settings import HostSettings
from perf.sources.cputimes import percent

USAGE = Metric("disk_usage_percent", Kind.GAUGE, "%", "Space in use of a file system, of what users may fill.")
FREE = Metric("disk_free_bytes", Kind.GAUGE, "By", "Space users may still fill.")
TOTAL = Metric("disk_total_bytes", Kind.GAUGE, "By", "Size of a file system.")
INODES = Metric("disk_inodes_usage_percent", Kind.GAUGE, "%", "Inodes in use of a file system.")
FAILED = Metric(
    "disk_mount_failed", Kind.GAUGE, "1", "1 when a file system does not answer or reports an error, else 0."
)

PATIENCE = 0.5
"""Seconds one collect waits for all file systems together."""
STEP = 0.05
"""Seconds of it that are used up at once, however long this process stood still meanwhile: then nobody could answer."""

_ABSENT = (FileNotFoundError, NotADirectoryError, PermissionError)
_READ_ONLY_IMAGES = frozenset(("squashfs", "erofs", "cramfs", "iso9660", "udf"))
_NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "virtiofs"))
# Container engines mount these single files from the host's disk, which the container's root shows already.
_SINGLE_FILES = frozenset(("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"))
_MAC_SYSTEM = "/System/Volumes/"
_LOG = logging.getLogger(__name__)


class Mount(msgspec.Struct, frozen=True):
    """A mounted file system; *kind* is its type, such as ``ext4``."""

    device: str
    path: str
    kind: str


class DiskSource:
    """Asks each file system for its space on a thread of its own: a dead network disk blocks whoever asks."""

    def __init__(
        self,
        options: HostSettings,  # noqa: ARG002 - every source is made the same way
        clock: Clock,  # noqa: ARG002
        *,
        mounts: Callable[[], Sequence[Mount]] | None = None,
        statvfs: Callable[[str], os.statvfs_result] = os.statvfs,
        patience: float = PATIENCE,
    ) -> None:
        self._mounts = mounts or _mounted
        self._statvfs = statvfs
        self._patience = patience
        self._hanging: dict[str, _Reading] = {}
        self._failing: frozenset[str] = frozenset()

    def collect(self, ts: float) -> Iterable[Sample]:
        """Samples of every file system that answers, stamped *ts*; waits 0.5 s at most for those that don't."""
        paths = [mount.path for mount in self._mounts()]
        hanging = {path: self._hanging[path] for path in paths if path in self._hanging}
        hanging = {path: reading for path, reading in hanging.items() if reading.is_alive()}
        fresh = {path: _Reading(path, self._statvfs) for path in paths if path not in hanging}
        for reading in fresh.values():
            reading.start()
        left = self._patience
        for reading in fresh.values():
            left -= _waited(reading, left)
        self._hanging = hanging | {path: reading for path, reading in fresh.items() if reading.is_alive()}
        answers = {path: reading for path, reading in fresh.items() if path not in self._hanging}
        errors = {path: str(one.error) for path, one in answers.items() if one.error and not one.absent}
        self._report(errors | dict.fromkeys(self._hanging, "does not answer"))
        return [*self._failures(ts, answers), *self._spaces(ts, answers)]

    def _report(self, failing: dict[str, str]) -> None:
        """Log each file system once when it begins to fail."""
        for path in failing.keys() - self._failing:
            _LOG.warning("file system %s: %s", path, failing[path])
        self._failing = frozenset(failing)

    def _failures(self, ts: float, answers: dict[str, _Reading]) -> Iterator[Sample]:
        healthy = {path for path, reading in answers.items() if reading.space is not None}
        for path in sorted(healthy | self._failing):
            yield Sample(ts, FAILED, (("mount", path),), float(path in self._failing))

    def _spaces(self, ts: float, answers: dict[str, _Reading]) -> Iterator[Sample]:
        for path, reading in answers.items():
            if reading.space is not None:
                yield from space(ts, path, reading.space)


def chosen(mounts: Iterable[Mount], block_kinds: frozenset[str]) -> list[Mount]:
    """The file systems worth watching: on disks (*block_kinds* are their types) or on the network, and the root.

    One per device, the one with the shortest path: bind mounts and subvolumes share their space.
    """
    real = block_kinds - _READ_ONLY_IMAGES | _NETWORK
    by_path = {mount.path: mount for mount in mounts}
    by_device: dict[str, Mount] = {}
    for mount in sorted(by_path.values(), key=lambda one: (len(one.path), one.path)):
        hidden = mount.path in _SINGLE_FILES or (
            mount.path.startswith(_MAC_SYSTEM) and mount.path != f"{_MAC_SYSTEM}Data"
        )
        if mount.path == "/" or (mount.kind in real and not hidden):
            by_device.setdefault(mount.device, mount)
    return list(by_device.values())


def space(ts: float, path: str, answer: os.statvfs_result) -> Iterator[Sample]:
    """Samples of one file system, as ``df`` counts: what is reserved for root is neither used nor free."""
    labels: Labels = (("mount", path),)
    used, free = answer.f_blocks - answer.f_bfree, answer.f_bavail
    if used + free > 0:
        yield Sample(ts, USAGE, labels, percent(used, used + free))
        yield Sample(ts, FREE, labels, float(free * answer.f_frsize))
        yield Sample(ts, TOTAL, labels, float(answer.f_blocks * answer.f_frsize))
    if answer.f_files > 0:  # btrfs and most network file systems have no fixed number
        yield Sample(ts, INODES, labels, percent(answer.f_files - answer.f_ffree, answer.f_files))


class _Reading(threading.Thread):
    """One question to one file system."""

    def __init__(self, path: str, statvfs: Callable[[str], os.statvfs_result]) -> None:
        super().__init__(name="perf-disk", daemon=True)
        self.space: os.statvfs_result | None = None
        self.error: OSError | None = None
        self._path = path
        self._statvfs = statvfs

    @property
    def absent(self) -> bool:
        """Whether the file system went away, or isn't ours to see."""
        return isinstance(self.error, _ABSENT)

    def run(self) -> None:
        try:
            self.space = self._statvfs(self._path)
        except OSError as error:
            self.error = error


def _waited(reading: _Reading, most: float) -> float:
    """Wait for *reading* up to *most* seconds; how many of them that took."""
    waited = 0.0
    while reading.is_alive() and most - waited > 1e-3:
        began, step = perf_counter(), min(STEP, most - waited)
        reading.join(step)
        waited += min(step, perf_counter() - began)
    return waited


def _mounted() -> list[Mount]:
    listed = psutil.disk_partitions(all=True)
    kinds = frozenset(one.fstype for one in psutil.disk_partitions(all=False))
    return chosen((Mount(one.device, one.mountpoint, one.fstype) for one in listed), kinds)
