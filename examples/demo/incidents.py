"""What alerted in the two weeks: the rules in force, put over the history that is there, as they would have been live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perf.alerts.kinds import KINDS
from perf.alerts.preview import preview
from perf.alerts.replay import Band
from perf.alerts.step import Outcome, closed, step
from perf.model import AlertRule, Severity, Step, Window
from perf.ports import MetricStore

REFUSED = AlertRule(
    id="payments-refused",
    name="Payments refused",
    metric="http_client_request_duration_seconds",
    condition="name == 'http_client_request_duration_seconds' and value > 0.04",
    labels=(("http_response_status_code", "503"), ("server_address", "payments.example")),
    by=("server_address",),
    aggregate="rate",
    window=120.0,
    for_seconds=120.0,
    keep_firing=300.0,
    severity=Severity.CRITICAL,
    message="{labels.server_address} refuses {value:.2f} payments a second, and POST /orders answers 502. Ask the provider.",
)
"""The one rule that the shop added to the defaults."""


def past(store: MetricStore, rules: Iterable[AlertRule], window: Window) -> Step:
    """Every incident of *rules* that fired in *window* and ended before its end; what still fires, perf finds by itself."""
    lives = [
        list(_life(store, rule, band))
        for rule in rules
        for band in preview(store, rule, window, alternatives=False).bands
        if band.end < window.end
    ]
    ended = [life[-1].incident for life in lives if life]
    return Step(
        incidents=tuple(incident for incident in ended if incident is not None),
        transitions=tuple(one for life in lives for outcome in life for one in outcome.transitions),
    )


def _life(store: MetricStore, rule: AlertRule, band: Band) -> Iterator[Outcome]:
    """What each evaluation did to the incident behind *band*, from the first that held to its end."""
    around = Window(band.start - rule.for_seconds - rule.patience, band.end + rule.patience)
    incident = None
    for track in KINDS[rule.kind](rule, store, around):
        for index in range(len(track.ts) if track.labels == band.labels else 0):
            outcome = step(rule, track.seen(index), incident, float(track.ts[index]))
            incident = outcome.incident
            if incident is not None and not incident.open and incident.fired_at is None:
                incident = None  # It only was pending.
            if incident is not None:
                yield outcome
            if incident is not None and not incident.open:
                return
    if incident is not None:
        yield closed(incident, band.end, "no data")
