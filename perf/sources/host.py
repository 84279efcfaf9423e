"""CPU, memory, disk traffic, network and load of this machine, or of the container it is."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from perf.model import Kind, Metric, Sample
from perf.ports import Clock
from perf.settings import HostSettings
from perf.sources.cgroup import Cgroup, CpuLimit, contents
from perf.sources.cputimes import percent, quota_usage, shares

CPU = Metric("cpu_usage_percent", Kind.GAUGE, "%", "CPU time in use, of the container's quota or else of all cores.")
CPU_LIMIT = Metric("cpu_limit_cores", Kind.GAUGE, "1", "The container's CPU quota, in cores; absent without one.")
CORE = Metric("cpu_core_usage_percent", Kind.GAUGE, "%", "CPU time in use, of one core.")
MODE = Metric("cpu_time_percent", Kind.GAUGE, "%", "CPU time spent in one mode, of all cores; idle time is left out.")
LOAD = Metric("load_average", Kind.GAUGE, "1", "Tasks that run or wait to run, averaged over a period.")
MEMORY = Metric("memory_usage_percent", Kind.GAUGE, "%", "Memory that can't be given to others, of the limit.")
MEMORY_USED = Metric("memory_used_bytes", Kind.GAUGE, "By", "Memory that can't be given to others.")
MEMORY_LIMIT = Metric("memory_limit_bytes", Kind.GAUGE, "By", "The container's memory limit, or else all memory.")
MEMORY_FREE = Metric("memory_available_bytes", Kind.GAUGE, "By", "Memory that can be had without swapping.")
SWAP = Metric("swap_usage_percent", Kind.GAUGE, "%", "Swap space in use.")
SWAP_USED = Metric("swap_used_bytes", Kind.GAUGE, "By", "Swap space in use.")
DISK_READ = Metric("disk_read_bytes_total", Kind.COUNTER, "By", "Bytes read from a disk.")
DISK_WRITE = Metric("disk_write_bytes_total", Kind.COUNTER, "By", "Bytes written to a disk.")
DISK_BUSY = Metric("disk_io_seconds_total", Kind.COUNTER, "s", "Time a disk had at least one request to work on.")
RECEIVED = Metric("network_receive_bytes_total", Kind.COUNTER, "By", "Bytes received on an interface.")
SENT = Metric("network_transmit_bytes_total", Kind.COUNTER, "By", "Bytes sent on an interface.")
NET_ERRORS = Metric("network_errors_total", Kind.COUNTER, "1", "Packets with errors on an interface.")
NET_DROPPED = Metric("network_dropped_total", Kind.COUNTER, "1", "Packets dropped on an interface.")

_PERIODS = ("1m", "5m", "15m")
# Traffic of containers passes the real interface, too: counting both would count it twice.
_VIRTUAL_INTERFACE = re.compile(r"lo\d*|(veth|docker|br-|virbr|cni|cali|flannel|podman|lxcbr|lxdbr).*")
_SWAP_LINE = re.compile(r"^Swap(Total|Free): +(\d+) kB$", re.MULTILINE)
_VIRTUAL_DISK = re.compile(r"(loop|ram|zram|sr|fd|dm-|md|bcache).*")
# psutil has no number for packets dropped while sending there and says 0.
_COUNTS_SEND_DROPS = sys.platform.startswith("linux")


class HostSource:
    """Reads the kernel's counters once per collect; percentages come from the difference to the collect before."""

    def __init__(
        self,
        options: HostSettings,  # noqa: ARG002 - every source is made the same way
        clock: Clock,
        *,
        cgroup: Cgroup | None = None,
        proc: Path = Path("/proc"),
        blocks: Path = Path("/sys/block"),
    ) -> None:
        self._clock = clock
        self._cgroup = cgroup or Cgroup()
        self._meminfo = str(proc / "meminfo")
        self._blocks = blocks
        self._disks: dict[str, bool] = {}
        self._times: list[tuple[float, ...]] = []
        self._quota: tuple[float, CpuLimit] | None = None

    def collect(self, ts: float) -> Iterable[Sample]:
        """Samples of everything this system tells, stamped *ts*. CPU shares are absent from the first one."""
        samples = self._cpu(ts)
        if hasattr(os, "getloadavg"):
            loads = zip(_PERIODS, os.getloadavg(), strict=True)
            samples += [Sample(ts, LOAD, (("period", period),), round(load, 2)) for period, load in loads]
        samples += self._memory(ts)
        samples += self._swap(ts)
        samples += self._disk_traffic(ts)
        samples += _network(ts)
        return samples

    def _cpu(self, ts: float) -> list[Sample]:
        now = psutil.cpu_times(percpu=True)
        times = [tuple(core) for core in now]
        spent = shares(now[0]._fields, self._times, times)
        self._times = times
        limited, usage = self._quota_usage()
        if not limited:
            usage = spent.usage
        samples = [] if usage is None else [Sample(ts, CPU, (), usage)]
        if self._quota is not None:
            samples.append(Sample(ts, CPU_LIMIT, (), self._quota[1].cores))
        samples += [Sample(ts, CORE, (("core", str(core)),), busy) for core, busy in spent.cores.items()]
        samples += [Sample(ts, MODE, (("mode", mode),), share) for mode, share in spent.modes.items()]
        return samples

    def _quota_usage(self) -> tuple[bool, float | None]:
        """Whether a quota below all cores limits us, and how much of it is used; None at a group's first reading."""
        limit, moment = self._cgroup.cpu(), self._clock.monotonic()
        if limit is None or limit.cores >= len(self._times):
            self._quota = None
            return False, None
        before, self._quota = self._quota, (moment, limit)
        if before is None or before[1].folder != limit.folder:
            return True, None
        spent = limit.seconds - before[1].seconds
        return True, quota_usage(seconds=spent, elapsed=moment - before[0], cores=limit.cores)

    def _memory(self, ts: float) -> list[Sample]:
        host = psutil.virtual_memory()
        limit, used, available = host.total, host.total - host.available, host.available
        bound = self._cgroup.memory()
        if bound is not None and bound.limit < host.total:
            limit, used = bound.limit, bound.used
            available = min(host.available, max(0, limit - used))
        return [
            Sample(ts, MEMORY, (), percent(used, limit)),
            Sample(ts, MEMORY_USED, (), float(used)),
            Sample(ts, MEMORY_LIMIT, (), float(limit)),
            Sample(ts, MEMORY_FREE, (), float(available)),
        ]

    def _swap(self, ts: float) -> list[Sample]:
        # psutil.swap_memory reads /proc/vmstat as well, for paging: a fifth of a whole collect.
        total, used = _swap_space(contents(self._meminfo))
        if not total:
            return []
        return [Sample(ts, SWAP, (), percent(used, total)), Sample(ts, SWAP_USED, (), float(used))]

    def _disk_traffic(self, ts: float) -> list[Sample]:
        try:
            disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
        except (OSError, NotImplementedError):  # Some sandboxes hide /proc/diskstats.
            return []
        samples = []
        for name, disk in disks.items():
            if not self._is_whole_disk(name) or not disk.read_bytes + disk.write_bytes:
                continue
            labels = (("device", name),)
            samples.append(Sample(ts, DISK_READ, labels, float(disk.read_bytes)))
            samples.append(Sample(ts, DISK_WRITE, labels, float(disk.write_bytes)))
            if hasattr(disk, "busy_time"):
                samples.append(Sample(ts, DISK_BUSY, labels, disk.busy_time / 1000))
        return samples

    def _is_whole_disk(self, name: str) -> bool:
        """Whether *name* is a disk of its own: not a partition, not made of other disks or of memory."""
        if name not in self._disks:
            listed = not self._blocks.is_dir() or (self._blocks / name.replace("/", "!")).is_dir()
            self._disks[name] = listed and not _VIRTUAL_DISK.fullmatch(name)
        return self._disks[name]


def _swap_space(meminfo: str | None) -> tuple[int, int]:
    """Size and use of swap in bytes, from the text of ``/proc/meminfo`` where there is one."""
    found = dict(_SWAP_LINE.findall(meminfo or ""))
    if len(found) == 2:
        total, free = int(found["Total"]) * 1024, int(found["Free"]) * 1024
        return total, total - free
    swap = psutil.swap_memory()
    return swap.total, swap.used


def _network(ts: float) -> list[Sample]:
    try:
        interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
    except OSError:  # Some sandboxes hide /proc/net.
        return []
    samples = []
    for name, nic in interfaces.items():
        if _VIRTUAL_INTERFACE.fullmatch(name) or not nic.bytes_recv + nic.bytes_sent:
            continue
        inward, outward = (
            (("direction", "receive"), ("interface", name)),
            (("direction", "transmit"), ("interface", name)),
        )
        samples.append(Sample(ts, RECEIVED, (("interface", name),), float(nic.bytes_recv)))
        samples.append(Sample(ts, SENT, (("interface", name),), float(nic.bytes_sent)))
        samples.append(Sample(ts, NET_ERRORS, inward, float(nic.errin)))
        samples.append(Sample(ts, NET_ERRORS, outward, float(nic.errout)))
        samples.append(Sample(ts, NET_DROPPED, inward, float(nic.dropin)))
        if _COUNTS_SEND_DROPS:
            samples.append(Sample(ts, NET_DROPPED, outward, float(nic.dropout)))
    return samples
