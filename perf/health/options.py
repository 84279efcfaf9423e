"""What every kind of probe can be told; each adds its own, and knows no others."""

from __future__ import annotations

from typing import Annotated

import msgspec

from perf.settingtree import Group, Seconds, says


class ProbeOptions(Group, frozen=True):
    """When a probe runs, what it waits for, and what its failure means; None: as in the settings ``health``."""

    kind: Annotated[str, says("what it does")] = ""
    timeout: Annotated[Seconds, says("longest time for one run")] | None = None
    interval: Annotated[Seconds, says("how often it runs")] | None = None
    after: Annotated[tuple[str, ...], says("probes that must not be unhealthy first")] = ()
    critical: Annotated[bool, says("false: it degrades only")] = True
    readiness: Annotated[bool, says("true: while it is unhealthy, this process says that it isn't ready")] = False
    failures: Annotated[int, msgspec.Meta(ge=1, le=100), says("so many in a row make it unhealthy, fewer degraded")] = 1
