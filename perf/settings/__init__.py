"""One strict tree of settings: defaults < ``perf.toml`` < environment (``PERF_``)."""

from perf.settings.description import Described, describe, in_force
from perf.settings.groups import (
    DashboardSettings,
    HostSettings,
    LogSettings,
    ProcessSettings,
    RecordSettings,
    Retention,
    SendSettings,
    ServerSettings,
    SourceSettings,
    StoreSettings,
)
from perf.settings.loading import child_environment, load, origins
from perf.settings.root import Environment, Settings, as_thresholds

__all__ = [
    "DashboardSettings",
    "Described",
    "Environment",
    "HostSettings",
    "LogSettings",
    "ProcessSettings",
    "RecordSettings",
    "Retention",
    "SendSettings",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "as_thresholds",
    "child_environment",
    "describe",
    "in_force",
    "load",
    "origins",
]
