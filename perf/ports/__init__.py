"""Ports: what the core expects of clocks, sources, stores, probes and the tiers of a cache. Each has at least two real implementations."""

from perf.ports.basics import Clock, Probe, Source
from perf.ports.caches import Backplane, Tier
from perf.ports.distant import Distant, IncidentDesk
from perf.ports.stores import AccessStore, AlertStore, Annotations, MetricStore, Overrides, ProbeStore, Store, Upkeep

__all__ = [
    "AccessStore",
    "AlertStore",
    "Annotations",
    "Backplane",
    "Clock",
    "Distant",
    "IncidentDesk",
    "MetricStore",
    "Overrides",
    "Probe",
    "ProbeStore",
    "Source",
    "Store",
    "Tier",
    "Upkeep",
]
