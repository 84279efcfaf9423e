"""Does PostgreSQL answer, how soon, and has it connections left?"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Annotated, Any

import psycopg

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says
from perf.sqlfiles import sql

_PACKAGE = "perf.health.probes"


class PostgresOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which server, and when to speak."""

    dsn: Annotated[str, says("connection string or postgresql:// address")]
    connections_percent: Annotated[float, says("degraded above this share of max_connections")] = 80.0
    lag: Annotated[Seconds, says("degraded when a replica is further behind")] = 30.0
    slow: Annotated[Seconds, says("degraded when connecting and asking take longer")] | None = None


class PostgresProbe:
    """A new connection each time, as a program makes it; the server stops what takes too long."""

    Options = PostgresOptions

    def __init__(self, options: PostgresOptions, around: Surroundings) -> None:
        """Connects to nobody yet. Raises: SettingsError for a connection string that can't be read."""
        self._options, self._around = options, around
        try:
            self._parts: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(options.dsn)  # Any: as psycopg has it
        except psycopg.Error as error:
            raise SettingsError("dsn: not a connection string (host=... dbname=..., or postgresql://...)") from error
        # libpq waits at least two seconds; the checker gives up by itself before that.
        self._parts |= {"connect_timeout": max(2, math.ceil(around.timeout)), "application_name": "perf-health"}

    def check(self) -> ProbeResult:
        """Unhealthy without an answer, degraded when it is slow, short of connections, or a replica that lags."""
        clock, began = self._around.clock, perf_counter()
        try:
            with psycopg.connect(**self._parts, autocommit=True) as connection:
                connected = perf_counter() - began
                # By name, not in the connection string: a pooler refuses options there.
                set_limit = "SELECT set_config('statement_timeout', %s, false)"
                connection.execute(set_limit, [str(max(1, round(self._around.timeout * 1000)))])
                asked = perf_counter()
                row = connection.execute(sql(_PACKAGE, "postgres").encode()).fetchone()
        except psycopg.Error as error:
            return failed(Status.UNHEALTHY, " ".join(str(error).split()) or type(error).__name__, clock)
        seconds = perf_counter() - asked
        taken, most, lag, waiting = row or (0, 0, None, 0)
        found = Findings()
        found.evidence |= {
            "connect_seconds": connected,
            "query_seconds": seconds,
            "connections": float(taken),
            "max_connections": float(most),
            "waiting_for_locks": float(waiting),
        }
        found.slow(connected + seconds, self._options.slow)
        reason = f"{taken} of {most} connections are taken"
        found.above(100 * taken / max(1, most), self._options.connections_percent, 97.0, reason)
        if lag is not None:
            found.evidence["replication_lag_seconds"] = float(lag)
            if lag > self._options.lag:
                found.add(Status.DEGRADED, f"the replica is {lag:.0f} s behind")
        return found.result(f"answered in {1e3 * (connected + seconds):.0f} ms, {reason}", clock)
