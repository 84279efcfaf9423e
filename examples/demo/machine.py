"""The host of the demo, invented: processor, memory, disks, network, perf's checks and perf itself."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import numpy as np

from examples.demo.course import Course, Line
from examples.demo.story import DAY, HOUR, MINUTE, Story, averaged, within
from perf.health.checker import PROBE_DURATION, PROBE_STATUS
from perf.model import Array
from perf.ports import Clock
from perf.settings import HostSettings
from perf.sources import disks, host, own, process
from perf.sources.disks import DiskSource
from perf.sources.host import HostSource
from perf.views.health import SCORE

FINE = 3 * HOUR
GRID = ((np.inf, 120.0), (2.5 * DAY, 10.0), (FINE, 1.0))
SLOW_GRID = ((np.inf, 120.0), (2.5 * DAY, 10.0))

_FILLED = {"/": 0.946, "/data": 0.903}
_DEVICES = ("nvme0n1", "vda", "sda", "disk0")
_INTERFACES = ("eth0", "ens3", "net0", "uplink0")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the history ends at: *memory* in bytes and *used* of it in percent, *disks* as mount -> (bytes, percent in use)."""

    cores: int = 4
    memory: float = 32.0 * 2**30
    used: float = 39.0
    disks: dict[str, tuple[float, float]] = msgspec.field(
        default_factory=lambda: {"/": (120e9, 61.3), "/data": (960e9, 78.6)}
    )
    device: str = _DEVICES[0]
    interface: str = _INTERFACES[0]


def present(clock: Clock) -> Machine:
    """The machine that this runs on, as perf sees it, so that what is measured from now on goes on where the history ends.

    Traffic is invented for a device and an interface that aren't here: a counter can't go on from another's total.
    """
    settings = HostSettings()
    found = [*HostSource(settings, clock).collect(clock.now()), *DiskSource(settings, clock).collect(clock.now())]
    one = {sample.metric.name: sample.value for sample in found}
    by_mount = {
        metric.name: {
            dict(sample.labels)["mount"]: sample.value for sample in found if sample.metric.name == metric.name
        }
        for metric in (disks.TOTAL, disks.USAGE)
    }
    taken = {value for sample in found for _, value in sample.labels}
    return Machine(
        cores=os.cpu_count() or 1,
        memory=one[host.MEMORY_LIMIT.name],
        used=one[host.MEMORY.name],
        disks={
            mount: (size, by_mount[disks.USAGE.name].get(mount, 0.0))
            for mount, size in by_mount[disks.TOTAL.name].items()
        },
        device=next(name for name in _DEVICES if name not in taken),
        interface=next(name for name in _INTERFACES if name not in taken),
    )


def courses(story: Story, machine: Machine) -> Iterator[Course]:
    """Every series of the host, of perf and of its checks."""
    ts = story.times(GRID)
    yield from _processor(story, machine, ts)
    yield from _memory(story, machine, ts)
    yield from _traffic(story, machine, ts)
    slow = story.times(SLOW_GRID)
    yield from _disks(story, machine, slow)
    yield from _checks(story, slow)
    yield from _own(story, slow)


def _processor(story: Story, machine: Machine, ts: Array) -> Iterator[Course]:
    calm = 5.0 + 34.0 * story.activity(ts) + 2.5 * story.noise(ts, 30)
    work = calm + (90.0 - calm) * story.crowd(ts)
    user = np.clip(work * 0.76 + 1.4 * story.noise(ts, 2), 1.0, 78.0)
    system = np.clip(work * 0.2 + 0.5 * story.noise(ts, 2), 0.4, 19.0)
    modes = {
        "user": user,
        "system": system,
        "iowait": np.clip(0.6 + 0.5 * story.noise(ts, 4) + 4.0 * (ts % HOUR < 90.0), 0.0, 9.0),
        "softirq": np.clip(0.2 + 0.01 * user, 0.0, 3.0),
    }
    usage = user + system + modes["softirq"]
    yield Line(host.CPU, (), ts, np.round(usage, 2))
    for mode, values in modes.items():
        yield Line(host.MODE, (("mode", mode),), ts, np.round(values, 2))
    recent = ts >= story.now - FINE
    for core in range(machine.cores):
        share = usage[recent] * (1.12 - 0.24 * core / machine.cores) + 3.0 * story.noise(ts[recent], 3)
        yield Line(host.CORE, (("core", str(core)),), ts[recent], np.round(np.clip(share, 0.0, 100.0), 2))
    yield from _load(machine, ts, usage)


def _load(machine: Machine, ts: Array, usage: Array) -> Iterator[Course]:
    slow = ts[ts % 10.0 == 0.0]
    queue = np.interp(slow, ts, usage) * machine.cores / 92.0
    for period, points in (("1m", 6), ("5m", 30), ("15m", 90)):
        mean = averaged(np.pad(queue, (points - 1, 0), mode="edge"), points)
        yield Line(host.LOAD, (("period", period),), slow, np.round(mean, 2))


def _memory(story: Story, machine: Machine, ts: Array) -> Iterator[Course]:
    before = (ts < story.restart[0]).astype(np.float64)
    leak: Array = machine.used + before * (96.0 - machine.used) * (0.05 + 0.58 * story.growth(ts))
    share = leak + 3.0 * (story.activity(ts) - story.activity(np.array([story.now]))) + 6.0 * story.crowd(ts)
    share = np.clip(share + 0.25 * story.noise(ts, 40), 1.0, 99.0)
    yield Line(host.MEMORY, (), ts, np.round(share, 2))
    slow = ts[ts % 10.0 == 0.0]
    used = np.round(np.interp(slow, ts, share) / 100.0 * machine.memory)
    yield Line(host.MEMORY_USED, (), slow, used)
    yield Line(host.MEMORY_FREE, (), slow, machine.memory - used)
    yield Line(host.MEMORY_LIMIT, (), slow, np.full(len(slow), machine.memory))


def _traffic(story: Story, machine: Machine, ts: Array) -> Iterator[Course]:
    pace = 0.15 + story.activity(ts) + 1.4 * story.crowd(ts)
    backup = 38e6 * (ts % HOUR < 90.0)
    device, interface = (("device", machine.device),), (("interface", machine.interface),)
    for metric, labels, rate in (
        (host.DISK_WRITE, device, 2.4e6 * pace * np.exp(0.35 * story.noise(ts, 3)) + 0.2 * backup),
        (host.DISK_READ, device, 0.9e6 * pace * np.exp(0.6 * story.noise(ts, 3)) + backup),
        (host.RECEIVED, interface, 1.7e6 * pace * np.exp(0.25 * story.noise(ts, 5))),
        (host.SENT, interface, 0.6e6 * pace * np.exp(0.3 * story.noise(ts, 5)) + 0.1 * backup),
    ):
        yield Line(metric, labels, ts, story.counter(ts, rate))


def _disks(story: Story, machine: Machine, ts: Array) -> Iterator[Course]:
    for mount, (size, last) in machine.disks.items():
        share = last * (_FILLED.get(mount, 0.95) + (1.0 - _FILLED.get(mount, 0.95)) * story.growth(ts))
        labels = (("mount", mount),)
        yield Line(disks.USAGE, labels, ts, np.round(share, 2))
        minutes = ts % MINUTE == 0.0
        yield Line(disks.FREE, labels, ts[minutes], np.round(size * (1.0 - share[minutes] / 100.0)))
        yield Line(disks.TOTAL, labels, ts[minutes], np.full(int(minutes.sum()), size))


def _checks(story: Story, ts: Array) -> Iterator[Course]:
    spans = {"resources": story.newsletter, "store": story.slow_store}
    for probe in ("store", "resources", "disk", "loops", "application", "heartbeat"):
        span = spans.get(probe)
        labels = (("probe", probe),)
        degraded = within(ts, span) if span else np.zeros(len(ts), np.bool_)
        yield Line(PROBE_STATUS, labels, ts, 2.0 * degraded.astype(np.float64))
        recent = ts[ts >= story.now - DAY]
        seconds: Array = 0.002 * np.exp(0.3 * story.noise(recent, 2))
        yield Line(PROBE_DURATION, labels, recent, seconds)
    minutes = ts[ts % MINUTE == 0.0]
    yield Line(
        SCORE,
        (),
        minutes,
        np.round(98.0 + 0.8 * story.noise(minutes, 5) - 27.0 * story.crowd(minutes), 1).clip(0.0, 100.0),
    )


def _own(story: Story, ts: Array) -> Iterator[Course]:
    ts = ts[ts < story.now]  # From here on it speaks for itself.
    labels = (("process", process.OWN),)
    share: Array = np.clip(1.3 + 0.2 * story.noise(ts, 3), 0.5, 9.0)
    yield Line(process.CPU, labels, ts, np.round(share, 2))
    yield Line(process.MEMORY, labels, ts, np.round(2.1e8 + 4e6 * story.noise(ts, 60)))
    recent = ts[ts >= story.now - DAY]
    yield Line(own.COMMIT, (), recent, np.round(0.0024 * np.exp(0.25 * story.noise(recent, 2)), 6))
    yield Line(own.STORED, (), recent, story.counter(recent, np.full(len(recent), 27.0)))
    yield Line(own.DROPPED, (("reason", "queue_full"),), recent, np.zeros(len(recent)))
    yield Line(own.FILE, (), recent, np.round(4.2e7 * story.growth(recent)).astype(np.float64))
