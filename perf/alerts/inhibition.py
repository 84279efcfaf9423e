"""What makes an incident not worth telling: the database being down (of its latency), or the same trouble as critical. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from perf.alerts.condition import compile
from perf.alerts.kinds.health_check import METRIC
from perf.errors import ConditionError
from perf.model import AlertRule, Incident, IncidentState, Labels, RuleKind, Severity

_PROBES = ("database", "db", "postgres", "postgresql", "redis", "store")
_METRICS = ("db_", "database_", "query_", "postgres", "redis_")


class Inhibitors:
    """What fires and keeps others quiet."""

    def __init__(self, incidents: Iterable[Incident], rules: Mapping[str, AlertRule]) -> None:
        self._database: Incident | None = None
        self._critical: dict[tuple[RuleKind, str, Labels], Incident] = {}
        for one in incidents:
            rule = rules.get(one.rule_id) if one.state is IncidentState.FIRING else None
            if rule is None:
                continue
            if self._database is None and _down(rule, one.labels):
                self._database = one
            if one.severity is Severity.CRITICAL:
                self._critical.setdefault((rule.kind, subject(rule), one.labels), one)

    def of(self, incident: Incident, rule: AlertRule) -> Incident | None:
        """What keeps *incident*, of *rule*, quiet, if anything does."""
        metric = subject(rule)
        if incident.severity is not Severity.CRITICAL and metric:
            worse = self._critical.get((rule.kind, metric, incident.labels))
            if worse is not None:
                return worse
        return self._database if metric.startswith(_METRICS) else None


def subject(rule: AlertRule) -> str:
    """The metric that *rule* looks at; empty when it looks at none, or at several."""
    if rule.kind is RuleKind.HEALTH_CHECK:
        return METRIC
    return rule.metric or _metric(rule.condition)


@lru_cache(maxsize=4096)
def _metric(condition: str) -> str:
    try:
        return compile(condition).metric
    except ConditionError:
        return ""


def _down(rule: AlertRule, labels: Labels) -> bool:
    """Whether an incident of *rule* with *labels* says that a database is down."""
    probe = rule.probe or dict(labels).get("probe", "")
    return rule.kind is RuleKind.HEALTH_CHECK and probe.lower().startswith(_PROBES)
