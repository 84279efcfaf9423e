"""A health check in a bad state: a threshold over the status that every probe records."""

from __future__ import annotations

import msgspec

from perf.alerts.kinds import threshold
from perf.alerts.kinds.track import Track
from perf.errors import RuleError
from perf.model import AlertRule, Status, Window
from perf.ports import Store

METRIC = "probe_status"


def tracks(rule: AlertRule, store: Store, window: Window) -> list[Track]:
    """Every probe by itself."""
    return threshold.tracks(as_threshold(rule), store, window)


def as_threshold(rule: AlertRule) -> AlertRule:
    """The threshold that *rule* is. Raises: RuleError for a status that is no trouble."""
    if rule.status is Status.HEALTHY:
        raise RuleError(f"{rule.name}: healthy is no trouble; take unknown, degraded or unhealthy")
    labels = (("probe", rule.probe),) if rule.probe else ()
    return msgspec.structs.replace(
        rule, metric=METRIC, labels=labels, condition=f"value >= {rule.status.rank}", aggregate="last", clear=None
    )
