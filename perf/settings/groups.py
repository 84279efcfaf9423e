"""The groups of the tree that need no file of their own."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settings.remote import RemoteSettings
from perf.settingtree import Bytes, Group, Seconds, says


class Retention(Group, frozen=True):
    """How long each level of the store keeps its rows."""

    raw: Annotated[Seconds, says("raw samples")] = 7 * 86_400.0
    minute: Annotated[Seconds, says("the roll-up to a minute")] = 90 * 86_400.0
    hour: Annotated[Seconds, says("the roll-up to an hour")] = 2 * 31_536_000.0
    audit: Annotated[Seconds, says("the audit log: who changed what")] = 31_536_000.0


class StoreSettings(Group, frozen=True):
    """Where samples live, and how much memory and disk the store may take."""

    backend: Annotated[str, says("duckdb, memory (forgets everything at the end), or remote (an owner's)")] = "duckdb"
    path: Annotated[str, says("the file; its folder is made")] = "data/perf.duckdb"
    url: Annotated[str, says("remote: where the owner answers")] = "http://127.0.0.1:8503"
    token: Annotated[str, says("remote: what the owner asks for; on an owner: that, else a new one at each start")] = ""
    memory_limit: Annotated[Bytes, says("what DuckDB may take")] = 256 * 2**20
    threads: Annotated[int, msgspec.Meta(ge=1, le=64), says("threads of a query")] = 2
    seal_every: Annotated[Seconds, says("how often new samples are sorted into runs")] = 6 * 3600.0
    wal_limit: Annotated[Bytes, says("write-ahead log at which it is folded into the file")] = 16 * 2**20
    free_space_floor: Annotated[Bytes, says("below it the oldest samples make room for new ones")] = 256 * 2**20
    queue_samples: Annotated[int, msgspec.Meta(ge=1_000), says("samples that may wait for the writer")] = 200_000
    retention: Retention = Retention()
    remote: RemoteSettings = RemoteSettings()


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
