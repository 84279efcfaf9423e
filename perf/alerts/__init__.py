"""Alerting: rules that you can test before you trust them. The promised names."""

from perf.alerts.config import AlertChannel, AlertConfig, AlertRule
from perf.alerts.manager import AlertManager
from perf.model import Severity as AlertSeverity

__all__ = ["AlertChannel", "AlertConfig", "AlertManager", "AlertRule", "AlertSeverity"]
