"""Fills a store with eight days of invented host history: what the screenshots show is never somebody's machine.

python -m tests.e2e.history FILE
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from perf.clock import SystemClock
from perf.health.checker import PROBE_DURATION, PROBE_STATUS
from perf.model import Array, Change, Labels, Metric, Sample
from perf.ports import Clock, MetricStore
from perf.runtime import open_store
from perf.settings import StoreSettings
from perf.sources import disks, host, own, process
from tests.e2e.requests_history import requests

DAY, HOUR = 86_400.0, 3_600.0
DAYS = 8
FINE = 3 * HOUR
AHEAD = 600.0
"""Seconds of the future that are written, too: with its sources off, a dashboard then looks alive for that long."""

SEED = 8503
CORES = 4
MEMORY = 32 * 2**30
DISKS: dict[str, tuple[float, float, float]] = {"/": (120e9, 58.0, 61.3), "/data": (960e9, 71.0, 78.6)}
"""Mount -> size in bytes, and how full it is at first and at last, in percent."""

_BATCH = HOUR


class Course(msgspec.Struct, frozen=True):
    """One invented series: *ts* (n,) in Unix seconds, ascending, and *values* (n,)."""

    metric: Metric
    labels: Labels
    ts: Array
    values: Array


class Story:
    """What happened: working days, a busy spell, an hour without data, a leak that a restart ends."""

    def __init__(self, now: float, offset: float) -> None:
        """Everything is placed relative to *now* in Unix seconds; *offset*: what people's clocks are ahead of UTC, seconds."""
        self.offset = offset
        self.start, self.now, self.end = now - DAYS * DAY, now, now + AHEAD
        self.spell = (now - 6_600.0, now - 5_100.0)
        self.slow_store = (now - 9_300.0, now - 9_120.0)
        self.restart = (now - 2_800.0, now - 2_690.0)
        self.outage = (now - 50 * HOUR, now - 49 * HOUR)
        self.random = np.random.default_rng(SEED)

    def times(self, step: float, fine: float | None = None) -> Array:
        """Times every *step* seconds, and every *fine* seconds in the last three hours, but none while nothing ran."""
        turn = (self.now - FINE) // step * step if fine else self.end
        parts = [np.arange(self.start // step * step, turn, step)]
        if fine:
            parts.append(np.arange(turn, self.end, fine))
        ts = np.concatenate(parts)
        return ts[~(_within(ts, self.outage) | _within(ts, self.restart))]

    def activity(self, ts: Array) -> Array:
        """0 at night to 1 early in a working day's afternoon."""
        local = ts + self.offset
        weekend = (local // DAY + 3.0) % 7.0 >= 5.0  # 1 January 1970 was a Thursday.
        weight: Array = 1.0 - 0.6 * weekend.astype(np.float64)
        shape: Array = np.exp(-(((local % DAY / HOUR - 13.0) / 4.5) ** 2))
        return shape * weight

    def busy(self, ts: Array) -> Array:
        """0, and 1 during the busy spell, with soft ends."""
        begin, end = self.spell
        return np.clip(np.minimum(ts - begin, end - ts) / 60.0, 0.0, 1.0)

    def noise(self, ts: Array, width: int) -> Array:
        """Noise around 0 with deviation 1 whose neighbours within *width* points are alike."""
        white = self.random.standard_normal(len(ts) + width - 1)
        alike: Array = _weighed(white, width) * np.sqrt(width)
        return alike

    def counter(self, ts: Array, rate: Array) -> Array:
        """What a counter of *rate* (n,) per second shows: it grows, and begins again after the restart."""
        total: Array = np.cumsum(rate * np.diff(ts, prepend=ts[0]))
        after = ts >= self.restart[1]
        total[after] -= total[np.argmax(after) - 1]
        total[~after] += 4e9
        return np.round(total)


def courses(story: Story) -> Iterator[Course]:
    """Every series of the host, of perf and of its checks."""
    ts = story.times(10.0, 1.0)
    yield from _processor(story, ts)
    yield from _memory(story, ts)
    yield from _traffic(story, ts)
    slow = story.times(10.0)
    yield from _disks(story, slow)
    yield from _checks(story, slow)
    yield from _own(story, slow)


def changes(now: float) -> list[Change]:
    """Who moved which threshold when, the oldest first."""
    path = "thresholds.memory_usage_percent"
    found = ((6.1, '{"warning":80.0,"critical":97.0}'), (4.3, None), (1.2, '{"warning":85.0,"critical":95.0}'))
    return [Change(ts=now - days * DAY, path=path, value=value, author="dashboard") for days, value in found]


def fill(path: Path, now: float, clock: Clock, *, offset: float = 0.0) -> int:
    """Write the history into the store at *path*, roll it up and seal it; how many samples there are. *offset* as in `Story`."""
    store = open_store(StoreSettings(path=str(path)), clock)
    try:
        found = list(courses(Story(now, offset)))
        first, last = min(one.ts[0] for one in found), max(one.ts[-1] for one in found)
        count = 0
        for begin in np.arange(first, last + 1.0, _BATCH):
            batch = [sample for one in found for sample in _samples(one, begin, begin + _BATCH)]
            store.append(batch)
            count += len(batch)
        count += _requests(store, Story(now, offset))
        for change in changes(now):
            store.override(change)
        quick = 0
        while quick < 2:
            began = perf_counter()
            store.maintain(now)
            quick = quick + 1 if perf_counter() - began < 0.1 else 0
    finally:
        store.close()
    return count


def _requests(store: MetricStore, story: Story) -> int:
    """Write what a shop observed; how many distributions that were."""
    ts = story.times(60.0, 10.0)
    found = list(requests(ts, story.activity(ts), story.now, story.random))
    for begin in range(0, len(found), 5_000):
        store.append(found[begin : begin + 5_000])
    return len(found)


def _samples(course: Course, begin: float, end: float) -> Iterator[Sample]:
    first, last = np.searchsorted(course.ts, (begin, end))
    columns = zip(course.ts[first:last].tolist(), course.values[first:last].tolist(), strict=True)
    return (Sample(ts, course.metric, course.labels, value) for ts, value in columns)


def _weighed(values: Array, width: int) -> Array:
    """The mean of every *width* neighbours of *values* (n,) -> (n - width + 1,)."""
    return np.convolve(values, np.full(width, 1.0 / width), mode="valid").astype(np.float64)


def _within(ts: Array, span: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (ts >= span[0]) & (ts < span[1])


def _processor(story: Story, ts: Array) -> Iterator[Course]:
    calm = 5.0 + 34.0 * story.activity(ts) + 2.5 * story.noise(ts, 30)
    work = calm + (90.0 - calm) * story.busy(ts)
    user = np.clip(work * 0.76 + 1.4 * story.noise(ts, 2), 1.0, 78.0)
    system = np.clip(work * 0.2 + 0.5 * story.noise(ts, 2), 0.4, 19.0)
    modes = {
        "user": user,
        "system": system,
        "iowait": np.clip(0.6 + 0.5 * story.noise(ts, 4) + 4.0 * (ts % HOUR < 90.0), 0.0, 9.0),
        "softirq": np.clip(0.2 + 0.01 * user, 0.0, 3.0),
    }
    usage = user + system + modes["softirq"]
    yield Course(host.CPU, (), ts, np.round(usage, 2))
    for mode, values in modes.items():
        yield Course(host.MODE, (("mode", mode),), ts, np.round(values, 2))
    for core in range(CORES):
        share = np.clip(usage * (1.12 - 0.08 * core) + 3.0 * story.noise(ts, 3), 0.0, 100.0)
        recent = ts >= story.now - FINE
        yield Course(host.CORE, (("core", str(core)),), ts[recent], np.round(share[recent], 2))
    yield from _load(ts, usage)


def _load(ts: Array, usage: Array) -> Iterator[Course]:
    slow = ts[ts % 10.0 == 0.0]
    queue = np.interp(slow, ts, usage) * CORES / 92.0
    for period, points in (("1m", 6), ("5m", 30), ("15m", 90)):
        mean = _weighed(np.pad(queue, (points - 1, 0), mode="edge"), points)
        yield Course(host.LOAD, (("period", period),), slow, np.round(mean, 2))


def _memory(story: Story, ts: Array) -> Iterator[Course]:
    before = (ts < story.restart[0]).astype(np.float64)
    leak: Array = 39.0 + before * (2.0 + 33.0 * (ts - story.start) / (story.now - story.start))
    share = leak + 3.0 * story.activity(ts) + 6.0 * story.busy(ts) + 0.25 * story.noise(ts, 40)
    yield Course(host.MEMORY, (), ts, np.round(share, 2))
    slow = ts[ts % 10.0 == 0.0]
    used = np.round(np.interp(slow, ts, share) / 100.0 * MEMORY)
    yield Course(host.MEMORY_USED, (), slow, used)
    yield Course(host.MEMORY_FREE, (), slow, MEMORY - used)
    yield Course(host.MEMORY_LIMIT, (), slow, np.full(len(slow), float(MEMORY)))


def _traffic(story: Story, ts: Array) -> Iterator[Course]:
    pace = 0.15 + story.activity(ts) + 1.4 * story.busy(ts)
    backup = 38e6 * (ts % HOUR < 90.0)
    device, interface = (("device", "nvme0n1"),), (("interface", "eth0"),)
    for metric, labels, rate in (
        (host.DISK_WRITE, device, 2.4e6 * pace * np.exp(0.35 * story.noise(ts, 3)) + 0.2 * backup),
        (host.DISK_READ, device, 0.9e6 * pace * np.exp(0.6 * story.noise(ts, 3)) + backup),
        (host.RECEIVED, interface, 1.7e6 * pace * np.exp(0.25 * story.noise(ts, 5))),
        (host.SENT, interface, 0.6e6 * pace * np.exp(0.3 * story.noise(ts, 5)) + 0.1 * backup),
    ):
        yield Course(metric, labels, ts, story.counter(ts, rate))


def _disks(story: Story, ts: Array) -> Iterator[Course]:
    part = (ts - story.start) / (story.now - story.start)
    for mount, (size, first, last) in DISKS.items():
        share = first + (last - first) * part
        labels = (("mount", mount),)
        yield Course(disks.USAGE, labels, ts, np.round(share, 2))
        minutes = ts % 60.0 == 0.0
        yield Course(disks.FREE, labels, ts[minutes], np.round(size * (1.0 - share[minutes] / 100.0)))
        yield Course(disks.TOTAL, labels, ts[minutes], np.full(int(minutes.sum()), size))


def _checks(story: Story, ts: Array) -> Iterator[Course]:
    spans = {"resources": story.spell, "store": story.slow_store, "disk": None, "loops": None}
    for probe, span in spans.items():
        labels = (("probe", probe),)
        degraded = _within(ts, span) if span else np.zeros(len(ts), np.bool_)
        yield Course(PROBE_STATUS, labels, ts, 2.0 * degraded.astype(np.float64))
        recent = ts[ts >= story.now - DAY]
        seconds: Array = 0.002 * np.exp(0.3 * story.noise(recent, 2))
        yield Course(PROBE_DURATION, labels, recent, seconds)


def _own(story: Story, ts: Array) -> Iterator[Course]:
    ts = ts[ts < story.now]  # From here on it speaks for itself.
    labels = (("process", process.OWN),)
    share: Array = np.clip(1.3 + 0.2 * story.noise(ts, 3), 0.5, 9.0)
    yield Course(process.CPU, labels, ts, np.round(share, 2))
    yield Course(process.MEMORY, labels, ts, np.round(2.1e8 + 4e6 * story.noise(ts, 60)))
    recent = ts[ts >= story.now - DAY]
    part = (recent - story.start) / (story.now - story.start)
    yield Course(own.COMMIT, (), recent, np.round(0.0024 * np.exp(0.25 * story.noise(recent, 2)), 6))
    yield Course(own.STORED, (), recent, story.counter(recent, np.full(len(recent), 27.0)))
    yield Course(own.DROPPED, (("reason", "queue_full"),), recent, np.zeros(len(recent)))
    yield Course(own.FILE, (), recent, np.round(4.2e7 * part).astype(np.float64))


def main() -> None:
    """Fill the file that the command line names."""
    clock = SystemClock()
    began = perf_counter()
    count = fill(Path(sys.argv[1]), clock.now(), clock)
    sys.stdout.write(f"{count:,} samples in {perf_counter() - began:.1f} s\n")


if __name__ == "__main__":
    main()
