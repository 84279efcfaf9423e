"""perf: a performance monitor in one process, with its data in a DuckDB file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf.monitoring import (
        PerformanceMonitor,
        PerformanceTimer,
        get_performance_monitor,
        monitor_performance,
        start_performance_monitoring,
        track_performance,
    )

__version__ = "0.1.0"

__all__ = [
    "PerformanceMonitor",
    "PerformanceTimer",
    "get_performance_monitor",
    "monitor_performance",
    "start_performance_monitoring",
    "track_performance",
]


def __getattr__(name: str) -> object:
    """Public names, imported at first use."""
    if name in __all__:
        return getattr(importlib.import_module("perf.monitoring"), name)
    raise AttributeError(f"module 'perf' has no attribute {name!r}")
