"""Settings of perf as a service: how it ends, what it may take, its second port, its logs at run time."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Bytes, Group, Seconds, says

Pause = Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})]
"""A duration that may be nothing."""


class ProductionSettings(Group, frozen=True):
    """What matters once perf runs unattended, behind something that watches it."""

    health_port: Annotated[
        int, msgspec.Meta(ge=0, le=65_535), says("second port, for /health and /metrics alone; 0: none")
    ] = 0
    pause: Annotated[
        Pause, says("after a SIGTERM: not ready, but still answering, until load balancers have seen it")
    ] = 0.0
    grace: Annotated[Seconds, says("from the signal to the end, at most")] = 25.0
    max_memory: Annotated[
        Bytes, says("of perf's process; above it caches are emptied and load is shed; 0: no limit")
    ] = 0
    max_cpu_percent: Annotated[
        float, msgspec.Meta(ge=0), says("of one core, over half a minute; above it load is shed; 0: no limit")
    ] = 0.0
    retry_after: Annotated[Seconds, says("what a shed request is told to wait")] = 10.0
    session_cleanup: Annotated[bool, says("whether dashboards that nobody uses are closed")] = True
    session_max_age: Annotated[Seconds, says("time without a script run after which one is")] = 86_400.0
    session_interval: Annotated[Seconds, says("how often they are looked at")] = 60.0
    access_log: Annotated[bool, says("true: a log line a request at INFO, not only at DEBUG")] = False
    log_level_for: Annotated[Seconds, says("how long a log level set at run time holds, at most and by default")] = (
        3600.0
    )
    profile_for: Annotated[Seconds, says("longest time of a profile")] = 120.0
    debug: Annotated[bool, says("true: logs at DEBUG, and answers to failures carry their traceback")] = False
