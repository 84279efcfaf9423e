import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from perf.clock import ManualClock, SystemClock
from perf.model import Sample
from perf.settings import HostSettings
from perf.sources import host
from perf.sources.cgroup import Cgroup
from perf.sources.host import HostSource

MIB = 2**20


def values(samples: list[Sample]) -> dict[str, float]:
    return {one.metric.name: one.value for one in samples if not one.labels}


def container(folder: Path, *, memory: str = "max", cpu: str = "max 100000", micros: int = 0) -> Cgroup:
    """A container whose group has used 60 MiB, 10 of them file cache, and *micros* of CPU time."""
    (folder / "self").mkdir(exist_ok=True)
    files = {
        "self/cgroup": "0::/\n",
        "cgroup.controllers": "cpu memory\n",
        "memory.max": memory,
        "memory.current": f"{60 * MIB}\n",
        "memory.stat": f"anon 1\ninactive_file {10 * MIB}\n",
        "cpu.max": cpu,
        "cpu.stat": f"usage_usec {micros}\nuser_usec 0\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return Cgroup(folder, folder)


def bare(folder: Path) -> Cgroup:
    return Cgroup(folder / "none", folder / "none")


def moved(source: HostSource, ts: float) -> dict[str, float]:
    """Values of the next collect once the kernel's CPU clocks moved on."""
    before = sum(psutil.cpu_times()[:4])
    deadline = time.perf_counter() + 10
    while sum(psutil.cpu_times()[:4]) < before + 0.05:
        assert time.perf_counter() < deadline
    return values(list(source.collect(ts)))


def test_cpu_is_absent_first_and_there_second(tmp_path: Path) -> None:
    source = HostSource(HostSettings(), SystemClock(), cgroup=bare(tmp_path))
    first = values(list(source.collect(1.0)))
    second = moved(source, 2.0)
    assert "cpu_usage_percent" not in first
    assert 0.0 <= second["cpu_usage_percent"] <= 100.0
    assert first.keys() == second.keys() - {"cpu_usage_percent"}


def test_every_sample_has_the_stamp_sorted_labels_and_a_described_metric() -> None:
    source = HostSource(HostSettings(), SystemClock())
    list(source.collect(1.0))
    for sample in source.collect(2.0):
        assert sample.ts == 2.0
        assert list(sample.labels) == sorted(sample.labels)
        assert sample.metric.unit
        assert sample.metric.help.endswith(".")


def test_busy_loop_shows_as_cpu_usage(tmp_path: Path) -> None:
    source = HostSource(HostSettings(), SystemClock(), cgroup=bare(tmp_path))
    begin = time.perf_counter()
    list(source.collect(1.0))
    used = time.process_time()
    while time.process_time() - used < 0.5:
        pass
    used = time.process_time() - used
    measured = values(list(source.collect(2.0)))["cpu_usage_percent"]
    # What was measured lasted no longer than all of this.
    ours = 100.0 * used / ((time.perf_counter() - begin) * (os.cpu_count() or 1))
    assert ours * 0.7 <= measured <= 100.0


def test_host_without_limits_reports_all_its_memory(tmp_path: Path) -> None:
    found = values(list(HostSource(HostSettings(), SystemClock(), cgroup=bare(tmp_path)).collect(1.0)))
    assert found["memory_limit_bytes"] == psutil.virtual_memory().total
    assert found["memory_used_bytes"] + found["memory_available_bytes"] == found["memory_limit_bytes"]


def test_container_reports_memory_of_its_limit(tmp_path: Path) -> None:
    cgroup = container(tmp_path, memory=f"{80 * MIB}")
    found = values(list(HostSource(HostSettings(), SystemClock(), cgroup=cgroup).collect(1.0)))
    assert found["memory_limit_bytes"] == 80 * MIB
    assert found["memory_used_bytes"] == 50 * MIB
    assert found["memory_available_bytes"] == 30 * MIB
    assert found["memory_usage_percent"] == 62.5


def test_memory_limit_above_the_machine_is_no_limit(tmp_path: Path) -> None:
    cgroup = container(tmp_path, memory=str(2**50))
    found = values(list(HostSource(HostSettings(), SystemClock(), cgroup=cgroup).collect(1.0)))
    assert found["memory_limit_bytes"] == psutil.virtual_memory().total


def test_container_reports_cpu_of_its_quota(tmp_path: Path) -> None:
    clock = ManualClock()
    source = HostSource(HostSettings(), clock, cgroup=container(tmp_path, cpu="50000 100000", micros=1_000_000))
    list(source.collect(1.0))
    container(tmp_path, cpu="50000 100000", micros=1_750_000)
    clock.move(2.0)
    assert values(list(source.collect(3.0)))["cpu_usage_percent"] == 75.0


def test_quota_that_appears_has_no_value_at_its_first_reading(tmp_path: Path) -> None:
    clock = ManualClock()
    source = HostSource(HostSettings(), clock, cgroup=container(tmp_path))
    list(source.collect(1.0))
    container(tmp_path, cpu="50000 100000", micros=9_000_000)
    clock.move(1.0)
    assert "cpu_usage_percent" not in moved(source, 2.0)


def test_quota_of_more_than_all_cores_is_no_quota(tmp_path: Path) -> None:
    source = HostSource(HostSettings(), ManualClock(), cgroup=container(tmp_path, cpu="100000000 100000"))
    list(source.collect(1.0))
    assert "cpu_usage_percent" in moved(source, 2.0)


def test_swap_is_what_is_not_free(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nSwapCached:  1 kB\nSwapTotal:   4096 kB\nSwapFree:  3072 kB\n")
    found = values(list(HostSource(HostSettings(), SystemClock(), proc=tmp_path).collect(1.0)))
    assert (found["swap_usage_percent"], found["swap_used_bytes"]) == (25.0, MIB)


def test_machine_without_swap_has_no_swap_usage(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("SwapTotal:       0 kB\nSwapFree:        0 kB\n")
    found = values(list(HostSource(HostSettings(), SystemClock(), proc=tmp_path).collect(1.0)))
    assert not found.keys() & {"swap_usage_percent", "swap_used_bytes"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sda", True), ("sda1", False), ("nvme0n1", True), ("loop0", False), ("zram0", False), ("dm-0", False)],
)
def test_only_whole_disks_count(tmp_path: Path, name: str, expected: bool) -> None:
    for listed in ("sda", "nvme0n1", "loop0", "zram0", "dm-0"):
        (tmp_path / listed).mkdir()
    source = HostSource(HostSettings(), ManualClock(), cgroup=bare(tmp_path), blocks=tmp_path)
    assert source._is_whole_disk(name) is expected


def test_system_without_a_list_of_blocks_shows_what_psutil_does(tmp_path: Path) -> None:
    source = HostSource(HostSettings(), ManualClock(), cgroup=bare(tmp_path), blocks=tmp_path / "none")
    assert source._is_whole_disk("disk0")


@pytest.mark.parametrize(
    "name", ["lo", "lo0", "veth12ab", "docker0", "br-0a1b", "virbr0", "cni0", "cali1", "flannel.1"]
)
def test_loopback_and_container_interfaces_are_left_out(name: str) -> None:
    assert host._VIRTUAL_INTERFACE.fullmatch(name)


@pytest.mark.parametrize("name", ["eth0", "ens3", "wlan0", "en0", "bond0", "br0", "wg0", "lowpan0"])
def test_other_interfaces_count(name: str) -> None:
    assert not host._VIRTUAL_INTERFACE.fullmatch(name)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_traffic_agrees_with_the_kernel(tmp_path: Path) -> None:
    source = HostSource(HostSettings(), SystemClock(), cgroup=bare(tmp_path))
    low, samples, high = kernel_bytes(), list(source.collect(1.0)), kernel_bytes()
    found = {dict(one.labels)["interface"]: one.value for one in samples if one.metric is host.RECEIVED}
    assert "lo" not in found
    assert all(low[name] <= value <= high[name] for name, value in found.items())


def kernel_bytes() -> dict[str, int]:
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip(): int(line.partition(":")[2].split()[0]) for line in lines}
