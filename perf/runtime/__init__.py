"""The composition root: makes every part, connects them, starts their threads and stops them again. Decides nothing."""

from perf.runtime.opening import open_store, scheduled_sources
from perf.runtime.owner import Runtime

__all__ = ["Runtime", "open_store", "scheduled_sources"]
