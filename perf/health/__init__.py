"""Health of this process and its machine: probes, their verdict, and what the health endpoints answer."""

from perf.health.checker import HealthChecker
from perf.health.current import get_health_checker
from perf.health.result import Health

__all__ = ["Health", "HealthChecker", "get_health_checker"]
