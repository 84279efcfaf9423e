"""One strict tree of settings: defaults < ``perf.toml`` < environment (``PERF_``)."""

from perf.settings.access import AccessSettings, OidcSettings, User
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
from perf.settings.health import HealthSettings, RatingSettings, ScoreSettings
from perf.settings.loading import child_environment, load, origins
from perf.settings.production import ProductionSettings
from perf.settings.root import Environment, Settings, as_thresholds, check_threshold

__all__ = [
    "AccessSettings",
    "DashboardSettings",
    "Described",
    "Environment",
    "HealthSettings",
    "HostSettings",
    "LogSettings",
    "OidcSettings",
    "ProcessSettings",
    "ProductionSettings",
    "RatingSettings",
    "RecordSettings",
    "Retention",
    "ScoreSettings",
    "SendSettings",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "User",
    "as_thresholds",
    "check_threshold",
    "child_environment",
    "describe",
    "in_force",
    "load",
    "origins",
]
