"""The health checks of an owner: which there are, and what each looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.health.probes.delivery import DeliveryProbe
from perf.health.probes.disk import DiskProbe
from perf.health.probes.heartbeat import HeartbeatProbe
from perf.health.probes.loops import LoopsProbe
from perf.health.probes.resources import ResourcesProbe
from perf.health.probes.store import StoreProbe
from perf.model import Selector, SeriesInfo
from perf.ports import Probe

if TYPE_CHECKING:
    from perf.runtime.owner import Runtime


def probes(runtime: Runtime) -> dict[str, Probe]:
    """Name -> probe, of everything that *runtime* consists of."""
    settings, store, clock = runtime.settings.store, runtime.store, runtime.clock

    def latest(selector: Selector) -> list[SeriesInfo]:
        return [info for info in store.series() if selector.matches(info.metric.name, info.labels)]

    return {
        "store": StoreProbe(
            store.rows,
            store.usage,
            runtime.writer.stats,
            clock,
            wal_limit=settings.wal_limit,
            capacity=settings.queue_samples,
        ),
        "resources": ResourcesProbe(store.read, runtime.thresholds, clock),
        "disk": DiskProbe(store.usage, latest, runtime.thresholds, clock, floor=settings.free_space_floor),
        "loops": LoopsProbe(runtime.beats, clock, problems=runtime.sampler.problems),
        "heartbeat": HeartbeatProbe(store.series, store.read, clock),
        "delivery": DeliveryProbe(runtime.sender.stats, store.alerts.waiting, runtime.missed_beats, clock),
    }
