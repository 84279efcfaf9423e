import errno
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from perf.clock import ManualClock, SystemClock
from perf.model import Sample
from perf.settings import HostSettings
from perf.sources.disks import DiskSource, Mount, chosen, space

BLOCK = frozenset(("ext4", "xfs", "btrfs", "squashfs"))
ROOT = Mount("/dev/vda", "/", "ext4")
NFS = Mount("nas:/share", "/mnt/share", "nfs4")


def answer(
    *, blocks: int = 1000, free: int = 500, available: int = 400, files: int = 100, files_free: int = 75
) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, blocks, free, available, files, files_free, files_free, 0, 255))


def values(samples: list[Sample]) -> dict[tuple[str, str], float]:
    return {(sample.metric.name, dict(sample.labels)["mount"]): sample.value for sample in samples}


def source(*mounts: Mount, statvfs: Callable[[str], os.statvfs_result], patience: float = 5.0) -> DiskSource:
    return DiskSource(HostSettings(), ManualClock(), mounts=lambda: mounts, statvfs=statvfs, patience=patience)


def test_space_counts_as_df_does() -> None:
    assert values(list(space(1.0, "/", answer()))) == {
        ("disk_usage_percent", "/"): 55.56,
        ("disk_free_bytes", "/"): 400 * 4096.0,
        ("disk_total_bytes", "/"): 1000 * 4096.0,
        ("disk_inodes_usage_percent", "/"): 25.0,
    }


def test_file_system_without_a_number_of_inodes_has_no_inode_usage() -> None:
    assert ("disk_inodes_usage_percent", "/") not in values(list(space(1.0, "/", answer(files=0, files_free=0))))


def test_file_system_without_blocks_has_no_space() -> None:
    assert list(space(1.0, "/", answer(blocks=0, free=0, available=0, files=0))) == []


def test_one_mount_per_device_the_shortest_path() -> None:
    bind = Mount("/dev/vda", "/srv/data", "ext4")
    home = Mount("/dev/vdb", "/home", "xfs")
    assert chosen([bind, home, ROOT], BLOCK) == [ROOT, home]


def test_pseudo_file_systems_and_images_are_left_out() -> None:
    others = [
        Mount("proc", "/proc", "proc"),
        Mount("tmpfs", "/run", "tmpfs"),
        Mount("/dev/loop0", "/snap/core/1", "squashfs"),
        Mount("overlay", "/var/lib/docker/overlay2/x/merged", "overlay"),
    ]
    assert chosen([*others, ROOT], BLOCK) == [ROOT]


def test_root_of_a_container_is_there_and_the_files_mounted_into_it_are_not() -> None:
    root = Mount("overlay", "/", "overlay")
    hosts = Mount("/dev/sda1", "/etc/hosts", "ext4")
    volume = Mount("/dev/sda1", "/data/volume", "ext4")
    assert chosen([root, hosts, volume], BLOCK) == [root, volume]


def test_network_disks_are_there() -> None:
    assert chosen([ROOT, NFS], BLOCK) == [ROOT, NFS]


def test_upper_of_two_mounts_on_one_path_counts() -> None:
    upper = Mount("/dev/vdc", "/", "xfs")
    assert chosen([ROOT, upper], BLOCK) == [upper]


def test_mac_volumes_share_one_container() -> None:
    mounts = [Mount("/dev/disk3s1", "/", "apfs")]
    mounts += [Mount(f"/dev/disk3s{n}", f"/System/Volumes/{name}", "apfs") for n, name in enumerate(("VM", "Data"), 4)]
    assert [mount.path for mount in chosen(mounts, frozenset(("apfs",)))] == ["/", "/System/Volumes/Data"]


def test_vanished_mount_is_absent_and_the_rest_is_there() -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path == NFS.path:
            raise FileNotFoundError(errno.ENOENT, "gone", path)
        return answer()

    found = values(list(source(NFS, ROOT, statvfs=statvfs).collect(1.0)))
    assert {mount for _, mount in found} == {"/"}
    assert found["disk_mount_failed", "/"] == 0.0


def test_mount_with_an_error_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path == NFS.path:
            raise OSError(errno.ESTALE, "Stale file handle", path)
        return answer()

    disks = source(NFS, ROOT, statvfs=statvfs)
    with caplog.at_level(logging.WARNING, "perf"):
        found = [values(list(disks.collect(ts))) for ts in (1.0, 2.0)]
    assert [one["disk_mount_failed", NFS.path] for one in found] == [1.0, 1.0]
    assert ("disk_usage_percent", NFS.path) not in found[1]
    told = [record.message for record in caplog.records if record.name == "perf.sources.disks"]
    assert [message.split(": ")[0] for message in told] == [f"file system {NFS.path}"]


@pytest.fixture
def wake() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_hanging_mount_holds_up_nothing_and_comes_back(wake: threading.Event) -> None:
    asked: list[str] = []

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path)
        if path == NFS.path:
            wake.wait(60)
        return answer()

    disks = source(NFS, ROOT, statvfs=statvfs, patience=0.5)
    first, second = (values(list(disks.collect(ts))) for ts in (1.0, 2.0))
    assert (first["disk_mount_failed", NFS.path], first["disk_mount_failed", "/"]) == (1.0, 0.0)
    assert second == first
    assert asked.count(NFS.path) == 1, "a mount that hangs must not be asked again"
    (hanging,) = disks._hanging.values()
    wake.set()
    hanging.join(10)
    back = values(list(disks.collect(3.0)))
    assert (back["disk_mount_failed", NFS.path], back["disk_usage_percent", NFS.path]) == (0.0, 55.56)


def test_a_process_that_stood_still_blames_no_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        threading.Event().wait(0.05)
        return answer()

    # As after a suspension: the clock went on, and nobody had the time to answer.
    monkeypatch.setattr("perf.sources.disks.perf_counter", itertools.count(0.0, 10.0).__next__)
    found = values(list(source(ROOT, NFS, statvfs=statvfs).collect(1.0)))
    assert (found["disk_mount_failed", "/"], found["disk_mount_failed", NFS.path]) == (0.0, 0.0)


def test_this_machine_has_a_root_with_the_size_the_system_tells() -> None:
    found = values(list(DiskSource(HostSettings(), SystemClock(), patience=30.0).collect(1.0)))
    told = os.statvfs("/")
    assert found["disk_total_bytes", "/"] == told.f_blocks * told.f_frsize
    assert 0.0 <= found["disk_usage_percent", "/"] <= 100.0
