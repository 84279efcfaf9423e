"""What alerting says about itself: what became of notifications, what waits, and how long an evaluation takes."""

from __future__ import annotations

from collections.abc import Iterable

from perf.alerts.evaluator import Evaluator
from perf.alerts.outbox import Sender
from perf.model import Kind, Metric, Sample
from perf.ports import AlertStore

DELIVERIES = Metric(
    "perf_alert_deliveries_total", Kind.COUNTER, "1", "Attempts to deliver notifications, by channel and outcome."
)
WAITING = Metric("perf_alert_outbox_notifications", Kind.GAUGE, "1", "Notifications that wait, by channel.")
AGE = Metric("perf_alert_outbox_age_seconds", Kind.GAUGE, "s", "How long the first that could be sent has waited.")
EVALUATION = Metric("perf_alert_evaluation_seconds", Kind.GAUGE, "s", "Duration of the newest evaluation of all rules.")

OUTCOMES = ("delivered", "retry", "dead", "cancelled")


class AlertSource:
    """Turns the counts of *evaluator* and *sender*, and what waits in *store*, into samples."""

    def __init__(self, evaluator: Evaluator, sender: Sender, store: AlertStore) -> None:
        self._evaluator, self._sender, self._store = evaluator, sender, store
        self._seen: set[str] = set()

    def collect(self, ts: float) -> Iterable[Sample]:
        """Samples stamped *ts*. Raises: StoreError."""
        if self._evaluator.seconds is not None:
            yield Sample(ts, EVALUATION, (), round(self._evaluator.seconds, 6))
        for stats in self._sender.stats():
            self._seen.add(stats.channel)
            for outcome in OUTCOMES:
                labels = (("channel", stats.channel), ("outcome", outcome))
                yield Sample(ts, DELIVERIES, labels, float(getattr(stats, outcome)))
        waiting = {one.channel: one for one in self._store.waiting(ts)}
        self._seen |= waiting.keys()  # One that is empty again is told of as such.
        for channel in sorted(self._seen):
            one = waiting.get(channel)
            yield Sample(ts, WAITING, (("channel", channel),), float(one.count if one else 0))
            since = one.since if one else None
            yield Sample(ts, AGE, (("channel", channel),), 0.0 if since is None else max(0.0, round(ts - since, 3)))
