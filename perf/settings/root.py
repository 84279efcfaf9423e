"""The whole tree, its defaults by environment, and the rules between settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from perf.alertsettings import AlertSettings, problems
from perf.cachesettings import CacheSettings
from perf.decoding import from_json
from perf.errors import SettingsError
from perf.model import Threshold
from perf.settings.access import AccessSettings
from perf.settings.access import problems as access_problems
from perf.settings.api import ApiSettings
from perf.settings.groups import (
    DashboardSettings,
    LogSettings,
    RecordSettings,
    SendSettings,
    ServerSettings,
    SourceSettings,
    StoreSettings,
)
from perf.settings.health import HealthSettings
from perf.settings.health import problems as health_problems
from perf.settings.production import ProductionSettings
from perf.settingtree import Group, says

THRESHOLDS = {
    "cpu_usage_percent": Threshold(80.0, 95.0),
    "memory_usage_percent": Threshold(90.0, 97.0),
    "disk_usage_percent": Threshold(85.0, 95.0),
    "swap_usage_percent": Threshold(50.0, 90.0),
}


class Environment(StrEnum):
    """Where perf runs; changes defaults only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TESTING = "testing"


class Settings(Group, frozen=True):
    """The whole tree."""

    environment: Annotated[
        Environment, says("development; production logs warnings as JSON; testing keeps data in memory")
    ] = Environment.DEVELOPMENT
    insecure: Annotated[bool, says("true: listen on any address, although nobody signs in")] = False
    store: StoreSettings = StoreSettings()
    sources: SourceSettings = SourceSettings()
    record: RecordSettings = RecordSettings()
    send: SendSettings = SendSettings()
    cache: CacheSettings = CacheSettings()
    server: ServerSettings = ServerSettings()
    dashboard: DashboardSettings = DashboardSettings()
    api: ApiSettings = ApiSettings()
    alerts: AlertSettings = AlertSettings()
    access: AccessSettings = AccessSettings()
    health: HealthSettings = HealthSettings()
    logs: LogSettings = LogSettings()
    production: ProductionSettings = ProductionSettings()
    thresholds: Annotated[dict[str, Threshold], says("warning and critical limits by metric")] = msgspec.field(
        default_factory=lambda: dict(THRESHOLDS)
    )


BY_ENVIRONMENT: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    Environment.DEVELOPMENT: {},
    Environment.PRODUCTION: {"logs": {"level": "WARNING", "format": "json"}},
    Environment.TESTING: {"store": {"backend": "memory"}},
}
"""Defaults that differ; whatever is set wins."""


def as_thresholds(value: str) -> Threshold:
    """A threshold from the JSON of an override.

    Raises: SettingsError when it isn't one.
    """
    try:
        threshold = from_json(value, Threshold)
    except msgspec.DecodeError as error:
        raise SettingsError(f"threshold {value}: {error}") from error
    check_threshold(f"threshold {value}", threshold)
    return threshold


def check_threshold(where: str, threshold: Threshold) -> None:
    """Raises: SettingsError, naming *where*, when *threshold* contradicts itself, or is one that nothing can reach."""
    limits = [limit for limit in (threshold.warning, threshold.critical) if limit is not None]
    if not all(math.isfinite(limit) for limit in limits):
        raise SettingsError(f"{where}: a limit must be a finite number")
    if threshold.critical is not None and threshold.critical < threshold.warning:
        raise SettingsError(
            f"{where}: critical ({threshold.critical:g}) must not lie below warning ({threshold.warning:g})"
        )


def check(settings: Settings) -> None:
    """Raises: SettingsError for settings that contradict each other."""
    keep = settings.store.retention
    if not keep.raw <= keep.minute <= keep.hour:
        raise SettingsError(
            "store.retention: a coarser level must be kept at least as long: "
            f"raw {keep.raw:g} s, minute {keep.minute:g} s, hour {keep.hour:g} s"
        )
    if contradiction := problems(settings.alerts) or health_problems(settings.health):
        raise SettingsError(contradiction)
    for problem in access_problems(settings.access):
        raise SettingsError(problem)
    if settings.logs.format not in ("text", "json"):
        raise SettingsError(f"logs.format: {settings.logs.format!r}; known: json, text")
    own = settings.production
    if own.pause >= own.grace:
        raise SettingsError(f"production.pause: {own.pause:g} s leave nothing of production.grace, {own.grace:g} s")
    for name, threshold in settings.thresholds.items():
        check_threshold(f"thresholds.{name}", threshold)
