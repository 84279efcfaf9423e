"""The one list of things that are chosen by name: ``name -> "module:Class"``, imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from perf.errors import PluginError

STORES: Mapping[str, str] = {
    "duckdb": "perf.store.duckdb:DuckDBStore",
    "memory": "perf.store.memory:MemoryStore",
    "remote": "perf.store.remote:RemoteStore",
}

SOURCES: Mapping[str, str] = {
    "host": "perf.sources.host:HostSource",
    "disks": "perf.sources.disks:DiskSource",
    "pressure": "perf.sources.pressure:PressureSource",
    "process": "perf.sources.process:ProcessSource",
}

CHANNELS: Mapping[str, str] = {
    "alertmanager": "perf.alerts.channels.alertmanager:AlertmanagerChannel",
    "apprise": "perf.alerts.channels.apprise:AppriseChannel",
    "email": "perf.alerts.channels.email:EmailChannel",
    "file": "perf.alerts.channels.file:FileChannel",
    "log": "perf.alerts.channels.log:LogChannel",
    "pagerduty": "perf.alerts.channels.pagerduty:PagerDutyChannel",
    "slack": "perf.alerts.channels.slack:SlackChannel",
    "webhook": "perf.alerts.channels.webhook:WebhookChannel",
}

PROBES: Mapping[str, str] = {
    "certificate": "perf.health.probes.certificate:CertificateProbe",
    "data": "perf.health.probes.data:DataProbe",
    "dns": "perf.health.probes.dns:DnsProbe",
    "duckdb": "perf.health.probes.duckdb:DuckDBProbe",
    "http": "perf.health.probes.http:HttpProbe",
    "postgres": "perf.health.probes.postgres:PostgresProbe",
    "redis": "perf.health.probes.redis:RedisProbe",
    "sqlite": "perf.health.probes.sqlite:SQLiteProbe",
}


def resolve(kind: str, name: str, table: Mapping[str, str]) -> type:
    """The class that *table* lists under *name*; *kind* is for the error.

    Raises: PluginError naming what is known, or the package to install.
    """
    if name not in table:
        raise PluginError(f"no {kind} {name!r}; known: {', '.join(sorted(table))}")
    module, _, attribute = table[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == __package__:
            raise
        raise PluginError(f"{kind} {name!r} needs a package that is missing: pip install {package}") from error
    if not isinstance(found, type):
        raise PluginError(f"{kind} {name!r}: {table[name]} is not a class")
    return found
