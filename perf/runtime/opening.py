"""Opens what settings name: the store, and the sources with their intervals."""

from __future__ import annotations

from perf import ownerfile
from perf.errors import StoreLocked
from perf.plugins import SOURCES, STORES, resolve
from perf.ports import Clock, MetricStore
from perf.settings import Settings, StoreSettings
from perf.sources.sampler import Scheduled


def open_store(settings: StoreSettings, clock: Clock) -> MetricStore:
    """The store that *settings* name. Raises: StoreLocked when another process owns it, StoreError, PluginError."""
    try:
        store: MetricStore = resolve("store", settings.backend, STORES)(settings, clock)
    except StoreLocked as error:
        owner = ownerfile.read(settings.path)
        if owner is None or owner.pid != error.pid:
            raise
        raise StoreLocked(f"{error} (it answers at {owner.url})", pid=error.pid) from error
    return store


def scheduled_sources(settings: Settings, clock: Clock, *, distant: bool = False) -> list[Scheduled]:
    """Every source that *settings* switch on, with its interval; of a machine whose store is *distant* only what they ask for there."""
    host, process = settings.sources.host, settings.sources.process
    machine = host.enabled and (settings.store.remote.host or not distant)
    wanted = [
        ("host", machine, host, host.interval),
        ("disks", machine, host, host.slow_interval),
        ("pressure", machine, host, host.slow_interval),
        ("process", process.enabled, process, process.interval),
    ]
    return [
        Scheduled(name, resolve("source", name, SOURCES)(options, clock), interval)
        for name, enabled, options, interval in wanted
        if enabled
    ]
