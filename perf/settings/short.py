"""The variables of older systems, each read as the setting that it means now; what is set under its own name wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from perf.errors import SettingsError
from perf.settingtree import PREFIX, put

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Short(msgspec.Struct, frozen=True):
    """The setting that is meant, as keys below each other, and how its text is made of the older one's (empty: as it is)."""

    path: tuple[str, ...]
    read: Callable[[str], str] = str


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"not a number: {text!r}") from None


def _scaled(unit: str, factor: float = 1.0) -> Callable[[str], str]:
    return lambda text: f"{_number(text) * factor:.15g}{unit}"


def _switch(text: str) -> str:
    if text.strip().lower() not in (*_TRUE, *_FALSE):
        raise SettingsError(f"true or false, not {text!r}")
    return "true" if text.strip().lower() in _TRUE else "false"


def _log_and(channel: str) -> Callable[[str], str]:
    return lambda text: f"log,{channel}" if _switch(text) == "true" else "log"


def _caching(text: str) -> str:
    return "" if _switch(text) == "true" else "0"


SHORT: Mapping[str, Short] = {
    "PERF_PERFORMANCE_MONITORING": Short(("record", "enabled"), _switch),
    "PERF_CACHING": Short(("cache", "memory_limit"), _caching),  # a cache without memory keeps nothing
    "PERF_REDIS_ENABLED": Short(("cache", "redis_enabled"), _switch),
    "PERF_REDIS_HOST": Short(("cache", "redis_host")),
    "PERF_REDIS_PORT": Short(("cache", "redis_port")),
    "PERF_ALERT_EMAIL": Short(("alerts", "channels"), _log_and("email")),
    "PERF_ALERT_EMAIL_RECIPIENTS": Short(("alerts", "email", "to")),
    "PERF_ALERT_WEBHOOK_URLS": Short(("alerts", "webhook", "urls")),
    "PERF_HEALTH_PORT": Short(("production", "health_port")),
    "PERF_MAX_MEMORY_MB": Short(("production", "max_memory"), _scaled("MiB")),
    "PERF_MAX_CPU_PERCENT": Short(("production", "max_cpu_percent")),
    "PERFORMANCE_CLEANUP_INTERVAL_MINUTES": Short(("production", "session_interval"), _scaled("m")),
    "PERFORMANCE_MAX_METRIC_HISTORY": Short(("store", "queue_samples")),
    "SLOW_API_THRESHOLD_MS": Short(
        ("thresholds", "http_server_request_duration_seconds", "warning"), _scaled("", 0.001)
    ),
    "SLOW_DB_THRESHOLD_MS": Short(
        ("thresholds", "db_client_operation_duration_seconds", "warning"), _scaled("", 0.001)
    ),
}
"""Older name -> setting."""


def adopt_short(tree: dict[str, Any], root: type, env: Mapping[str, str]) -> None:
    """Put the `SHORT` variables of *env* into *tree*, where it holds nothing. Raises: SettingsError naming the variable."""
    for name, short in SHORT.items():
        if not env.get(name):
            continue
        found: dict[str, Any] = {}
        meant = PREFIX + "__".join(short.path).upper()
        try:
            if text := short.read(env[name]):
                put(found, root, meant, text)
        except SettingsError as error:
            raise SettingsError(f"{name} (now {meant}): {str(error).removeprefix(f'{meant}: ')}") from error
        _fill(tree, found)


def _fill(tree: dict[str, Any], found: Mapping[str, Any]) -> None:
    for key, value in found.items():
        if isinstance(value, dict):
            _fill(tree.setdefault(key, {}), value)
        else:
            tree.setdefault(key, value)
