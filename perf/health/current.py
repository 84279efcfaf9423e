"""The process's one health checker."""

from __future__ import annotations

from perf.health.checker import HealthChecker


def get_health_checker() -> HealthChecker:
    """The checker of the process-wide runtime, which is started when there is none."""
    from perf import default  # imported late: everything else here works without a runtime

    return default.get().health
