"""The promised face of alerting: a program's own rules, and its word on what fires."""

from __future__ import annotations

from perf.alerts.config import AlertConfig, AlertRule
from perf.model import AlertRule as Rule
from perf.model import Incident


class AlertManager:
    """The rules and incidents of the process-wide runtime, which is started when there is none; *config* adds channels to it.

    Raises: StoreLocked where another process owns the store: there, ``python -m perf rules`` and the API change rules.
    """

    def __init__(self, config: AlertConfig | None = None) -> None:
        from perf import default  # imported late: everything else of perf.alerts works without a runtime

        runtime = default.get()
        self._alerts = runtime.alerts
        if config is not None:
            runtime.reach(config.over(runtime.settings.alerts))

    def add_rule(self, rule: AlertRule | Rule) -> str:
        """Watch *rule*, in place of the one of its name; its id. Raises: ConditionError with the column, RuleError."""
        wanted = rule.rule() if isinstance(rule, AlertRule) else rule
        self._alerts.rules.save(wanted, author="program")
        return wanted.id

    def remove_rule(self, name: str) -> None:
        """Watch the rule called *name* no more. Raises: UnknownAlert."""
        self._alerts.rules.drop(self._alerts.rules.named(name).id, author="program")

    def rules(self) -> list[Rule]:
        """Every rule in force."""
        return self._alerts.rules.all()

    def active(self) -> list[Incident]:
        """What fires, the worst first; its ``id`` is the alert's."""
        return self._alerts.open()

    def acknowledge(self, alert_id: str, *, by: str = "program") -> Incident:
        """*by* looks after it: no more reminders. Raises: UnknownAlert."""
        return self._alerts.acknowledge(alert_id, by=by)

    def resolve(self, alert_id: str, *, by: str = "program") -> Incident:
        """It is over; it begins anew when its condition still holds. Raises: UnknownAlert."""
        return self._alerts.resolve(alert_id, by=by)
