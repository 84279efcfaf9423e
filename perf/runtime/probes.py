"""The health checks of an owner: which there are, and what each looks at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from perf.health.configured import configured
from perf.health.plan import Plan
from perf.health.probes.application import ApplicationProbe
from perf.health.probes.delivery import DeliveryProbe
from perf.health.probes.disk import DiskProbe
from perf.health.probes.heartbeat import HeartbeatProbe
from perf.health.probes.limits import LimitsProbe
from perf.health.probes.loops import LoopsProbe
from perf.health.probes.owner import OwnerProbe
from perf.health.probes.resources import ResourcesProbe
from perf.health.probes.store import StoreProbe
from perf.model import Selector, SeriesInfo, StoreUsage
from perf.ports import Clock, Probe

if TYPE_CHECKING:
    from perf.runtime.owner import Runtime


SHARED_SECONDS = 2.0
"""How old what the store holds may be for a probe: those that are due in one turn ask for it once."""


class SharedUsage:
    """What the store holds, asked once for everybody who wants it within `SHARED_SECONDS`; a failure is asked about again."""

    def __init__(self, usage: Callable[[], StoreUsage], clock: Clock) -> None:
        self._usage, self._clock = usage, clock
        self._lock = threading.Lock()
        self._newest: tuple[float, StoreUsage] | None = None

    def __call__(self) -> StoreUsage:
        """Raises: as the store does."""
        with self._lock:
            if self._newest is not None and self._clock.monotonic() - self._newest[0] < SHARED_SECONDS:
                return self._newest[1]
            began = self._clock.monotonic()
            found = self._usage()
            self._newest = began, found
            return found


def planned(runtime: Runtime) -> tuple[dict[str, Probe], dict[str, Plan]]:
    """Every probe by name, and when it runs: perf's own, and those that its settings name.

    Raises: SettingsError, PluginError.
    """
    own, store = probes(runtime), runtime.settings.store
    file = Path(store.path).expanduser() if store.backend == "duckdb" else None
    added, plans = configured(runtime.settings.health, own, runtime.clock, file)
    return own | added, plans


def probes(runtime: Runtime) -> dict[str, Probe]:
    """Name -> probe, of everything that *runtime* consists of."""
    settings, store, clock = runtime.settings.store, runtime.store, runtime.clock
    limits, usage = runtime.limits, SharedUsage(store.usage, clock)
    loops = LoopsProbe(runtime.beats, clock, problems=runtime.sampler.problems)
    if runtime.distant is not None:
        return {"owner": OwnerProbe(runtime.away, store.series, clock), "loops": loops}

    def latest(selector: Selector) -> list[SeriesInfo]:
        return [info for info in store.series() if selector.matches(info.metric.name, info.labels)]

    return {
        "store": StoreProbe(
            store.rows,
            usage,
            runtime.writer.stats,
            clock,
            wal_limit=settings.wal_limit,
            capacity=settings.queue_samples,
        ),
        "resources": ResourcesProbe(store.read, runtime.thresholds, clock),
        "disk": DiskProbe(usage, latest, runtime.thresholds, clock, floor=settings.free_space_floor),
        "loops": loops,
        "application": ApplicationProbe(latest, runtime.writer.stats, clock, capacity=settings.queue_samples),
        "heartbeat": HeartbeatProbe(store.series, store.read, clock),
        "delivery": DeliveryProbe(runtime.sender.stats, store.alerts.waiting, runtime.missed_beats, clock),
        **({"limits": LimitsProbe(limits.over, limits.use, clock)} if limits.set else {}),
    }
