"""One strict tree of settings: defaults < ``perf.toml`` < environment (``PERF_``). The only reader of the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from perf.alertsettings import AlertSettings, problems
from perf.cachesettings import CacheSettings
from perf.errors import SettingsError
from perf.model import Threshold
from perf.settingtree import FOREIGN, PREFIX, Bytes, Group, Seconds, adopt, fitted, meaning, plain, put, says, written


class Environment(StrEnum):
    """Where perf runs; changes defaults only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TESTING = "testing"


class Retention(Group, frozen=True):
    """How long each level of the store keeps its rows."""

    raw: Annotated[Seconds, says("raw samples")] = 7 * 86_400.0
    minute: Annotated[Seconds, says("the roll-up to a minute")] = 90 * 86_400.0
    hour: Annotated[Seconds, says("the roll-up to an hour")] = 2 * 31_536_000.0


class StoreSettings(Group, frozen=True):
    """Where samples live, and how much memory and disk the store may take."""

    backend: Annotated[str, says("duckdb, or memory (forgets everything at the end)")] = "duckdb"
    path: Annotated[str, says("the file; its folder is made")] = "data/perf.duckdb"
    memory_limit: Annotated[Bytes, says("what DuckDB may take")] = 256 * 2**20
    threads: Annotated[int, msgspec.Meta(ge=1, le=64), says("threads of a query")] = 2
    seal_every: Annotated[Seconds, says("how often new samples are sorted into runs")] = 6 * 3600.0
    wal_limit: Annotated[Bytes, says("write-ahead log at which it is folded into the file")] = 16 * 2**20
    free_space_floor: Annotated[Bytes, says("below it the oldest samples make room for new ones")] = 256 * 2**20
    queue_samples: Annotated[int, msgspec.Meta(ge=1_000), says("samples that may wait for the writer")] = 200_000
    retention: Retention = Retention()


class HostSettings(Group, frozen=True):
    """CPU, memory, disks, network, load and pressure of the machine (or its container's limits)."""

    enabled: Annotated[bool, says("whether the machine is read")] = True
    interval: Annotated[Seconds, says("how often it is read")] = 1.0
    slow_interval: Annotated[Seconds, says("how often space on disks and pressure are read")] = 10.0


class ProcessSettings(Group, frozen=True):
    """perf's own process, and others chosen by *pids* or by *names* (their command's name)."""

    enabled: Annotated[bool, says("whether processes are read")] = True
    interval: Annotated[Seconds, says("how often they are read")] = 10.0
    pids: Annotated[tuple[int, ...], says("other processes by number")] = ()
    names: Annotated[tuple[str, ...], says("other processes by the name of their command")] = ()


class SourceSettings(Group, frozen=True):
    """What is read, and how often."""

    host: HostSettings = HostSettings()
    process: ProcessSettings = ProcessSettings()


class RecordSettings(Group, frozen=True):
    """What this process records about its own functions, requests and queries, and what that may cost."""

    enabled: Annotated[bool, says("whether what is recorded is stored")] = True
    interval: Annotated[Seconds, says("how often it is")] = 1.0
    max_cpu: Annotated[float, msgspec.Meta(gt=0, le=1), says("share of a core; above it calls are sampled")] = 0.01
    traces: Annotated[bool, says("whether a call a second and function tells who calls whom")] = True
    slowest: Annotated[int, msgspec.Meta(ge=1, le=100), says("slow calls kept each minute and series")] = 10
    arguments: Annotated[bool, says("true: slow calls keep values of arguments, not only types and lengths")] = False
    release: Annotated[str, says("what is deployed; else PERF_RELEASE, or the git commit of the current folder")] = ""


class SendSettings(Group, frozen=True):
    """Where a program that owns no store sends what it records, and where that waits while nobody takes it."""

    enabled: Annotated[bool, says("false: what a program records stays in its memory")] = True
    url: Annotated[str, says("the owner of a store, or any OTLP collector; else OTEL_EXPORTER_OTLP_ENDPOINT")] = (
        "http://127.0.0.1:8503"
    )
    headers: Annotated[str, says("sent with every batch: name=value,...; else OTEL_EXPORTER_OTLP_HEADERS")] = ""
    service: Annotated[str, says("name of the program; else OTEL_SERVICE_NAME, or its file's name")] = ""
    spool: Annotated[str, says("file in which batches wait; programs may share it")] = "data/perf.spool"
    spool_limit: Annotated[Bytes, says("size of what may wait; then the oldest is dropped, and counted")] = 64 * 2**20


class ServerSettings(Group, frozen=True):
    """Where ``python -m perf serve`` listens; the dashboard's address stands in ``.streamlit/config.toml``."""

    host: Annotated[str, says("address to listen on")] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535), says("port; 0 takes a free one")] = 8503


class DashboardSettings(Group, frozen=True):
    """What a first visit shows."""

    refresh: Annotated[Seconds, says("longest time between refreshes of a live page")] = 5.0
    range: Annotated[str, says("range of a first visit, once there are data for it")] = "3h"


class LogSettings(Group, frozen=True):
    """What perf logs, and how: ``text`` for people, ``json`` one object a line."""

    level: Annotated[str, says("DEBUG, INFO, WARNING, ERROR or CRITICAL")] = "INFO"
    format: Annotated[str, says("text, or json for one object a line")] = "text"


_SECRET = (
    "headers",
    "password",
    "secret",
    "token",
    "routing_key",
    "slack.url",
    "webhook.urls",
    "apprise.urls",
    "heartbeat.url",
)
_THRESHOLDS = {
    "cpu_usage_percent": Threshold(80.0, 95.0),
    "memory_usage_percent": Threshold(90.0, 97.0),
    "disk_usage_percent": Threshold(85.0, 95.0),
    "swap_usage_percent": Threshold(50.0, 90.0),
}


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
    alerts: AlertSettings = AlertSettings()
    logs: LogSettings = LogSettings()
    thresholds: Annotated[dict[str, Threshold], says("warning and critical limits by metric")] = msgspec.field(
        default_factory=lambda: dict(_THRESHOLDS)
    )


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A setting: its key, its variable, its default as JSON and as people write it, what it means, its type, and whether nobody may read it."""

    key: str
    variable: str
    default: str
    shown: str
    meaning: str
    kind: Any  # Any: the type of a setting, which has no type of its own
    secret: bool


_BY_ENVIRONMENT: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    Environment.DEVELOPMENT: {},
    Environment.PRODUCTION: {"logs": {"level": "WARNING", "format": "json"}},
    Environment.TESTING: {"store": {"backend": "memory"}},
}
"""Defaults that differ; whatever is set wins."""


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the tree. *path* defaults to ``PERF_CONFIG``, else ``perf.toml`` in the current folder, if there is one.

    Raises: SettingsError naming the file or variable, the key, and the nearest known key.
    """
    env = dict(os.environ if environ is None else environ)
    named = path or (Path(env["PERF_CONFIG"]) if env.get("PERF_CONFIG") else None)
    file = named or Path("perf.toml")
    tree: dict[str, Any] = {}  # raw TOML: validated below, key by key
    if named is not None or file.exists():
        tree = fitted(_toml(file), Settings, str(file), ())
    for name, value in sorted(env.items()):
        if name.startswith(PREFIX) and name not in ("PERF_CONFIG", *FOREIGN):
            put(tree, Settings, name, value)
    adopt(tree, env)
    tree["thresholds"] = _over_defaults(tree.get("thresholds", {}))
    for group, values in _BY_ENVIRONMENT.get(tree.get("environment", ""), {}).items():
        tree[group] = {**values, **tree.get(group, {})}
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from error
    _check(settings)
    return settings


def origins(path: Path | None = None, environ: Mapping[str, str] | None = None) -> tuple[Path | None, tuple[str, ...]]:
    """Where `load` takes its values from: the file (None without one) and the names of the variables that are set."""
    env = os.environ if environ is None else environ
    file = path or Path(env.get("PERF_CONFIG") or "perf.toml")
    names = tuple(sorted(name for name in env if name in FOREIGN or name.startswith(PREFIX) and name != "PERF_CONFIG"))
    return (file if file.exists() else None), names


def child_environment(config: Path | None) -> dict[str, str]:
    """The environment of this process for one that it starts, with *config* as its settings file."""
    named = {} if config is None else {"PERF_CONFIG": str(config.resolve())}
    return {**os.environ, **named}


def as_thresholds(value: str) -> Threshold:
    """A threshold from the JSON of an override.

    Raises: SettingsError when it isn't one.
    """
    try:
        threshold = msgspec.json.decode(value, type=Threshold)
    except msgspec.DecodeError as error:
        raise SettingsError(f"threshold {value}: {error}") from error
    _check_threshold(f"threshold {value}", threshold)
    return threshold


def describe(group: type = Settings, prefix: tuple[str, ...] = ()) -> Iterator[Described]:
    """Every setting, in the order of the tree."""
    for field in msgspec.structs.fields(group):
        path = (*prefix, field.name)
        kind = plain(field.type)
        if isinstance(kind, type) and issubclass(kind, Group):
            yield from describe(kind, path)
            continue
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield Described(
            key=".".join(path),
            variable=PREFIX + "__".join(path).upper(),
            default=msgspec.json.encode(default).decode(),
            shown=written(default, field.type),
            meaning=meaning(field.type),
            kind=field.type,
            secret=any(word in ".".join(path) for word in _SECRET),
        )


def in_force(settings: Settings) -> Iterator[tuple[Described, str]]:
    """Every setting with its value in *settings*, written like its default; the values of secrets are hidden."""
    for described in describe():
        value = attrgetter(described.key)(settings)
        yield described, "***" if described.secret and value else written(value, described.kind)


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error


def _over_defaults(given: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The default thresholds with the *given* limits over them, so that one changed limit drops no other."""
    merged: dict[str, dict[str, Any]] = msgspec.to_builtins(_THRESHOLDS)
    for name, limits in given.items():
        merged[name] = merged.get(name, {}) | limits
    return merged


def _check_threshold(where: str, threshold: Threshold) -> None:
    if threshold.critical is not None and not threshold.critical >= threshold.warning:
        raise SettingsError(f"{where}: critical {threshold.critical:g} is below warning {threshold.warning:g}")


def _check(settings: Settings) -> None:
    """Rules between settings."""
    keep = settings.store.retention
    if not keep.raw <= keep.minute <= keep.hour:
        raise SettingsError(
            "store.retention: a coarser level must be kept at least as long: "
            f"raw {keep.raw:g} s, minute {keep.minute:g} s, hour {keep.hour:g} s"
        )
    if contradiction := problems(settings.alerts):
        raise SettingsError(contradiction)
    if settings.logs.format not in ("text", "json"):
        raise SettingsError(f"logs.format: {settings.logs.format!r}; known: json, text")
    for name, threshold in settings.thresholds.items():
        _check_threshold(f"thresholds.{name}", threshold)
