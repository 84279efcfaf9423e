"""Does Redis answer, has it memory left, and do its replicas follow?"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.growth import Growth
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says

_CONNECTIONS = (80.0, 95.0)
"""Percent of the connections it allows that make it degraded and unhealthy."""


class RedisOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which server, and when to speak."""

    url: Annotated[str, says("redis://, rediss:// or unix://")]
    memory_percent: Annotated[float, says("degraded above this share of maxmemory")] = 90.0
    evictions: Annotated[bool, says("whether evicting keys is degraded; a cache may be meant to")] = True
    lag: Annotated[Seconds, says("degraded when a replica is further behind")] = 10.0
    slow: Annotated[Seconds, says("degraded when PING takes longer")] | None = None


class RedisProbe:
    """One connection, kept from run to run: PING and INFO."""

    Options = RedisOptions

    def __init__(self, options: RedisOptions, around: Surroundings) -> None:
        """Connects to nobody yet. Raises: SettingsError for an address that is none."""
        self._options, self._around = options, around
        self._growth = Growth()
        self._first = True
        try:
            self._client = Redis.from_url(
                options.url,
                socket_timeout=around.timeout,
                socket_connect_timeout=around.timeout,
                retry=Retry(NoBackoff(), 0),
                client_name="perf-health",
            )
        except (ValueError, RedisError) as error:
            raise SettingsError(f"url: {error}") from error

    def check(self) -> ProbeResult:
        """Unhealthy without an answer, or when a replica has lost its master; degraded when memory or time run short."""
        clock, began = self._around.clock, perf_counter()
        try:
            self._client.ping()
            seconds = perf_counter() - began
            info: Mapping[str, Any] = self._client.info("everything")  # Any: numbers, texts and groups of them
        except (RedisError, OSError) as error:
            return failed(Status.UNHEALTHY, str(error) or type(error).__name__, clock)
        found = Findings()
        found.evidence["ping_seconds"] = seconds
        found.slow(seconds, self._options.slow)
        self._memory(info, found)
        self._connections(info, found)
        self._replication(info, found)
        used = found.evidence.get("used_memory_bytes", 0.0) / 2**20
        return found.result(f"PING took {1e3 * seconds:.1f} ms, {used:.0f} MiB in use", clock)

    def _memory(self, info: Mapping[str, Any], found: Findings) -> None:
        used, bound = float(info.get("used_memory", 0)), float(info.get("maxmemory", 0))
        evicted = int(info.get("evicted_keys", 0))
        found.evidence |= {"used_memory_bytes": used, "maxmemory_bytes": bound, "evicted_keys": float(evicted)}
        if bound and 100 * used / bound > self._options.memory_percent:
            found.add(Status.DEGRADED, f"memory is {100 * used / bound:.0f} % full ({bound / 2**20:.0f} MiB)")
        if self._first:
            self._growth.seen("evicted", evicted)
        self._first = False
        grown = self._growth.recent("evicted", evicted, self._around.clock.monotonic())
        if grown and self._options.evictions:
            found.add(Status.DEGRADED, f"it evicts keys ({evicted} so far)")

    def _connections(self, info: Mapping[str, Any], found: Findings) -> None:
        clients, most = float(info.get("connected_clients", 0)), float(info.get("maxclients", 0))
        found.evidence |= {"connections": clients, "max_connections": most}
        if most:
            found.above(100 * clients / most, *_CONNECTIONS, f"{clients:.0f} of {most:.0f} connections are taken")

    def _replication(self, info: Mapping[str, Any], found: Findings) -> None:
        if info.get("role") == "slave":
            if info.get("master_link_status") != "up":
                found.add(Status.UNHEALTHY, "the link to its master is down")
            behind = float(info.get("master_last_io_seconds_ago", -1))
            found.evidence["replication_lag_seconds"] = behind
            if behind > self._options.lag:
                found.add(Status.DEGRADED, f"it heard nothing from its master for {behind:.0f} s")
            return
        replicas = [one for key, one in info.items() if key.startswith("slave") and isinstance(one, Mapping)]
        lags = [float(one.get("lag", 0)) for one in replicas]
        if lags:
            found.evidence |= {"replicas": float(len(lags)), "replication_lag_seconds": max(lags)}
            if max(lags) > self._options.lag:
                found.add(Status.DEGRADED, f"a replica is {max(lags):.0f} s behind")
